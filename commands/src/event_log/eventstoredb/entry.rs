//! An event of the log as EventStoreDB holds it. Beside the event stands everything that a replica
//! needs, so that the stream alone rebuilds the log: its place in its own stream, when it was recorded,
//! and on the last event of a command what the command came to.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use domain::ids::EventId;
use domain::ports::ReadError;
use domain::{Instant, Position};
use eventstore::{EventData, RecordedEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::append::{Append, KeyClaim, KeyHolder, NewEvent, StreamAppend, UniqueKey};

/// The format of envelopes that this program writes, and the newest one that it reads.
const FORMAT: u32 = 1;

/// An event as the table `events` holds it, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Row {
    pub position: i64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub event_version: String,
    pub recorded_at: i64,
    pub payload: String,
    pub metadata: String,
}

/// An event of the log with what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    /// Its id in EventStoreDB. The same append sent again has the same ids, so that it is recognised.
    pub id: Uuid,
    pub row: Row,
    /// The epoch of its writer: for whoever looks for what went wrong; nothing is decided on it.
    pub epoch: i64,
    /// Commands that ended with it.
    pub commands: Vec<Outcome>,
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Outcome {
    pub id: String,
    #[serde(with = "base64_text")]
    pub fingerprint: Vec<u8>,
    pub result: String,
    pub position: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<Holder>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release_owners: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destroyed_keys: Vec<String>,
}

/// A unique key and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Claim {
    pub scope: String,
    pub key: String,
    pub owner: String,
    pub item: String,
}

/// Who gives unique keys up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Holder {
    pub owner: String,
    pub item: String,
}

/// The metadata of an event in EventStoreDB.
#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_version: String,
    recorded_at: i64,
    epoch: i64,
    /// The event's own metadata, as text: hashes cover its bytes.
    metadata: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    commands: Vec<Outcome>,
}

/// Hashes as text.
mod base64_text {
    use super::{Engine, STANDARD_NO_PAD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD_NO_PAD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The part of an event's metadata that names it.
#[derive(Deserialize)]
struct Named {
    event_id: EventId,
}

/// Lays a batch out as the events that follow `base`. Commands without events ride on the event in
/// front of them, or on the first.
///
/// # Errors
/// When the metadata of an event does not name it, as every reader of the log expects.
pub(super) fn lay_out(
    batch: &[&Append],
    base: Position,
    recorded_at: Instant,
    epoch: i64,
) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut in_front = Vec::new();
    for append in batch {
        let mut ids = HashSet::new();
        for stream in &append.streams {
            let mut revision = stream.expected;
            for event in &stream.events {
                revision = revision.next();
                let position = base.plus(entries.len() + 1);
                let row = row(stream, event, revision.get(), position, recorded_at);
                entries.push(Entry { id: id_of(event, &mut ids)?, row, epoch, commands: Vec::new() });
            }
        }
        let outcome = Outcome::of(append, base.plus(entries.len()));
        match entries.last_mut() {
            Some(last) => last.commands.push(outcome),
            None => in_front.push(outcome),
        }
    }
    if let Some(first) = entries.first_mut() {
        first.commands.splice(0..0, in_front);
    }
    Ok(entries)
}

fn row(
    stream: &StreamAppend,
    event: &NewEvent,
    sequence: i64,
    position: Position,
    recorded_at: Instant,
) -> Row {
    Row {
        position: position.get(),
        aggregate_type: stream.stream.aggregate_type().to_owned(),
        aggregate_id: stream.stream.id().to_owned(),
        sequence,
        event_type: event.event_type.to_owned(),
        event_version: event.event_version.clone(),
        recorded_at: recorded_at.micros(),
        payload: event.payload.clone(),
        metadata: event.metadata.clone(),
    }
}

/// The event's own id. Where events of one append share their metadata, the later ones get an id that
/// follows from it.
fn id_of(event: &NewEvent, ids: &mut HashSet<Uuid>) -> Result<Uuid, String> {
    let named: Named = serde_json::from_str(&event.metadata)
        .map_err(|error| format!("the metadata of an event does not name it: {error}"))?;
    let own = Uuid::from(named.event_id);
    let id = if ids.contains(&own) { Uuid::new_v5(&own, &ids.len().to_be_bytes()) } else { own };
    ids.insert(id);
    Ok(id)
}

impl Outcome {
    fn of(append: &Append, position: Position) -> Self {
        let holder = |holder: &KeyHolder| Holder { owner: holder.owner.clone(), item: holder.item.clone() };
        let claim = |KeyClaim { key: UniqueKey { scope, key }, holder }: &KeyClaim| Claim {
            scope: scope.clone(),
            key: key.clone(),
            owner: holder.owner.clone(),
            item: holder.item.clone(),
        };
        Self {
            id: append.command.id.to_string(),
            fingerprint: append.command.fingerprint.to_vec(),
            result: append.command.result.clone(),
            position: position.get(),
            claims: append.claims.iter().map(claim).collect(),
            releases: append.releases.iter().map(holder).collect(),
            release_owners: append.release_owners.clone(),
            destroyed_keys: append.destroy_keys.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Entry {
    /// The entry as the client sends it.
    ///
    /// # Errors
    /// When its envelope is no JSON, which it always is.
    pub fn proposed(self) -> Result<EventData, String> {
        let row = self.row;
        let envelope = Envelope {
            format: FORMAT,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_version: row.event_version,
            recorded_at: row.recorded_at,
            epoch: self.epoch,
            metadata: row.metadata,
            commands: self.commands,
        };
        let envelope = serde_json::to_vec(&envelope).map_err(|error| error.to_string())?;
        // JSON text is passed on as it is, so that EventStoreDB's own tools show it; anything that the
        // parser would cut is not called JSON.
        let json = serde_json::from_str::<&RawValue>(&row.payload).ok();
        let event = match json.filter(|json| json.get().len() == row.payload.len()) {
            Some(json) => EventData::json(&row.event_type, &json).map_err(|error| error.to_string())?,
            None => EventData::binary(&row.event_type, row.payload.into_bytes().into()),
        };
        Ok(event.id(self.id).metadata(envelope.into()))
    }

    /// The entry that an event of EventStoreDB is, at its position in the log.
    ///
    /// # Errors
    /// When something else wrote it, or a newer program.
    pub fn stored(event: &RecordedEvent, position: Position) -> Result<Self, ReadError> {
        let corrupt = |reason: String| ReadError::Corrupt { position, reason };
        let envelope: Envelope = serde_json::from_slice(&event.custom_metadata)
            .map_err(|error| corrupt(format!("it was not written by this program: {error}")))?;
        if envelope.format > FORMAT {
            return Err(corrupt(format!("a newer program wrote it, in format {}", envelope.format)));
        }
        let payload = std::str::from_utf8(&event.data).map_err(|error| corrupt(error.to_string()))?;
        let row = Row {
            position: position.get(),
            aggregate_type: envelope.aggregate_type,
            aggregate_id: envelope.aggregate_id,
            sequence: envelope.sequence,
            event_type: event.event_type.clone(),
            event_version: envelope.event_version,
            recorded_at: envelope.recorded_at,
            payload: payload.to_owned(),
            metadata: envelope.metadata,
        };
        Ok(Self { id: event.id, row, epoch: envelope.epoch, commands: envelope.commands })
    }
}
