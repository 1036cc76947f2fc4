//! Cursors: where a page ended, signed, so that a client can hand it back and not make one up.
//!
//! Guarantees: a cursor opens only for the list, the version and the order that it was made for.
//! Deliberately absent: secrecy. A cursor holds what its own row showed.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use projections::Cursor;
use sha2::Sha256;

use crate::keys::Keys;

/// Bytes of the signature.
const SIGNATURE: usize = 16;
/// Most cursors have no more bytes.
const USUAL_LENGTH: usize = 128;
/// No cursor of ours is longer.
const MAX_LENGTH: usize = 2_048;

/// What a cursor belongs to, beside the order that it names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListVersion {
    /// Which list.
    pub list: &'static str,
    /// Version of its read model: the rows of another may be in another order.
    pub version: u32,
}

/// A cursor that is not one of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor does not belong to this list in this order; begin again without one")]
pub struct InvalidCursor;

/// Makes and opens cursors.
#[derive(Clone)]
pub struct Cursors(Hmac<Sha256>);

impl Cursors {
    /// Cursors signed with a key of their own.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        // HMAC pads a key with zeros to the length of a block.
        let mut block = Key::<Hmac<Sha256>>::default();
        block[..32].copy_from_slice(keys.derive("cluestream cursor 1").as_slice());
        Self(Hmac::new(&block))
    }

    /// The text of a cursor.
    #[must_use]
    pub fn seal(&self, list: ListVersion, cursor: &Cursor) -> String {
        let mut bytes = Vec::with_capacity(USUAL_LENGTH);
        bytes.resize(SIGNATURE, 0);
        // Writing to memory never fails.
        let _ = write!(bytes, "{cursor}");
        let (signature, body) = bytes.split_at_mut(SIGNATURE);
        signature.copy_from_slice(&self.mac(list, body).finalize().into_bytes()[..SIGNATURE]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor of a text.
    ///
    /// # Errors
    /// When it is not ours, or of another list or version. Whether it is of the right order, the
    /// list itself sees.
    pub fn open(&self, list: ListVersion, text: &str) -> Result<Cursor, InvalidCursor> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (signature, body) = bytes.split_at_checked(SIGNATURE).ok_or(InvalidCursor)?;
        self.mac(list, body).verify_truncated_left(signature).map_err(|_| InvalidCursor)?;
        let body = std::str::from_utf8(body).map_err(|_| InvalidCursor)?;
        body.parse().map_err(|_| InvalidCursor)
    }

    fn mac(&self, list: ListVersion, body: &[u8]) -> Hmac<Sha256> {
        // Each part behind its length, so that no two lists can share a text.
        let mut mac = self.0.clone();
        for part in [list.list.as_bytes(), &list.version.to_be_bytes(), body] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: ListVersion = ListVersion { list: "clues", version: 1 };

    fn cursors() -> Cursors {
        Cursors::new(&Keys::generate().unwrap())
    }

    fn place() -> Cursor {
        Cursor { order: "updated_at".into(), keys: vec![1_700_000_000, -1], id: "a:b,c".into() }
    }

    #[test]
    fn a_cursor_opens_for_its_own_list_and_version_only() {
        let cursors = cursors();
        let text = cursors.seal(LIST, &place());
        assert_eq!(cursors.open(LIST, &text), Ok(place()));
        for other in [ListVersion { list: "pool", ..LIST }, ListVersion { version: 2, ..LIST }] {
            assert_eq!(cursors.open(other, &text), Err(InvalidCursor));
        }
    }

    #[test]
    fn a_cursor_that_was_changed_or_made_up_does_not_open() {
        let foreign = cursors().seal(LIST, &place());
        let cursors = cursors();
        assert_eq!(cursors.open(LIST, &foreign), Err(InvalidCursor), "another key");
        let mut bytes = URL_SAFE_NO_PAD.decode(cursors.seal(LIST, &place())).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        for bad in [URL_SAFE_NO_PAD.encode(bytes), String::new(), "x".repeat(3_000), "AAAA".to_owned()] {
            assert_eq!(cursors.open(LIST, &bad), Err(InvalidCursor));
        }
    }
}
