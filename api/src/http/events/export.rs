//! The same forms for whoever has the database itself: `cluestream replay`.

use axum::body::Bytes;
use domain::Position;
use domain::envelope::RecordedEvent;
use domain::ports::ReadError;
use domain::proof::StoredEvent;

use super::access::Access;
use super::format::{Format, FormatError, Stretch, Writer};
use super::pages::{Page, Selection};
use super::query::Types;
use super::row::Entry;

/// Why the log cannot be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// An event is not what an event is, or one is missing.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The form does not take it.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A type that nobody knows.
    #[error("{0}")]
    Types(String),
}

/// Writes a stretch of the log as it is stored: what is sealed stays sealed.
pub struct Exporter {
    selection: Selection,
    writer: Writer,
    position: Position,
}

impl Exporter {
    /// For events behind `after` up to `until`, of these types; of all when none is named.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn new<'a>(
        format: Format,
        after: Position,
        until: Position,
        types: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ExportError> {
        let types = Types::parse(types).map_err(|wrong| ExportError::Types(wrong.message))?;
        let selection = Selection { types, access: Access::EVERYTHING, format, raw: false };
        let stretch = Stretch { after, until: Some(until), limit: None };
        Ok(Self { selection, writer: Writer::new(format, &stretch)?, position: after })
    }

    /// The next events as bytes. It takes a while: not for a thread of the runtime.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn write(&mut self, events: &[RecordedEvent]) -> Result<Vec<Bytes>, ExportError> {
        self.write_page(None, events)
    }

    /// The same with the stored texts, byte for byte, of all that the log has up to `until`: lines say where
    /// it has nothing. Only lines hold these.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn write_raw(&mut self, events: &[StoredEvent], until: Position) -> Result<Vec<Bytes>, ExportError> {
        self.write_page(Some(until), events)
    }

    fn write_page<E: Entry>(
        &mut self,
        until: Option<Position>,
        entries: &[E],
    ) -> Result<Vec<Bytes>, ExportError> {
        let mut page = Page::of(self.position, until, entries, &self.selection)?;
        let mut bytes = Vec::new();
        while let Some((piece, _)) = page.take(usize::MAX, u64::MAX) {
            bytes.push(self.writer.write(piece)?);
        }
        self.position = page.through();
        page.fault().map_or(Ok(bytes), |fault| Err(fault.into()))
    }

    /// Everything up to here was written.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// What makes it whole.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn finish(self) -> Result<Bytes, ExportError> {
        Ok(self.writer.finish(self.position)?)
    }
}
