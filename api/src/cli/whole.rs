//! Whether lines that somebody reads end with the line that says so.

use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// Enough for the last line of a whole replay, which is short.
const TAIL: usize = 256;

/// Keeps the last bytes that were read.
pub(super) struct Watched<R> {
    reader: R,
    tail: Tail,
}

/// The last bytes that were read.
#[derive(Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Vec<u8>>>);

impl<R> Watched<R> {
    /// Reads on, and what is told of the end.
    pub fn new(reader: R) -> (Self, Tail) {
        let tail = Tail::default();
        (Self { reader, tail: tail.clone() }, tail)
    }
}

impl Tail {
    fn add(&self, bytes: &[u8]) {
        let mut tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL)..]);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }

    /// Whether the last line says that everything is there.
    pub fn is_whole(&self) -> bool {
        let tail = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = tail.strip_suffix(b"\n").unwrap_or(&tail);
        let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = serde_json::from_slice::<serde_json::Value>(last);
        line.is_ok_and(|line| line["end"]["position"].is_u64())
    }
}

impl<R: BufRead> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.tail.add(&buffer[..count]);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Watched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // What is there already is not read again.
        if let Ok(bytes) = self.reader.fill_buf() {
            self.tail.add(&bytes[..count.min(bytes.len())]);
        }
        self.reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_however_it_is_read() {
        for (text, whole) in [
            ("{\"position\":1}\n{\"end\":{\"position\":1}}\n", true),
            ("{\"end\":{\"position\":0}}", true),
            ("{\"end\":{\"position\":1}}\n{\"position\":2}\n", false),
            ("{\"end\":{\"posit", false),
            ("", false),
        ] {
            let long = format!("{}\n{text}", "x".repeat(3 * TAIL));
            for (text, size) in [(text, 1), (text, 4_096), (&long, 7), (&long, 4_096)] {
                let (watched, tail) = Watched::new(io::BufReader::with_capacity(size, text.as_bytes()));
                assert_eq!(watched.lines().map(Result::unwrap).count(), text.lines().count());
                assert_eq!(tail.is_whole(), whole, "{text} by {size}");
            }
        }
    }
}
