//! Ports that the write side and the read side share: reading the log, unsealing personal data.

use async_trait::async_trait;
use serde_json::Value;

use crate::codec::DecodeError;
use crate::contracts::Event;
use crate::envelope::{Position, RecordedEvent, Revision, StreamId};
use crate::ids::{EventId, SubjectId};
use crate::personal::{PersonalValue, Replacement, replace_personal};
use crate::proof::StoredEvent;
use crate::values::{ContactKind, Instant};

/// The end of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Position of the last event; zero when there is none.
    pub position: Position,
    /// When it was recorded.
    pub recorded_at: Instant,
}

/// Why the log could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The store did not answer; trying again may help.
    #[error("the event log is not available: {0}")]
    Unavailable(String),
    /// Positions are not dense: an event is missing. Readers stop here.
    #[error("the event log has a hole: expected position {expected}, found {found}")]
    Hole {
        /// The position that should come next.
        expected: Position,
        /// The position that came.
        found: Position,
    },
    /// A stored envelope cannot be read.
    #[error("the event at position {position} cannot be read: {reason}")]
    Corrupt {
        /// Where.
        position: Position,
        /// What is wrong.
        reason: String,
    },
}

/// Reads recorded events in order.
#[async_trait]
pub trait EventReader: Send + Sync {
    /// Up to `limit` events behind `after`, in order and without a hole.
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;

    /// The events behind `after` up to `until`, in order and without a hole; all of them, if the log
    /// has them. It may cost more than [`EventReader::read`] for a few events, and less for many.
    async fn read_range(&self, after: Position, until: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read(after, usize::try_from(until.get() - after.get()).unwrap_or(0)).await
    }

    /// Up to `limit` events of one stream behind `after`, in order.
    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError>;

    /// Up to `limit` events behind `after`, in order and as their rows store them. What reads here looks
    /// for damage itself: a hole is no error, and no envelope is read.
    async fn read_stored(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, ReadError>;

    /// The same of the events behind `after` up to `until`: those that are there.
    async fn read_stored_range(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        let limit = usize::try_from(until.get() - after.get()).unwrap_or(0);
        let mut events = self.read_stored(after, limit).await?;
        // Behind a hole come others.
        events.retain(|event| event.position <= until);
        Ok(events)
    }

    /// The end of the log.
    async fn head(&self) -> Result<Head, ReadError>;

    /// Position of the last event that was recorded at an instant or before; zero when there is none.
    ///
    /// Positions are dense and recorded times never run backwards along them, so the place is found by
    /// halving, with no index that an append would have to keep.
    async fn position_at(&self, at: Instant) -> Result<Position, ReadError> {
        let head = self.head().await?;
        if head.recorded_at <= at {
            return Ok(head.position);
        }
        let (mut before, mut behind) = (0, head.position.get());
        while behind - before > 1 {
            let middle = Position::new(before + (behind - before) / 2);
            let found = self.read(Position::new(middle.get() - 1), 1).await?;
            let event = found.first().ok_or_else(|| ReadError::Corrupt {
                position: middle,
                reason: "the log ends before its head".to_owned(),
            })?;
            if event.recorded_at <= at { before = middle.get() } else { behind = middle.get() }
        }
        Ok(Position::new(before))
    }
}

/// Why personal data could not be read. A destroyed key is no error: it reads as `Redacted`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// The key store did not answer; trying again may help.
    #[error("the key vault is not available: {0}")]
    Unavailable(String),
    /// A sealed value does not open under its subject's key: it was altered or moved.
    #[error("a sealed value at {path} does not open under its key")]
    Tampered {
        /// JSON pointer of the value within the event.
        path: String,
    },
}

/// Opens sealed values with the keys of their subjects.
#[async_trait]
pub trait Unsealer: Send + Sync {
    /// The keys of these people, those that still exist.
    async fn keys(&self, subjects: &[SubjectId]) -> Result<Box<dyn KeyRing>, UnsealError>;
}

/// Keys in memory.
pub trait KeyRing: Send + Sync {
    /// The JSON in clear; `None` when the subject's key was destroyed.
    ///
    /// # Errors
    /// When the value was altered or moved.
    fn open(&self, seal: &SealContext<'_>, sealed: &str) -> Result<Option<Value>, UnsealError>;
}

/// What a seal is bound to: moving a sealed value anywhere else makes it unreadable.
#[derive(Clone, Copy, Debug)]
pub struct SealContext<'a> {
    /// Whose key seals it.
    pub subject: SubjectId,
    /// The event's stream.
    pub stream: &'a StreamId,
    /// The event.
    pub event_id: EventId,
    /// JSON pointer of the value within the event's payload.
    pub path: &'a str,
}

/// Keyed hashes by which contacts are found. Whoever has the hashes but not the pepper cannot find
/// out a number by trying all of them.
pub trait BlindIndex: Send + Sync {
    /// The hash of a whole contact in normal form.
    fn contact(&self, kind: ContactKind, value: &str) -> String;

    /// The hash of the last digits of a phone number; the count of digits is part of it.
    fn suffix(&self, digits: &str) -> String;
}

/// Why an event could not be read in clear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClearError {
    /// Its shape is wrong, or a newer program wrote it.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its personal data could not be opened.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
}

impl RecordedEvent {
    /// The event with its personal fields as stored, sealed.
    ///
    /// # Errors
    /// When its shape is wrong, or a newer program wrote it.
    pub fn decode(&self) -> Result<Event, DecodeError> {
        Event::decode(&self.stream, &self.event_type, &self.event_version, &self.payload)
    }

    /// The payload JSON with personal fields in clear, or redacted where the key is gone.
    ///
    /// # Errors
    /// When a sealed value was altered, or the payload is no JSON.
    pub fn clear_payload(&self, keys: &dyn KeyRing) -> Result<Value, ClearError> {
        let malformed = || DecodeError::Malformed {
            name: self.event_type.to_string(),
            version: self.event_version.to_string(),
            reason: "not JSON".to_owned(),
        };
        let mut payload: Value = serde_json::from_str(&self.payload).map_err(|_| malformed())?;
        replace_personal(&mut payload, &mut |path, value| {
            let PersonalValue::Sealed(sealed) = value else { return Ok(None) };
            let Some(subject) = self.metadata.subject else { return Ok(Some(Replacement::Redacted)) };
            let seal = SealContext { subject, stream: &self.stream, event_id: self.metadata.event_id, path };
            let opened = keys.open(&seal, sealed)?;
            Ok::<_, UnsealError>(Some(opened.map_or(Replacement::Redacted, Replacement::Clear)))
        })?;
        Ok(payload)
    }

    /// The event with personal fields in clear, or redacted where the key is gone.
    ///
    /// # Errors
    /// When its shape is wrong, a newer program wrote it, or a sealed value was altered.
    pub fn decode_clear(&self, keys: &dyn KeyRing) -> Result<Event, ClearError> {
        let payload = self.clear_payload(keys)?.to_string();
        Ok(Event::decode(&self.stream, &self.event_type, &self.event_version, &payload)?)
    }
}
