//! Line files: a business line as text that people write, in TOML.
//!
//! Guarantees: a file that is read is a description that an empty line accepts; whatever is wrong
//! with a file is said with its line and column; a key that means nothing is an error, for a
//! misspelt rule that is silently ignored is no rule.
//!
//! Deliberately absent: applying the description, which is a command like any other. When that
//! refuses, [`LineFile::locate`] says which part of the file it refused.

mod places;
mod read;
mod reader;
#[cfg(test)]
mod tests;

use domain::Aggregate;
use domain::business_line::{BusinessLine, BusinessLineCommand, BusinessLineError, LineSpec};

use places::Places;

/// Where in a file, counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte.
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[begin..].chars().count() + 1 }
    }

    fn error(self, message: impl Into<String>) -> LineFileError {
        LineFileError { line: self.line, column: self.column, message: message.into() }
    }
}

/// What is wrong with a line file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct LineFileError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct LineFile {
    /// What it says.
    pub spec: LineSpec,
    places: Places,
}

impl LineFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(text: &str) -> Result<Self, LineFileError> {
        let file = read::read(text)?;
        let command = BusinessLineCommand::Apply(Box::new(file.spec.clone()));
        match BusinessLine::default().decide(command) {
            Ok(_) => Ok(file),
            Err(refusal) => {
                Err(file.locate(&refusal).unwrap_or_else(|| Place::START.error(refusal.to_string())))
            }
        }
    }

    /// The part of the file that a line refused; nothing when the refusal is of no part of it.
    #[must_use]
    pub fn locate(&self, refusal: &BusinessLineError) -> Option<LineFileError> {
        self.places.of(refusal, &self.spec).map(|place| place.error(refusal.to_string()))
    }
}

/// Reads a file that nobody needs to point into afterwards.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<LineSpec, LineFileError> {
    LineFile::parse(text).map(|file| file.spec)
}
