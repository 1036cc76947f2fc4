//! Cursors: where a page ended, signed, so that a client can hand it back and not make one up.
//!
//! Guarantees: a cursor opens only for the list, the version and the order that it was made for.
//! Deliberately absent: secrecy. A cursor holds what its own row showed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::keys::Keys;

/// Bytes of the signature.
const SIGNATURE: usize = 16;
/// No cursor of ours is longer.
const MAX_LENGTH: usize = 2_048;

/// What a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListVersion<'a> {
    /// Which list.
    pub list: &'a str,
    /// Version of its read model: the rows of another may be in another order.
    pub version: u32,
    /// The order and the direction that were asked for.
    pub order: &'a str,
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

    /// The cursor of a row: its sort key and id.
    #[must_use]
    pub fn seal<T: Serialize>(&self, list: ListVersion<'_>, place: &T) -> String {
        let body = serde_json::to_vec(place).unwrap_or_default();
        let mut bytes = self.sign(list, &body).to_vec();
        bytes.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The sort key and id in a cursor.
    ///
    /// # Errors
    /// When it is not ours, or of another list, version or order.
    pub fn open<T: DeserializeOwned>(&self, list: ListVersion<'_>, cursor: &str) -> Result<T, InvalidCursor> {
        if cursor.len() > MAX_LENGTH {
            return Err(InvalidCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
        let (signature, body) = bytes.split_at_checked(SIGNATURE).ok_or(InvalidCursor)?;
        self.mac(list, body).verify_truncated_left(signature).map_err(|_| InvalidCursor)?;
        serde_json::from_slice(body).map_err(|_| InvalidCursor)
    }

    fn sign(&self, list: ListVersion<'_>, body: &[u8]) -> [u8; SIGNATURE] {
        let full = self.mac(list, body).finalize().into_bytes();
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&full[..SIGNATURE]);
        signature
    }

    fn mac(&self, list: ListVersion<'_>, body: &[u8]) -> Hmac<Sha256> {
        // Each part behind its length, so that no two lists can share a text.
        let mut mac = self.0.clone();
        for part in [list.list.as_bytes(), &list.version.to_be_bytes(), list.order.as_bytes(), body] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: ListVersion<'_> = ListVersion { list: "clues", version: 1, order: "updated_at desc" };

    fn cursors() -> Cursors {
        Cursors::new(&Keys::generate().unwrap())
    }

    #[test]
    fn a_cursor_opens_for_its_own_list_version_and_order_only() {
        let cursors = cursors();
        let place = (1_700_000_000_i64, "id".to_owned());
        let cursor = cursors.seal(LIST, &place);
        assert_eq!(cursors.open::<(i64, String)>(LIST, &cursor), Ok(place));
        for other in [
            ListVersion { list: "pool", ..LIST },
            ListVersion { version: 2, ..LIST },
            ListVersion { order: "created_at desc", ..LIST },
        ] {
            assert_eq!(cursors.open::<(i64, String)>(other, &cursor), Err(InvalidCursor));
        }
    }

    #[test]
    fn a_cursor_that_was_changed_or_made_up_does_not_open() {
        let cursor = cursors().seal(LIST, &7);
        let cursors = cursors();
        assert_eq!(cursors.open::<i32>(LIST, &cursor), Err(InvalidCursor), "another key");
        let good = cursors.seal(LIST, &7);
        let mut bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        for bad in [URL_SAFE_NO_PAD.encode(bytes), String::new(), "x".repeat(3_000), "AAAA".to_owned()] {
            assert_eq!(cursors.open::<i32>(LIST, &bad), Err(InvalidCursor));
        }
    }
}
