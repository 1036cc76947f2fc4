//! Proofs as GraphQL objects. Hashes are SHA-256 in base64.

use async_graphql::SimpleObject;
use commands::proof::{Consistency, Inclusion, Signed};
use domain::proof::Hash;

use crate::graphql::scalars::Position;

/// The head of the log's Merkle tree, signed.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "LogCheckpoint")]
pub struct LogCheckpointNode {
    /// Which log.
    origin: String,
    /// It covers the events up to this position.
    size: Position,
    /// The root of the RFC 6962 tree over them.
    root: String,
    /// The C2SP signed note; verify it with the key that you were given by other means.
    note: String,
}

/// That an event is in the log: RFC 6962, section 2.1.1. The leaf has the index `position - 1`.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "InclusionProof")]
pub struct InclusionProofNode {
    /// Which event.
    position: Position,
    /// Size of the tree that it is proved for.
    size: Position,
    /// The leaf that the event is.
    leaf: String,
    /// The hashes that lead from the leaf to the root.
    path: Vec<String>,
    /// The root of that tree.
    root: String,
    /// The signed checkpoint of that size, when there is one.
    checkpoint: Option<String>,
}

/// That the log only grew: RFC 6962, section 2.1.2.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "ConsistencyProof")]
pub struct ConsistencyProofNode {
    /// Size of the earlier tree.
    from: Position,
    /// Its root.
    from_root: String,
    /// Size of the later tree.
    to: Position,
    /// Its root.
    to_root: String,
    /// The hashes that lead to both roots.
    path: Vec<String>,
}

fn size(size: u64) -> Position {
    Position(domain::Position::new(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

impl From<Signed> for LogCheckpointNode {
    fn from(signed: Signed) -> Self {
        let Signed { checkpoint, note } = signed;
        let root = checkpoint.root.to_string();
        Self { origin: checkpoint.origin.into(), size: size(checkpoint.size), root, note }
    }
}

impl From<Inclusion> for InclusionProofNode {
    fn from(proof: Inclusion) -> Self {
        Self {
            position: Position(proof.position),
            size: size(proof.size),
            leaf: proof.leaf.to_string(),
            path: texts(&proof.path),
            root: proof.root.to_string(),
            checkpoint: proof.checkpoint,
        }
    }
}

impl From<Consistency> for ConsistencyProofNode {
    fn from(proof: Consistency) -> Self {
        Self {
            from: size(proof.from),
            from_root: proof.from_root.to_string(),
            to: size(proof.to),
            to_root: proof.to_root.to_string(),
            path: texts(&proof.path),
        }
    }
}
