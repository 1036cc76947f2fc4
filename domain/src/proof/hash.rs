//! Hashes of a Merkle tree, as RFC 6962 section 2.1 has them.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Before the content of a leaf.
const LEAF: [u8; 1] = [0];
/// Before the two hashes of a node.
const NODE: [u8; 1] = [1];

/// A SHA-256 hash. Its text is base64, as in checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// Text or bytes that are no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 hash in base64")]
pub struct InvalidHash;

impl Hash {
    /// Its bytes.
    pub const SIZE: usize = 32;

    /// A hash from its bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The root of a tree without leaves.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// The hash of a leaf whose content comes in pieces.
    #[must_use]
    pub fn leaf(feed: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Self {
        let mut hash = Sha256::new();
        hash.update(LEAF);
        feed(&mut |piece| hash.update(piece));
        Self(hash.finalize().into())
    }

    /// The hash of a node above two others.
    #[must_use]
    pub fn node(left: Self, right: Self) -> Self {
        // One block of input instead of three pieces.
        let mut input = [0; 65];
        input[..1].copy_from_slice(&NODE);
        input[1..33].copy_from_slice(&left.0);
        input[33..].copy_from_slice(&right.0);
        Self(Sha256::digest(input).into())
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = InvalidHash;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| InvalidHash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text).map_err(|_| InvalidHash)?;
        bytes.as_slice().try_into()
    }
}
