//! Splits delimited bytes into rows, without decoding them.
//!
//! Invariants: the raw bytes of all rows and blank lines, put together, are the input; memory is
//! bounded by [`MAX_ROW`] and one read, whatever the input; a row that is broken costs no other row.
//!
//! No library splits for us: `csv-core` takes `|` for a separator inside a GB18030 character, reads
//! over misplaced quotes, and lets one missing quote swallow the rest of the file.

use std::io::{self, Read};
use std::ops::Range;

use super::record::Fault;

/// Longest row, in bytes. Longer ones are rejected.
pub(super) const MAX_ROW: usize = 1 << 20;
/// Bytes of one read.
const CHUNK: usize = 64 << 10;

/// How the file writes characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// GB18030, which GBK and GB2312 are parts of.
    Gb18030,
}

/// How the file is split into rows and cells. CR, LF and CRLF end a row, in any mixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// How characters are written.
    pub encoding: Encoding,
    /// The byte between cells.
    pub separator: u8,
    /// The byte around cells that contain separators or line ends.
    pub quote: Option<u8>,
}

/// Where a cell is in its row's bytes, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub range: Range<usize>,
    pub quoted: bool,
    /// Whether it has doubled quotes.
    pub escaped: bool,
}

/// A row as it is in the file.
#[derive(Debug)]
pub(super) struct RawRow {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// Its bytes, with its line end.
    pub raw: Vec<u8>,
    /// The file's bytes up to its end.
    pub end: u64,
    pub cells: Result<Vec<Cell>, Fault>,
    /// Whether the row before this one goes on here: see [`Rows::too_long`].
    pub continued: bool,
}

/// Rows of an input, one after the other.
pub(super) struct Rows<R> {
    input: R,
    dialect: Dialect,
    columns: Option<usize>,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    line: u64,
    offset: u64,
    continued: bool,
}

impl<R: Read> Rows<R> {
    /// Rows of an input whose first byte is byte `offset` of the file, on line `line`. With a number
    /// of `columns`, rows of another number are broken.
    pub fn new(input: R, dialect: Dialect, columns: Option<usize>, (offset, line): (u64, u64)) -> Self {
        Self {
            input,
            dialect,
            columns,
            buffer: Vec::new(),
            start: 0,
            ended: false,
            line,
            offset,
            continued: false,
        }
    }

    /// The next row; blank lines are none.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn next(&mut self) -> io::Result<Option<RawRow>> {
        loop {
            let mut scan = Scan::new(self.continued);
            let found = loop {
                let bytes = &self.buffer[self.start..];
                if bytes.is_empty() && self.ended {
                    return Ok(None);
                }
                if let Some(found) = scan.advance(bytes, self.ended, self.dialect) {
                    break self.checked(found, &scan);
                }
                if bytes.len() > MAX_ROW {
                    break self.too_long(&scan);
                }
                self.fill()?;
            };
            let row = self.take(found);
            if !is_blank(&row) {
                return Ok(Some(row));
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.reserve(CHUNK);
        let read = self.input.by_ref().take(CHUNK as u64).read_to_end(&mut self.buffer)?;
        self.ended = read == 0;
        Ok(())
    }

    fn take(&mut self, found: Found) -> RawRow {
        let end = self.start + found.length;
        let raw = self.buffer[self.start..end].to_vec();
        self.start = end;
        self.offset += u64::try_from(found.length).unwrap_or(0);
        let line = self.line;
        self.line += found.lines;
        let continued = std::mem::replace(&mut self.continued, found.lines == 0);
        RawRow { line, raw, end: self.offset, cells: found.cells, continued }
    }

    /// A row of several lines with a wrong number of cells most likely misses a quote and swallowed
    /// its successors: only its first line is rejected then.
    fn checked(&self, mut found: Found, scan: &Scan) -> Found {
        let (Some(expected), Ok(cells)) = (self.columns, &found.cells) else { return found };
        let surplus_is_empty =
            cells.len() > expected && cells[expected..].iter().all(|cell| cell.range.is_empty());
        if cells.len() == expected || surplus_is_empty || is_blank_row(cells, &found) {
            return found;
        }
        found.cells = Err(Fault::column_count(cells.len(), expected));
        if let Some(length) = scan.first_end {
            found.length = length;
            found.lines = 1;
        }
        found
    }

    /// A row that is too long ends with its first line. If even that is too long, it comes in
    /// pieces, all on one line.
    fn too_long(&self, scan: &Scan) -> Found {
        let cells = Err(Fault::too_long());
        match scan.first_end {
            Some(length) => Found { length, lines: 1, cells },
            None => Found { length: scan.at, lines: 0, cells },
        }
    }
}

fn is_blank(row: &RawRow) -> bool {
    row.cells.is_ok() && !row.continued && matches!(row.raw.as_slice(), b"\n" | b"\r" | b"\r\n")
}

/// A lone empty cell that nothing quotes.
fn is_blank_row(cells: &[Cell], found: &Found) -> bool {
    found.length <= 2 && matches!(cells, [cell] if cell.range.is_empty() && !cell.quoted)
}

struct Found {
    length: usize,
    lines: u64,
    cells: Result<Vec<Cell>, Fault>,
}

enum Place {
    /// At the first byte of a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that ends a cell, or is the first of two.
    Closed,
    /// Looking for the end of the line.
    Broken(Fault),
}

/// Progress within one row; positions count from the row's first byte.
struct Scan {
    at: usize,
    place: Place,
    cell: usize,
    escaped: bool,
    cells: Vec<Cell>,
    /// Line ends between quotes.
    inner_lines: u64,
    /// Behind the first line end, if that is between quotes.
    first_end: Option<usize>,
}

impl Scan {
    const fn new(continued: bool) -> Self {
        Self {
            at: 0,
            place: if continued { Place::Broken(Fault::too_long()) } else { Place::Start },
            cell: 0,
            escaped: false,
            cells: Vec::new(),
            inner_lines: 0,
            first_end: None,
        }
    }

    /// Goes on until the row ends; `None` when it needs more bytes.
    fn advance(&mut self, bytes: &[u8], ended: bool, dialect: Dialect) -> Option<Found> {
        while let Some(&byte) = bytes.get(self.at) {
            let line_end = line_end(bytes, self.at, ended)?;
            let is_quote = Some(byte) == dialect.quote;
            match (&self.place, line_end) {
                (Place::Quoted, _) if is_quote => {
                    self.place = Place::Closed;
                    self.at += 1;
                }
                (Place::Quoted, None) => self.at += 1,
                (Place::Quoted, Some(width)) => {
                    self.at += width;
                    self.inner_lines += 1;
                    self.first_end.get_or_insert(self.at);
                }
                (Place::Closed, _) if is_quote => {
                    self.place = Place::Quoted;
                    self.escaped = true;
                    self.at += 1;
                }
                (Place::Broken(_), None) => self.at += 1,
                (_, Some(width)) => return Some(self.end_row(self.at + width)),
                (_, None) if byte == dialect.separator => {
                    self.end_cell();
                    self.at += 1;
                    self.cell = self.at;
                    self.place = Place::Start;
                }
                (Place::Closed, None) => {
                    if let Some(found) = self.break_off(Fault::quote_misplaced(self.cells.len())) {
                        return Some(found);
                    }
                }
                (Place::Start, None) if is_quote => {
                    self.at += 1;
                    self.cell = self.at;
                    self.place = Place::Quoted;
                }
                (Place::Start | Place::Plain, None) => {
                    self.place = Place::Plain;
                    self.at += match dialect.encoding {
                        Encoding::Utf8 => 1,
                        Encoding::Gb18030 => gb18030_width(bytes, self.at, ended)?,
                    };
                }
            }
        }
        if !ended {
            return None;
        }
        if matches!(self.place, Place::Quoted)
            && let Some(found) = self.break_off(Fault::quote_unterminated(self.cells.len()))
        {
            return Some(found);
        }
        Some(self.end_row(bytes.len()))
    }

    /// Gives the row up: it ends with its first line, which may have been read already.
    fn break_off(&mut self, fault: Fault) -> Option<Found> {
        if let Some(length) = self.first_end {
            return Some(Found { length, lines: 1, cells: Err(fault) });
        }
        self.place = Place::Broken(fault);
        None
    }

    fn end_cell(&mut self) {
        let quoted = matches!(self.place, Place::Closed);
        let end = if quoted { self.at - 1 } else { self.at };
        let escaped = std::mem::take(&mut self.escaped);
        self.cells.push(Cell { range: self.cell..end, quoted, escaped });
    }

    fn end_row(&mut self, length: usize) -> Found {
        if let Place::Broken(fault) = &self.place {
            return Found { length, lines: 1, cells: Err(fault.clone()) };
        }
        self.end_cell();
        Found { length, lines: self.inner_lines + 1, cells: Ok(std::mem::take(&mut self.cells)) }
    }
}

/// Bytes of the line end at `at`, if one is there; the outer `None` needs another byte to know.
fn line_end(bytes: &[u8], at: usize, ended: bool) -> Option<Option<usize>> {
    match (bytes[at], bytes.get(at + 1)) {
        (b'\n', _) => Some(Some(1)),
        (b'\r', Some(b'\n')) => Some(Some(2)),
        (b'\r', None) if !ended => None,
        (b'\r', _) => Some(Some(1)),
        _ => Some(None),
    }
}

/// Bytes to step over: the second byte of a two-byte character can be `|`. Line ends, quotes and
/// the other separators are never part of one.
fn gb18030_width(bytes: &[u8], at: usize, ended: bool) -> Option<usize> {
    match (bytes[at], bytes.get(at + 1)) {
        (0x81..=0xfe, Some(0x30..=0x39 | 0x40..=0x7e | 0x80..=0xfe)) => Some(2),
        (0x81..=0xfe, None) if !ended => None,
        _ => Some(1),
    }
}
