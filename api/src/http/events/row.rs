//! One event as a line of JSON.

use std::borrow::Cow;

use domain::Instant;
use domain::envelope::{Actor, Metadata, Position, RecordedEvent, Revision};
use domain::ids::{CommandId, CorrelationId, EventId, OperatorId, SubjectId};
use domain::ports::ReadError;
use domain::proof::StoredEvent;
use domain::values::{Code, LineKey};
use serde::Serialize;
use serde_json::json;

use super::access::View;
use super::data::{self, Unreadable};

/// What a line of an event holds beside its data; `docs/bi.md` is its dictionary.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
}

#[derive(Serialize)]
struct Stream<'a> {
    #[serde(rename = "type")]
    aggregate_type: &'a str,
    id: &'a str,
}

/// An event of a page: with its envelope read, or as it is stored for those who want the stored texts.
pub(super) trait Entry: Send + Sync + 'static {
    /// Its place in the log.
    fn position(&self) -> Position;

    /// Bytes of the texts that a line of it holds.
    fn bytes(&self) -> usize;

    /// The event as it is stored, when the stored texts are wanted.
    fn stored(&self) -> Option<&StoredEvent>;

    /// The event, and its metadata as they are stored when they were asked for.
    fn open(&self) -> Result<(Cow<'_, RecordedEvent>, Option<&str>), ReadError>;
}

impl Entry for RecordedEvent {
    fn position(&self) -> Position {
        self.position
    }

    fn bytes(&self) -> usize {
        self.payload.len()
    }

    fn stored(&self) -> Option<&StoredEvent> {
        None
    }

    fn open(&self) -> Result<(Cow<'_, RecordedEvent>, Option<&str>), ReadError> {
        Ok((Cow::Borrowed(self), None))
    }
}

impl Entry for StoredEvent {
    fn position(&self) -> Position {
        self.position
    }

    fn bytes(&self) -> usize {
        self.payload.len() + self.metadata.len()
    }

    fn stored(&self) -> Option<&StoredEvent> {
        Some(self)
    }

    fn open(&self) -> Result<(Cow<'_, RecordedEvent>, Option<&str>), ReadError> {
        Ok((Cow::Owned(self.recorded()?), Some(&self.metadata)))
    }
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
    let trace = match view {
        View::Pseudonymous => None,
        View::Stored => Some(trace.as_deref()),
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
        trace,
        payload: metadata.is_some().then_some(&*event.payload),
        metadata,
    };
    let before = out.len();
    let written = finish(out, &row, event, view);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

/// Appends the line of an event that cannot be read: what its leaf is made of, as it is stored.
pub(super) fn write_bare(out: &mut Vec<u8>, stored: &StoredEvent, reason: &str) {
    let line = json!({
        "position": stored.position,
        "stream": { "type": stored.aggregate_type, "id": stored.aggregate_id },
        "revision": stored.sequence,
        "type": stored.event_type,
        "version": stored.event_version,
        "recordedAt": stored.recorded_at,
        "payload": stored.payload,
        "metadata": stored.metadata,
        "unreadable": reason,
    });
    out.extend_from_slice(format!("{line}\n").as_bytes());
}

/// Appends a line that says at how many positions, up to this one, the log has nothing.
pub(super) fn write_missing(out: &mut Vec<u8>, until: Position, count: i64) {
    out.extend_from_slice(format!("{}\n", json!({ "position": until, "missing": count })).as_bytes());
}

/// Writes the envelope and behind its last member the data, which is JSON already.
fn finish(out: &mut Vec<u8>, row: &Line<'_>, event: &RecordedEvent, view: View) -> Result<(), Unreadable> {
    serde_json::to_writer(&mut *out, row).map_err(|_| Unreadable("it cannot be written as JSON"))?;
    out.pop();
    out.extend_from_slice(b",\"data\":");
    data::write(out, event, view)?;
    out.extend_from_slice(b"}\n");
    Ok(())
}
