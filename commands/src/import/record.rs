//! A row of the file as text, or what is wrong with it.

use std::borrow::Cow;

use super::scan::{Cell, Dialect, Encoding, RawRow};

/// What is wrong with a row. Reasons never repeat what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: &'static str,
    /// The column that is to blame, from 0.
    pub column: Option<usize>,
    pub reason: Cow<'static, str>,
}

impl Fault {
    pub const fn new(code: &'static str, column: Option<usize>, reason: &'static str) -> Self {
        Self { code, column, reason: Cow::Borrowed(reason) }
    }

    pub const fn too_long() -> Self {
        Self::new("row_too_long", None, "the row is longer than 1 MiB")
    }

    pub const fn quote_misplaced(column: usize) -> Self {
        Self::new("quote_misplaced", Some(column), "text follows the quote that ends the cell")
    }

    pub const fn quote_unterminated(column: usize) -> Self {
        Self::new("quote_unterminated", Some(column), "a quote opens and none closes the cell")
    }

    pub fn column_count(found: usize, expected: usize) -> Self {
        let reason = Cow::Owned(format!("the row has {found} columns, not {expected}"));
        Self { code: "column_count", column: None, reason }
    }
}

/// A row of the file.
#[derive(Debug)]
pub(super) struct Record {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// Its bytes as they are in the file, with its line end.
    pub raw: Vec<u8>,
    /// The file's bytes up to its end.
    pub end: u64,
    pub cells: Result<Vec<String>, Fault>,
    /// Whether it is a further piece of a row that is too long.
    pub continued: bool,
}

impl Record {
    pub fn decode(row: RawRow, dialect: Dialect) -> Self {
        let RawRow { line, raw, end, cells, continued } = row;
        let text = |(index, cell): (usize, &Cell)| text(&raw, cell, dialect).map_err(|fault| fault(index));
        let cells = cells.and_then(|cells| cells.iter().enumerate().map(text).collect());
        Self { line, raw, end, cells, continued }
    }
}

fn text(raw: &[u8], cell: &Cell, dialect: Dialect) -> Result<String, fn(usize) -> Fault> {
    let mut bytes = Cow::Borrowed(&raw[cell.range.clone()]);
    if cell.escaped
        && let Some(quote) = dialect.quote
    {
        bytes = Cow::Owned(unescape(&bytes, quote));
    }
    if bytes.contains(&0) {
        return Err(|index| Fault::new("nul_byte", Some(index), "the cell has a NUL byte"));
    }
    let text = match dialect.encoding {
        Encoding::Utf8 => std::str::from_utf8(&bytes).ok().map(str::to_owned),
        Encoding::Gb18030 => encoding_rs::GB18030
            .decode_without_bom_handling_and_without_replacement(&bytes)
            .map(Cow::into_owned),
    };
    text.ok_or(|index| Fault::new("encoding_invalid", Some(index), "the cell has bytes that are no text"))
}

/// Doubled quotes become one.
fn unescape(bytes: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut skip = false;
    for &byte in bytes {
        skip = byte == quote && !skip;
        if !skip {
            out.push(byte);
        }
    }
    out
}
