//! The file of rejected rows.
//!
//! Written in the encoding, with the separator and the quote of the original. Each entry is the
//! line, the column, the code, the reason and the number of bytes of the original row, and then that
//! many bytes: the row as it was, with its line end. A line end is added where the original had none.
//! The first line names these five columns, followed by the original header. So a program gets the
//! original back byte for byte, a person reads the file like the original, and a corrected file can
//! be imported with the same map, if that goes by names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::detect::Layout;
use super::scan::Encoding;

const COLUMNS: [&str; 5] =
    ["rejected_line", "rejected_column", "rejected_code", "rejected_reason", "rejected_bytes"];

/// A rejected row as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    pub code: String,
    /// The column by its name or number.
    pub column: Option<String>,
    pub reason: String,
}

/// The file of rejected rows while it is written, under another name until it is whole.
pub(super) struct RejectedFile {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    encoding: Encoding,
    separator: u8,
    quote: Option<u8>,
    any: bool,
}

impl RejectedFile {
    /// Begins the file that belongs to `original`. One of an earlier run goes away, so that what is
    /// there after a run is of that run.
    pub fn create(original: &Path, layout: &Layout) -> io::Result<Self> {
        let named = |suffix: &str| {
            let mut name = original.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let (path, partial) = (named(".rejected.csv"), named(".rejected.csv.partial"));
        remove(&path)?;
        remove(&partial)?;
        let out = BufWriter::new(create_private(&partial)?);
        let super::scan::Dialect { encoding, separator, quote } = layout.dialect;
        let mut file = Self { path, partial, out, encoding, separator, quote, any: false };
        file.begin(layout)?;
        Ok(file)
    }

    fn begin(&mut self, layout: &Layout) -> io::Result<()> {
        if layout.bom {
            self.out.write_all(b"\xef\xbb\xbf")?;
        }
        self.out.write_all(COLUMNS.join(&char::from(self.separator).to_string()).as_bytes())?;
        if layout.header.is_some() {
            self.out.write_all(&[self.separator])?;
        }
        self.out.write_all(&layout.header_raw)?;
        end_line(&mut self.out, &layout.header_raw)
    }

    /// Adds a row.
    pub fn add(&mut self, line: u64, rejection: &Rejection, raw: &[u8]) -> io::Result<()> {
        self.any = true;
        let column = rejection.column.as_deref().unwrap_or_default();
        let (line, bytes) = (line.to_string(), raw.len().to_string());
        for text in [&line, column, &rejection.code, &rejection.reason, &bytes] {
            let cell = self.cell(text);
            self.out.write_all(&cell)?;
            self.out.write_all(&[self.separator])?;
        }
        self.out.write_all(raw)?;
        end_line(&mut self.out, raw)
    }

    /// Makes the file whole; without rows there is none.
    pub fn finish(mut self) -> io::Result<Option<PathBuf>> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        if !self.any {
            return Ok(None);
        }
        fs::rename(&self.partial, &self.path)?;
        Ok(Some(std::mem::take(&mut self.path)))
    }

    /// A cell on one line; quoted where it must be, or without separators where nothing quotes.
    fn cell(&self, text: &str) -> Vec<u8> {
        let separator = char::from(self.separator);
        let mut text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match self.quote.map(char::from) {
            None => text = text.replace(separator, " "),
            Some(quote) if text.contains([separator, quote]) => {
                let doubled = text.replace(quote, &format!("{quote}{quote}"));
                text = format!("{quote}{doubled}{quote}");
            }
            Some(_) => {}
        }
        match self.encoding {
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Gb18030 => encoding_rs::GB18030.encode(&text).0.into_owned(),
        }
    }
}

impl Drop for RejectedFile {
    /// An import that fails leaves no part of it. One that is killed does, under the other name.
    fn drop(&mut self) {
        if let Err(error) = remove(&self.partial) {
            tracing::warn!(%error, "a part of the file of rejected rows stays");
        }
    }
}

fn end_line(out: &mut impl Write, raw: &[u8]) -> io::Result<()> {
    if raw.ends_with(b"\n") || raw.ends_with(b"\r") { Ok(()) } else { out.write_all(b"\n") }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// It holds people's data, so it is its owner's alone.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
