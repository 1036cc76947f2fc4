//! An Arrow IPC stream: one record batch a page, words as dictionaries, no compression of its own.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamEncoder;
use axum::body::Bytes;

use super::columns::SCHEMA;
use super::{FormatError, Stretch};

/// A stream that is being written.
pub(in super::super) struct Stream {
    encoder: StreamEncoder,
    /// The last batch without its rows. Its dictionaries are those that the reader has, so that a sign
    /// of life replaces none.
    empty: RecordBatch,
}

impl Stream {
    /// A stream whose schema says which stretch it has.
    pub fn new(stretch: &Stretch) -> Result<Self, FormatError> {
        let mut schema = (**SCHEMA).clone();
        for (key, value) in stretch.metadata() {
            schema.metadata.insert(key, value);
        }
        let encoder = StreamEncoder::try_new(&schema)?;
        Ok(Self { encoder, empty: RecordBatch::new_empty(Arc::clone(&SCHEMA)) })
    }

    /// A batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, FormatError> {
        self.empty = batch.slice(0, 0);
        Ok(join(&self.encoder.encode(batch)?))
    }

    /// A batch without rows.
    pub fn beat(&mut self) -> Result<Bytes, FormatError> {
        Ok(join(&self.encoder.encode(&self.empty)?))
    }

    /// The marker that ends a whole stream.
    pub fn finish(self) -> Result<Bytes, FormatError> {
        Ok(join(&self.encoder.finish()?))
    }
}

fn join<B: AsRef<[u8]>>(buffers: &[B]) -> Bytes {
    let mut bytes = Vec::with_capacity(buffers.iter().map(|buffer| buffer.as_ref().len()).sum());
    for buffer in buffers {
        bytes.extend_from_slice(buffer.as_ref());
    }
    bytes.into()
}
