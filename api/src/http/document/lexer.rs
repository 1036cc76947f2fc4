//! Counts the lexical tokens of a document without building anything.

use super::DocumentError;

/// Brackets within brackets. The parser recurses once for each, so this guards its stack.
const MAX_NESTING: usize = 64;

/// Refuses a text with more tokens than the limit, or nested too deep to be parsed safely.
pub(super) fn check(text: &str, limit: usize) -> Result<(), DocumentError> {
    let bytes = text.as_bytes();
    let (mut at, mut tokens, mut nesting) = (0, 0_usize, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xef | 0xbb | 0xbf => {
                at += 1;
                continue;
            }
            b'#' => {
                at = skip(bytes, at, |b| b != b'\n' && b != b'\r');
                continue;
            }
            b'"' => string_end(bytes, at),
            b'{' | b'[' | b'(' => {
                nesting += 1;
                at + 1
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                at + 1
            }
            b'.' if bytes[at..].starts_with(b"...") => at + 3,
            b if b == b'-' || b.is_ascii_digit() => skip(bytes, at, |b| word(b) || b".+-".contains(&b)),
            b if word(b) => skip(bytes, at, word),
            _ => at + 1,
        };
        at = end;
        tokens += 1;
        if tokens > limit {
            return Err(DocumentError::limit("token_limit", "the document has too many tokens", limit));
        }
        if nesting > MAX_NESTING {
            return Err(DocumentError::limit("depth_limit", "the document is nested too deep", MAX_NESTING));
        }
    }
    Ok(())
}

const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn skip(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|byte| !belongs(*byte)).map_or(bytes.len(), |length| from + length)
}

/// Behind the string that begins here; the end of the text when it never closes.
fn string_end(bytes: &[u8], from: usize) -> usize {
    if bytes[from..].starts_with(b"\"\"\"") {
        let mut at = from + 3;
        while at < bytes.len() {
            if bytes[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if bytes[at..].starts_with(b"\"\"\"") {
                return at + 3;
            } else {
                at += 1;
            }
        }
        return bytes.len();
    }
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
