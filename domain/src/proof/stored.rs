//! An event as its row stores it, and the leaf that it is in the tree.

use crate::envelope::{Position, RecordedEvent, Revision, StreamId};
use crate::ports::ReadError;
use crate::values::Instant;

use super::hash::Hash;

/// Version of the encoding below; the first byte of a leaf.
const ENCODING: u8 = 1;

/// An event as its row stores it, every text byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Place in the log.
    pub position: Position,
    /// Kind of aggregate.
    pub aggregate_type: Box<str>,
    /// Which aggregate.
    pub aggregate_id: Box<str>,
    /// Place in the stream.
    pub sequence: Revision,
    /// Type name.
    pub event_type: Box<str>,
    /// Version of the type.
    pub event_version: Box<str>,
    /// When the log took it.
    pub recorded_at: Instant,
    /// Payload JSON.
    pub payload: Box<str>,
    /// The rest of the envelope, as JSON.
    pub metadata: Box<str>,
}

impl StoredEvent {
    /// The leaf of this event in the tree.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        self.leaf_at(self.position)
    }

    /// The leaf that this event would be at another position: by that an event that was moved is
    /// known again.
    #[must_use]
    pub fn leaf_at(&self, position: Position) -> Hash {
        Hash::leaf(|sink| self.encode(position, sink))
    }

    /// The content of the leaf.
    #[must_use]
    pub fn encoding(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + self.payload.len() + self.metadata.len());
        self.encode(self.position, &mut |piece| bytes.extend_from_slice(piece));
        bytes
    }

    /// Version, position, stream, sequence, type, version of the type, time in microseconds, payload,
    /// metadata. Numbers are 64 bits, big-endian; a text has the count of its bytes before it.
    fn encode(&self, position: Position, sink: &mut dyn FnMut(&[u8])) {
        fn number(sink: &mut dyn FnMut(&[u8]), number: i64) {
            sink(&number.to_be_bytes());
        }
        fn text(sink: &mut dyn FnMut(&[u8]), text: &str) {
            sink(&(text.len() as u64).to_be_bytes());
            sink(text.as_bytes());
        }
        sink(&[ENCODING]);
        number(sink, position.get());
        text(sink, &self.aggregate_type);
        text(sink, &self.aggregate_id);
        number(sink, self.sequence.get());
        text(sink, &self.event_type);
        text(sink, &self.event_version);
        number(sink, self.recorded_at.micros());
        text(sink, &self.payload);
        text(sink, &self.metadata);
    }

    /// The event with its envelope read.
    ///
    /// # Errors
    /// When the envelope is not what an envelope is.
    pub fn recorded(&self) -> Result<RecordedEvent, ReadError> {
        let metadata = serde_json::from_str(&self.metadata)
            .map_err(|error| ReadError::Corrupt { position: self.position, reason: error.to_string() })?;
        Ok(RecordedEvent {
            position: self.position,
            stream: StreamId::stored(&self.aggregate_type, &self.aggregate_id),
            revision: self.sequence,
            event_type: self.event_type.clone(),
            event_version: self.event_version.clone(),
            recorded_at: self.recorded_at,
            payload: self.payload.clone(),
            metadata,
        })
    }
}
