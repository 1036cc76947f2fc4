//! Reads a raw replay back: from lines to stored events, whose leaves are computed from them.
//!
//! Guarantees: a line counts only if what stands beside the stored texts is what they say, so that
//! whoever reads the line is not told something else than what was signed; a replay that is not whole,
//! or leaves events out, is refused with the reason; memory does not grow with the file.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead};

use commands::proof::{AuditError, AuditFault, Leaves, Page, printable};
use domain::envelope::{Position, Revision};
use domain::proof::StoredEvent;
use domain::values::Instant;
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::audit::Lines;
use crate::http::events::raw_line;

/// Bytes of lines that are read at once.
const CHUNK: usize = 1024 * 1024;
/// Chunks that are read and hashed at once.
const AHEAD: usize = 3;
/// A line that is longer is none of ours.
const MAX_LINE: u64 = 256 * 1024 * 1024;

/// What of a line a leaf is made of, and what other kinds of lines are told by.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    position: Option<Position>,
    #[serde(borrow)]
    stream: Option<Stream_<'a>>,
    revision: Option<Revision>,
    #[serde(rename = "type")]
    event_type: Option<Box<str>>,
    version: Option<Version>,
    recorded_at: Option<Instant>,
    payload: Option<Box<str>>,
    metadata: Option<Box<str>>,
    /// At how many positions the log had nothing.
    missing: Option<u64>,
    end: Option<End>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Stream_<'a> {
    #[serde(rename = "type", borrow)]
    aggregate_type: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// The stored version: a number, or as text when the event cannot be read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Number(u32),
    Text(Box<str>),
}

impl Version {
    fn text(self) -> Box<str> {
        match self {
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => text,
        }
    }
}

#[derive(Deserialize)]
struct End {
    position: Position,
}

/// What a line is.
enum Kind {
    Event(StoredEvent),
    /// Everything up to here was looked at.
    Progress(Position),
    /// The log had nothing up to here.
    Missing(Position),
}

/// Whole lines, and the number of the first one.
struct Chunk {
    first: u64,
    lines: Vec<u8>,
}

/// The events of a raw replay, to be audited.
pub(super) fn pages(reader: impl Lines) -> impl Stream<Item = Result<Page, AuditError>> + Send {
    let chunks = stream::unfold(Some((reader, 1_u64)), |state| async move {
        let (mut reader, first) = state?;
        let read = tokio::task::spawn_blocking(move || {
            let lines = chunk(&mut reader);
            (reader, lines)
        });
        match read.await {
            Ok((_, Ok(lines))) if lines.is_empty() => None,
            Ok((reader, Ok(lines))) => {
                let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
                Some((Ok(Chunk { first, lines }), Some((reader, first + count))))
            }
            Ok((_, Err(error))) => Some((Err(AuditError::Replay(error.to_string())), None)),
            Err(_) => Some((Err(interrupted()), None)),
        }
    });
    let parse = |chunk: Result<Chunk, AuditError>| async {
        let chunk = chunk?;
        tokio::task::spawn_blocking(move || page(&chunk)).await.unwrap_or_else(|_| Err(interrupted()))
    };
    chunks
        .map(move |chunk| tokio::spawn(parse(chunk)))
        .buffered(AHEAD)
        .map(|page| page.unwrap_or_else(|_| Err(interrupted())))
}

fn interrupted() -> AuditError {
    AuditError::Replay("interrupted".to_owned())
}

/// Reads whole lines; nothing at the end.
fn chunk(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut lines = Vec::with_capacity(CHUNK + CHUNK / 8);
    while lines.len() < CHUNK {
        let before = lines.len();
        io::Read::take(&mut *reader, MAX_LINE).read_until(b'\n', &mut lines)?;
        if lines.len() == before {
            break;
        }
        if lines.len() - before == usize::try_from(MAX_LINE).unwrap_or(usize::MAX) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line has no end; is it a replay?"));
        }
    }
    Ok(lines)
}

fn page(chunk: &Chunk) -> Result<Page, AuditError> {
    let (mut events, mut faults) = (Vec::new(), Vec::new());
    let mut written = Vec::new();
    let mut last = (chunk.first == 1).then_some(Position::ZERO);
    let text = chunk.lines.strip_suffix(b"\n").unwrap_or(&chunk.lines);
    for (number, line) in (chunk.first..).zip(text.split(|byte| *byte == b'\n')) {
        let wrong = |reason: &str| AuditError::Replay(format!("line {number}: {}", printable(reason)));
        match kind(line).map_err(|reason| wrong(&reason))? {
            Kind::Event(event) => {
                written.clear();
                if let Err(reason) = agrees(line, &event, &mut written) {
                    faults.push(AuditFault::Line { line: number, reason });
                }
                last = Some(event.position);
                events.push(event);
            }
            Kind::Progress(position) if last.is_some_and(|last| position > last) => {
                return Err(wrong(
                    "events were left out here: the replay was made for some types or some lines only; make one \
                     with all of them",
                ));
            }
            Kind::Progress(_) => {}
            Kind::Missing(position) => last = Some(position),
        }
    }
    Ok(Page { leaves: Leaves::of(events), faults })
}

fn kind(line: &[u8]) -> Result<Kind, String> {
    let line: Line<'_> =
        serde_json::from_slice(line).map_err(|error| format!("it is not a line of a replay ({error})"))?;
    if let Some(error) = &line.error {
        let code = error.get("code").and_then(Value::as_str).unwrap_or("no code");
        return Err(format!("the replay was broken off there ({code}); make it anew"));
    }
    if let Some(end) = line.end {
        return Ok(Kind::Progress(end.position));
    }
    let no = |name: &str| format!("it has no {name}");
    let position = line.position.ok_or_else(|| no("position"))?;
    if line.missing.is_some() {
        return Ok(Kind::Missing(position));
    }
    let Some(event_type) = line.event_type else { return Ok(Kind::Progress(position)) };
    let raw = || "it has not the stored texts: make the replay with raw=true, or --raw".to_owned();
    let (payload, metadata) = (line.payload.ok_or_else(raw)?, line.metadata.ok_or_else(raw)?);
    let stream = line.stream.ok_or_else(|| no("stream"))?;
    Ok(Kind::Event(StoredEvent {
        position,
        aggregate_type: stream.aggregate_type.into(),
        aggregate_id: stream.id.into(),
        sequence: line.revision.ok_or_else(|| no("revision"))?,
        event_type,
        event_version: line.version.ok_or_else(|| no("version"))?.text(),
        recorded_at: line.recorded_at.ok_or_else(|| no("recordedAt"))?,
        payload,
        metadata,
    }))
}

/// JSON in which no name comes twice: programs differ in which of the two they take.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor).map(Self)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Distinct(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Distinct(value))) = members.next_entry::<String, _>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name} is there twice")));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// Whether a line says what its stored texts say. Members that this program does not write say nothing
/// of ours; one that it writes may be left out, and never be another.
fn agrees(line: &[u8], event: &StoredEvent, written: &mut Vec<u8>) -> Result<(), String> {
    raw_line(written, event).map_err(|reason| format!("position {}: {reason}", event.position))?;
    if written.strip_suffix(b"\n") == Some(line) {
        return Ok(());
    }
    let wrong = |error: serde_json::Error| format!("position {}: CHANGED: {error}", event.position);
    let given: Distinct = serde_json::from_slice(line).map_err(wrong)?;
    let ours = serde_json::from_slice::<Value>(written).unwrap_or_default();
    let Value::Object(given) = given.0 else { return Ok(()) };
    match given.iter().find(|(name, value)| ours.get(*name).is_some_and(|own| own != *value)) {
        Some((name, _)) => Err(format!(
            "position {}: CHANGED: {name} is not what the stored texts say, which are what was signed",
            event.position
        )),
        None => Ok(()),
    }
}
