//! The forms in which events go out: lines of JSON, an Arrow stream, a Parquet file.
//!
//! Guarantees: each form says by itself whether it is whole. Lines end with a line that says so; an
//! Arrow stream ends with its end-of-stream marker and a Parquet file with its footer, and neither is
//! written before everything asked for is. Rows are the same in each form, with the same redaction.
//!
//! Deliberately absent: row groups that follow the business, and partitioned files; these are for
//! whoever keeps the files.

mod arrow;
mod columns;
mod parquet;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;

use arrow_array::RecordBatch;
use axum::body::Bytes;
use domain::Position;

pub(super) use columns::Columns;

/// Version of the columns: their names, types and meaning. Columns may be added without a new one.
const VERSION: &str = "1";
/// Keys of the metadata that columnar forms carry.
const KEY_VERSION: &str = "cluestream.version";
const KEY_AFTER: &str = "cluestream.after";
const KEY_UNTIL: &str = "cluestream.until";
const KEY_LIMIT: &str = "cluestream.limit";
const KEY_POSITION: &str = "cluestream.position";
const KEY_ROWS: &str = "cluestream.rows";

/// A form in which events go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// Every form, the one that is taken without a wish first.
    pub const ALL: [Self; 3] = [Self::Ndjson, Self::Arrow, Self::Parquet];

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Its word in a query string.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// The form that an `Accept` header likes best; the first of equals, `None` when it names none.
    pub fn accepted<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for wish in values.flat_map(|value| value.split(',')) {
            let mut parts = wish.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let Some(format) = Self::ALL.into_iter().find(|format| format.media_type() == name) else {
                continue;
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok()).unwrap_or(1.0);
            if quality > 0.0 && best.is_none_or(|(other, _)| quality > other) {
                best = Some((quality, format));
            }
        }
        best.map(|(_, format)| format)
    }
}

/// Which stretch of the log a columnar form has, for its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// It begins behind this position.
    pub after: Position,
    /// Where the log ended; `None` for a stream that follows it.
    pub until: Option<Position>,
    /// How many events at most.
    pub limit: Option<NonZeroU64>,
}

impl Stretch {
    fn metadata(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![(KEY_VERSION, VERSION.to_owned()), (KEY_AFTER, self.after.to_string())];
        pairs.extend(self.until.map(|until| (KEY_UNTIL, until.to_string())));
        pairs.extend(self.limit.map(|limit| (KEY_LIMIT, limit.to_string())));
        pairs
    }
}

/// Rows on their way out.
pub(super) enum Piece {
    /// Lines, as they go out.
    Lines(Bytes),
    /// Columns.
    Batch(RecordBatch),
}

/// Events could not be written in a columnar form.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// As Arrow.
    #[error("events cannot be written as Arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// As Parquet.
    #[error("events cannot be written as Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

/// Writes rows in order.
pub(super) enum Writer {
    /// Lines need nothing around them; what else a reply says is the replay's.
    Ndjson,
    /// See [`arrow::Stream`].
    Arrow(Box<arrow::Stream>),
    /// See [`parquet::File`].
    Parquet(Box<parquet::File>),
}

impl Writer {
    /// Begins a stretch.
    pub fn new(format: Format, stretch: &Stretch) -> Result<Self, FormatError> {
        Ok(match format {
            Format::Ndjson => Self::Ndjson,
            Format::Arrow => Self::Arrow(Box::new(arrow::Stream::new(stretch)?)),
            Format::Parquet => Self::Parquet(Box::new(parquet::File::new(stretch)?)),
        })
    }

    /// Writes rows; what of that goes out now.
    pub fn write(&mut self, piece: Piece) -> Result<Bytes, FormatError> {
        match (self, piece) {
            (Self::Arrow(stream), Piece::Batch(batch)) => stream.write(&batch),
            (Self::Parquet(file), Piece::Batch(batch)) => file.write(&batch),
            (_, Piece::Lines(lines)) => Ok(lines),
            (Self::Ndjson, Piece::Batch(_)) => Ok(Bytes::new()),
        }
    }

    /// A sign of life without rows, when the form has one.
    pub fn beat(&mut self) -> Result<Bytes, FormatError> {
        match self {
            Self::Arrow(stream) => stream.beat(),
            Self::Ndjson | Self::Parquet(_) => Ok(Bytes::new()),
        }
    }

    /// Ends what is whole up to `position`.
    pub fn finish(self, position: Position) -> Result<Bytes, FormatError> {
        match self {
            Self::Ndjson => Ok(Bytes::new()),
            Self::Arrow(stream) => stream.finish(),
            Self::Parquet(file) => file.finish(position),
        }
    }
}
