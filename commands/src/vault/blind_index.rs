//! The blind index: keyed hashes that find equal contacts without being readable.

use domain::ports::BlindIndex;
use domain::values::ContactKind;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::Pepper;
use crate::event_log::UniqueKey;

/// HMAC-SHA-256 (RFC 2104) under the pepper, cut to 128 bits.
#[derive(Clone)]
pub struct PepperedIndex {
    version: u32,
    keyed: Hmac<Sha256>,
}

impl PepperedIndex {
    pub(super) fn new(pepper: &Pepper) -> Self {
        // HMAC pads a key that is shorter than the block with zeros.
        let mut block = [0; 64];
        block[..pepper.secret.len()].copy_from_slice(&pepper.secret);
        Self { version: pepper.version, keyed: KeyInit::new(&block.into()) }
    }

    /// The key that makes a contact unique across customers.
    #[must_use]
    pub fn unique_key(&self, kind: ContactKind, value: &str) -> UniqueKey {
        UniqueKey { scope: format!("contact:{}", self.version), key: self.contact(kind, value) }
    }

    /// A keyed hash of what was asked in a command.
    #[must_use]
    pub fn fingerprint(&self, name: &str, content: &[u8]) -> [u8; 16] {
        self.hash(&[b"command", name.as_bytes(), content])
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.keyed.clone();
        for part in parts {
            // The length in front keeps ("a", "bc") and ("ab", "c") apart.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        let full = mac.finalize().into_bytes();
        let mut cut = [0; 16];
        cut.copy_from_slice(&full[..16]);
        cut
    }
}

impl BlindIndex for PepperedIndex {
    fn contact(&self, kind: ContactKind, value: &str) -> String {
        uuid::Uuid::from_bytes(self.hash(&[b"contact", kind.as_str().as_bytes(), value.as_bytes()]))
            .simple()
            .to_string()
    }

    fn suffix(&self, digits: &str) -> String {
        uuid::Uuid::from_bytes(self.hash(&[b"suffix", digits.as_bytes()])).simple().to_string()
    }
}
