//! A Parquet file, sent row group by row group: what is in memory is one row group in its compressed
//! form, and of the groups before only what the footer says of them.

use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use axum::body::Bytes;
use domain::Position;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::columns::{SCHEMA, numbers, words};
use super::{FormatError, KEY_POSITION, KEY_ROWS, Stretch};

/// A row group ends with so many rows, or earlier with so many bytes.
const GROUP_ROWS: usize = 128 * 1024;
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// A file that is being written.
pub(in super::super) struct File {
    writer: ArrowWriter<Vec<u8>>,
    rows: usize,
}

static PROPERTIES: LazyLock<WriterProperties> = LazyLock::new(|| {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("cluestream".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        // Ids repeat too seldom for a dictionary to pay.
        .set_dictionary_enabled(false)
        // Minimum and maximum of a group is what readers skip groups by.
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for name in words() {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(name), true);
    }
    for name in numbers() {
        properties = properties.set_column_encoding(ColumnPath::from(name), Encoding::DELTA_BINARY_PACKED);
    }
    // Ranges of JSON texts are of no use to anybody.
    properties.set_column_statistics_enabled(ColumnPath::from("data"), EnabledStatistics::None).build()
});

impl File {
    /// A file whose metadata say which stretch it has.
    pub fn new(stretch: &Stretch) -> Result<Self, FormatError> {
        let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&SCHEMA), Some(PROPERTIES.clone()))?;
        for (key, value) in stretch.metadata() {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        Ok(Self { writer, rows: 0 })
    }

    /// Takes rows in; the bytes of the groups that are done.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, FormatError> {
        self.rows += batch.num_rows();
        self.writer.write(batch)?;
        if self.writer.memory_size() >= GROUP_BYTES {
            self.writer.flush()?;
        }
        self.drain()
    }

    /// The last group and the footer, without which no reader takes the file.
    pub fn finish(mut self, position: Position) -> Result<Bytes, FormatError> {
        for (key, value) in [(KEY_POSITION, position.to_string()), (KEY_ROWS, self.rows.to_string())] {
            self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        self.writer.finish()?;
        self.drain()
    }

    /// What was written since the last time.
    fn drain(&mut self) -> Result<Bytes, FormatError> {
        // Nothing is written by this: it hands over what the writer buffers.
        self.writer.sync().map_err(parquet::errors::ParquetError::from)?;
        Ok(std::mem::take(self.writer.inner_mut()).into())
    }
}
