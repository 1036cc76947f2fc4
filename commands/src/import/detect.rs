//! Finds out how a file is written: encoding, separator, quote, header.
//!
//! The encoding is looked for in the whole file, because one that is wrong cannot be taken back once
//! names are in the log. The rest is a guess from the first rows; whatever the map states is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};

use super::error::ImportError;
use super::map::{Column, Format};
use super::record::Record;
use super::scan::{Dialect, Encoding, Rows};

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Bytes from which separator, quote and header are guessed.
const SAMPLE: usize = 256 << 10;
/// Bytes of one read.
const CHUNK: usize = 64 << 10;

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How it is split.
    pub dialect: Dialect,
    /// Whether it begins with a byte order mark.
    pub bom: bool,
    /// The names of its columns, when its first row has them.
    pub header: Option<Vec<String>>,
    /// How many columns a row has.
    pub columns: usize,
    /// How many bytes it has.
    pub bytes: u64,
    /// The header as it is in the file.
    pub(super) header_raw: Vec<u8>,
    /// Where the first row behind the header begins: byte and line.
    pub(super) data: (u64, u64),
}

/// Looks at a file.
pub(super) fn detect(file: &mut File, format: &Format, columns: &[&Column]) -> Result<Layout, ImportError> {
    let bytes = file.metadata().map_err(ImportError::Read)?.len();
    let mut sample = Vec::new();
    file.by_ref().take(SAMPLE as u64).read_to_end(&mut sample).map_err(ImportError::Read)?;
    if sample.starts_with(b"\xff\xfe") || sample.starts_with(b"\xfe\xff") {
        return Err(ImportError::EncodingUnknown { looks_like: "UTF-16".to_owned() });
    }
    let bom = sample.starts_with(BOM);
    let encoding = match format.encoding {
        Some(encoding) => encoding,
        None if bom => Encoding::Utf8,
        None => encoding_of(file)?,
    };
    let skipped = if bom { BOM.len() } else { 0 };
    let whole = bytes <= SAMPLE as u64;
    let sample = Sample { bytes: &sample[skipped..], whole, encoding };
    let guess = sample.best(format, columns).ok_or(ImportError::Empty)?;
    let has_header = format.header.unwrap_or_else(|| guess.has_header(columns));
    let first = guess.rows.into_iter().next().ok_or(ImportError::Empty)?;
    let mut layout = Layout {
        dialect: guess.dialect,
        bom,
        header: None,
        columns: guess.columns,
        bytes,
        header_raw: Vec::new(),
        data: (skipped as u64, 1),
    };
    if has_header {
        let names = first.cells.map_err(|fault| ImportError::Header { reason: fault.reason.into_owned() })?;
        let lines = line_ends(&first.raw);
        layout.columns = names.len();
        layout.header = Some(names.iter().map(|name| name.trim().to_owned()).collect());
        layout.header_raw = first.raw;
        layout.data = (skipped as u64 + first.end, first.line + lines);
    }
    Ok(layout)
}

/// CR, LF and CRLF in a row, the last one included.
fn line_ends(raw: &[u8]) -> u64 {
    let ends = raw.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => raw.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}

struct Sample<'a> {
    bytes: &'a [u8],
    whole: bool,
    encoding: Encoding,
}

/// The sample as one dialect reads it.
struct Guess {
    dialect: Dialect,
    rows: Vec<Record>,
    /// How many columns most rows have.
    columns: usize,
    /// How many cells are quoted.
    quoted: usize,
    /// Whether every mapped column is there; how many separators stand in rows of that many columns.
    score: (bool, usize),
}

impl Sample<'_> {
    fn best(&self, format: &Format, columns: &[&Column]) -> Option<Guess> {
        let separators = format.separator.map_or_else(|| vec![b',', b'\t', b';', b'|'], |one| vec![one]);
        let quotes = format.quote.map_or_else(|| vec![Some(b'"'), Some(b'\'')], |one| vec![one]);
        let mut best: Option<Guess> = None;
        for &separator in &separators {
            let read = |quote: &Option<u8>| {
                self.read(Dialect { encoding: self.encoding, separator, quote: *quote }, columns)
            };
            // The quote is the one that more cells have; of equals the first.
            let guesses = quotes.iter().filter_map(read);
            let Some(guess) =
                guesses.reduce(|best, other| if other.quoted > best.quoted { other } else { best })
            else {
                continue;
            };
            if best.as_ref().is_none_or(|best| guess.score > best.score) {
                best = Some(guess);
            }
        }
        best
    }

    fn read(&self, dialect: Dialect, wanted: &[&Column]) -> Option<Guess> {
        let mut rows = Rows::new(self.bytes, dialect, None, (0, 1));
        let (mut records, mut quoted) = (Vec::new(), 0);
        // Reading from memory does not fail.
        while let Ok(Some(row)) = rows.next() {
            let cells = row.cells.as_ref().map_or(&[][..], Vec::as_slice);
            quoted += cells.iter().filter(|cell| cell.quoted).count();
            records.push(Record::decode(row, dialect));
        }
        if !self.whole && records.len() > 1 {
            records.pop();
        }
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for cells in records.iter().filter_map(|record| record.cells.as_ref().ok()) {
            *counts.entry(cells.len()).or_default() += 1;
        }
        let (columns, share) = counts.into_iter().max_by_key(|(columns, share)| (*share, *columns))?;
        let first = records.first().and_then(|record| record.cells.as_ref().ok());
        let there = |column: &&Column| match column {
            Column::Number(number) => number.get() <= columns,
            Column::Name(name) => first.is_some_and(|cells| cells.iter().any(|cell| cell.trim() == name)),
        };
        let score = (wanted.iter().all(there), share * (columns - 1));
        Some(Guess { dialect, rows: records, columns, quoted, score })
    }
}

impl Guess {
    /// Names are in a header. Where the map goes by numbers alone, the first row is a header if it
    /// has no figures, and a column below it mostly has.
    fn has_header(&self, wanted: &[&Column]) -> bool {
        if wanted.iter().any(|column| matches!(column, Column::Name(_))) {
            return true;
        }
        let mut rows = self.rows.iter().filter_map(|record| record.cells.as_ref().ok());
        let Some(first) = rows.next() else { return false };
        let distinct: BTreeSet<&str> = first.iter().map(|cell| cell.trim()).collect();
        if distinct.len() < first.len() || first.iter().any(|cell| cell.trim().is_empty() || figures(cell)) {
            return false;
        }
        let rest: Vec<&Vec<String>> = rows.collect();
        let mostly_figures = |index: usize| {
            let cells = rest.iter().filter_map(|cells| cells.get(index)).filter(|cell| !cell.is_empty());
            let (figures, all) =
                cells.fold((0, 0), |(f, all), cell| (f + usize::from(figures(cell)), all + 1));
            figures * 2 > all
        };
        rest.is_empty() || (0..first.len()).any(mostly_figures)
    }
}

/// Whether a cell looks like data: two digits or more, or a number.
fn figures(cell: &str) -> bool {
    let digits = cell.chars().filter(char::is_ascii_digit).count();
    digits >= 2 || (digits == 1 && cell.trim().len() == 1)
}

/// UTF-8 or GB18030, from the whole file. A few broken rows do not change the answer.
fn encoding_of(file: &mut File) -> Result<Encoding, ImportError> {
    let mut utf8 = Utf8Count::default();
    read_all(file, |bytes| utf8.count(bytes))?;
    if utf8.broken <= utf8.whole || utf8.broken == 0 {
        return Ok(Encoding::Utf8);
    }
    let mut gb18030 = Gb18030Count::new();
    read_all(file, |bytes| gb18030.count(bytes))?;
    gb18030.answer()
}

fn read_all(file: &mut File, mut each: impl FnMut(&[u8])) -> Result<(), ImportError> {
    let mut buffer = vec![0; CHUNK];
    file.seek(SeekFrom::Start(0)).map_err(ImportError::Read)?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ImportError::Read(error)),
        }
    }
}

/// Characters of several bytes, whole ones and broken ones.
#[derive(Default)]
struct Utf8Count {
    whole: u64,
    broken: u64,
    carry: Vec<u8>,
}

impl Utf8Count {
    fn count(&mut self, bytes: &[u8]) {
        let mut joined = std::mem::take(&mut self.carry);
        joined.extend_from_slice(bytes);
        let mut rest = joined.as_slice();
        loop {
            let (valid, error) = match std::str::from_utf8(rest) {
                Ok(text) => (text.as_bytes(), None),
                Err(error) => (&rest[..error.valid_up_to()], Some(error)),
            };
            self.whole += valid.iter().filter(|byte| **byte >= 0xc0).count() as u64;
            let Some(error) = error else { return };
            let Some(length) = error.error_len() else {
                self.carry = rest[error.valid_up_to()..].to_vec();
                return;
            };
            self.broken += 1;
            rest = &rest[error.valid_up_to() + length..];
        }
    }
}

/// Lines with characters beyond ASCII: those that GB18030 can read, and those that it cannot. What
/// it can read goes to the detector, which gives an encoding up at the first broken byte.
struct Gb18030Count {
    detector: EncodingDetector,
    readable: u64,
    broken: u64,
    line: Vec<u8>,
}

impl Gb18030Count {
    fn new() -> Self {
        let detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        Self { detector, readable: 0, broken: 0, line: Vec::new() }
    }

    fn count(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || piece.ends_with(b"\r") || self.line.len() > CHUNK {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_ascii() {
            return;
        }
        if encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(&line).is_some() {
            self.readable += 1;
            self.detector.feed(&line, false);
        } else {
            self.broken += 1;
        }
    }

    fn answer(mut self) -> Result<Encoding, ImportError> {
        self.end_line();
        // Most of Big5, Japanese and Korean is readable as GB18030 too: the detector tells them apart.
        // A few names are too little for it; then Chinese wins over the alphabets.
        let mut guess = self.detector.guess(None, Utf8Detection::Deny);
        if guess.is_single_byte() {
            guess = self.detector.guess(Some(b"cn"), Utf8Detection::Deny);
        }
        let is_chinese = guess == encoding_rs::GBK || guess == encoding_rs::GB18030;
        if is_chinese && self.broken <= self.readable {
            return Ok(Encoding::Gb18030);
        }
        let looks_like = if is_chinese { "neither UTF-8 nor GB18030" } else { guess.name() };
        Err(ImportError::EncodingUnknown { looks_like: looks_like.to_owned() })
    }
}
