//! One event as a line of JSON.

use std::collections::BTreeMap;

use domain::Instant;
use domain::envelope::{Actor, Metadata, Position, RecordedEvent, Revision};
use domain::ids::{CommandId, CorrelationId, EventId, OperatorId, SubjectId};
use domain::personal::Replacement;
use domain::ports::ReadError;
use domain::proof::StoredEvent;
use domain::values::{Code, LineKey};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::access::View;

/// A stored event that is not what an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub &'static str);

/// What a line of an event holds; `docs/bi.md` is its dictionary.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    position: Position,
    event_id: EventId,
    stream: Stream<'a>,
    revision: Revision,
    #[serde(rename = "type")]
    event_type: &'a str,
    version: u32,
    recorded_at: Instant,
    occurred_at: Instant,
    actor: &'a Actor,
    on_behalf_of: Option<OperatorId>,
    line: Option<&'a LineKey>,
    subject: Option<SubjectId>,
    command_id: CommandId,
    correlation_id: CorrelationId,
    causation_id: Option<EventId>,
    reason: Option<&'a Code>,
    policy_version: Option<u32>,
    data: Data<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
}

/// An event of a page: with its envelope read, or as it is stored for those who want the stored texts.
pub(super) enum Entry {
    /// As events are read.
    Read(RecordedEvent),
    /// Byte for byte.
    Stored(StoredEvent),
}

impl Entry {
    /// Its place in the log.
    pub const fn position(&self) -> Position {
        match self {
            Self::Read(event) => event.position,
            Self::Stored(event) => event.position,
        }
    }

    /// Bytes of the texts that a line of it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Read(event) => event.payload.len(),
            Self::Stored(event) => event.payload.len() + event.metadata.len(),
        }
    }

    /// The event, and its metadata as they are stored when they were asked for.
    pub fn open(self) -> Result<(RecordedEvent, Option<Box<str>>), ReadError> {
        match self {
            Self::Read(event) => Ok((event, None)),
            Self::Stored(stored) => Ok((stored.recorded()?, Some(stored.metadata))),
        }
    }
}

#[derive(Serialize)]
struct Stream<'a> {
    #[serde(rename = "type")]
    aggregate_type: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Redacted(Value),
    Stored(&'a RawValue),
    Compact(Box<RawValue>),
}

/// Appends the line of an event to `out`, with its stored texts when there is metadata; `out` is as it
/// was when the event cannot be read.
pub(super) fn write(
    out: &mut Vec<u8>,
    event: &RecordedEvent,
    view: View,
    metadata: Option<&str>,
) -> Result<(), Unreadable> {
    let Metadata { actor, line, reason, trace, .. } = &event.metadata;
    let (data, trace) = match view {
        View::Pseudonymous => (Data::Redacted(redacted(event)?), None),
        View::Stored => (stored(event)?, Some(trace.as_deref())),
    };
    let version: u32 = event.event_version.parse().map_err(|_| Unreadable("its version is not a number"))?;
    // The line has the number; who computes the leaf from it needs the text, so there may be no other.
    if metadata.is_some() && version.to_string() != *event.event_version {
        return Err(Unreadable("its version is a number written in an unusual way"));
    }
    let row = Line {
        position: event.position,
        event_id: event.metadata.event_id,
        stream: Stream { aggregate_type: event.stream.aggregate_type(), id: event.stream.id() },
        revision: event.revision,
        event_type: &event.event_type,
        version,
        recorded_at: event.recorded_at,
        occurred_at: event.metadata.occurred_at,
        actor,
        on_behalf_of: event.metadata.on_behalf_of,
        line: line.as_ref(),
        subject: event.metadata.subject,
        command_id: event.metadata.command_id,
        correlation_id: event.metadata.correlation_id,
        causation_id: event.metadata.causation_id,
        reason: reason.as_ref(),
        policy_version: event.metadata.policy_version,
        data,
        trace,
        payload: metadata.is_some().then_some(&*event.payload),
        metadata,
    };
    let before = out.len();
    if serde_json::to_writer(&mut *out, &row).is_err() {
        out.truncate(before);
        return Err(Unreadable("it cannot be written as JSON"));
    }
    out.push(b'\n');
    Ok(())
}

const NOT_JSON: Unreadable = Unreadable("its payload is not JSON");

/// The tag that the payload of an event has around it: the type name without its aggregate.
fn tag(event: &RecordedEvent) -> &str {
    event.event_type.split_once('.').map_or(&*event.event_type, |(_, tag)| tag)
}

/// The payload without its tag, byte for byte. A payload without the tag is passed on whole.
fn stored(event: &RecordedEvent) -> Result<Data<'_>, Unreadable> {
    let whole: &RawValue = serde_json::from_str(&event.payload).map_err(|_| NOT_JSON)?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(whole.get()).unwrap_or_default();
    let inner = members.get(tag(event)).filter(|_| members.len() == 1).copied().unwrap_or(whole);
    // A line is one line, however the event was stored.
    if !inner.get().contains(['\n', '\r']) {
        return Ok(Data::Stored(inner));
    }
    let compact: Value = serde_json::from_str(inner.get()).map_err(|_| NOT_JSON)?;
    to_raw_value(&compact).map(Data::Compact).map_err(|_| NOT_JSON)
}

/// The payload without its tag and without anything that is or might be personal data.
fn redacted(event: &RecordedEvent) -> Result<Value, Unreadable> {
    let mut payload: Value = serde_json::from_str(&event.payload).map_err(|_| NOT_JSON)?;
    let inner = payload.as_object_mut().filter(|members| members.len() == 1);
    let mut data = match inner.and_then(|members| members.remove(tag(event))) {
        Some(inner) => inner,
        None => payload,
    };
    redact(&mut data);
    if event.stream.aggregate_type() == "operator"
        && let Some(name) = data.get_mut("name")
    {
        *name = Replacement::Redacted.into();
    }
    Ok(data)
}

/// Personal values are objects whose key begins with `$`. The whole family is redacted and not only
/// the forms that this program knows: the event may come from a newer one.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) if members.keys().any(|name| name.starts_with('$')) => {
            *value = Replacement::Redacted.into();
        }
        Value::Object(members) => members.values_mut().for_each(redact),
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}
