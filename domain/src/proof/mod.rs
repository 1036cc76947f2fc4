//! What proves that the log was not changed: leaves, an RFC 6962 Merkle tree, tiles, checkpoints.
//!
//! Guarantees:
//! - a leaf covers every stored byte of an event, envelope included, in a versioned encoding of which
//!   golden vectors are committed; it hashes what is sealed as it is stored, so that erasing a person
//!   leaves every proof intact;
//! - trees and proofs are those of RFC 6962 with SHA-256, tiles those of C2SP `tlog-tiles`, checkpoints
//!   those of C2SP `tlog-checkpoint` in a C2SP `signed-note`, so that programs of others can check ours;
//! - the leaf at index N is the event at position N + 1.
//!
//! Deliberately absent: reading and writing anything, and deciding when to sign.

mod checkpoint;
mod hash;
mod note;
mod path;
mod stored;
mod tile;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use hash::{Hash, InvalidHash};
pub use note::{KeyError, NoteError, NoteSigner, VerifierKey};
pub use path::{ProofError, consistency, inclusion, verify_consistency, verify_inclusion};
pub use stored::StoredEvent;
pub use tile::{InvalidTile, TILE, Tile, TileTree};
pub use tree::{Frontier, Node, join, nodes};

#[cfg(test)]
mod tests;
