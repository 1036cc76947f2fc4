//! Why an import ended before its file did.

use std::io;

use domain::values::{FieldKey, LineKey};

use crate::service::CommandError;

/// Why an import ended before its file did. What was taken in until then stays; the same import,
/// started again, goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened or read.
    #[error("the file cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The file of rejected rows cannot be written.
    #[error("the file of rejected rows cannot be written: {0}")]
    Rejected(#[source] io::Error),
    /// The file has no rows.
    #[error("the file is empty")]
    Empty,
    /// The file is neither UTF-8 nor GB18030.
    #[error("the file looks like {looks_like}; convert it to UTF-8, or state format.encoding in the map")]
    EncodingUnknown {
        /// What it seems to be.
        looks_like: String,
    },
    /// The row with the names of the columns is broken.
    #[error("the header cannot be read: {reason}")]
    Header {
        /// What is wrong with it.
        reason: String,
    },
    /// The map names columns that the file lacks.
    #[error("the file has no column {}", .0.join(", "))]
    ColumnsMissing(Vec<String>),
    /// The map names a column that the file has twice.
    #[error("the file has several columns {0}; give its number in the map")]
    ColumnAmbiguous(String),
    /// No such business line.
    #[error("there is no business line {0}")]
    LineUnknown(LineKey),
    /// The business line takes no new clues.
    #[error("business line {0} takes no new clues")]
    LineClosed(LineKey),
    /// The map fills fields that the line lacks.
    #[error("the business line has no field {}", .0.iter().map(FieldKey::as_str).collect::<Vec<_>>().join(", "))]
    FieldsUnknown(Vec<FieldKey>),
    /// The map gives a field an option that the line's field lacks.
    #[error("field {field} of the business line has no option {option}")]
    OptionUnknown {
        /// The field.
        field: FieldKey,
        /// The option as the map has it.
        option: String,
    },
    /// The store did not answer, again and again.
    #[error("the store did not answer {attempts} times: {reason}")]
    Unavailable {
        /// How often it was asked.
        attempts: u32,
        /// What it said last.
        reason: String,
    },
    /// A command failed for a reason that is not its row's.
    #[error("a command failed: {0}")]
    Command(#[source] CommandError),
    /// A fault of the program.
    #[error("internal error: {0}")]
    Internal(String),
}
