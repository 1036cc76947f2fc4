//! Proofs that a leaf is in a tree, and that a tree is the beginning of another: RFC 6962 section 2.1.
//!
//! A proof is a list of hashes. Which subtrees each of them joins is computed here without any hash, so
//! that whoever has the tiles reads no more of them than these.

use super::hash::Hash;
use super::tree::{Node, nodes};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The numbers make no sense: a leaf outside the tree, or a tree larger than the one it begins.
    #[error("there is no proof for these sizes")]
    Sizes,
    /// It has too few or too many hashes.
    #[error("the proof has not the hashes that it needs")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The hashes that prove the leaf at `index` in a tree of `size`: for each of them the subtrees to
/// [join](super::join).
///
/// # Errors
/// When the leaf is not in the tree.
pub fn inclusion(index: u64, size: u64) -> Result<Vec<Vec<Node>>, ProofError> {
    if index >= size {
        return Err(ProofError::Sizes);
    }
    let mut path = Vec::new();
    walk(index, 0, size, &mut path);
    Ok(path)
}

fn walk(index: u64, begin: u64, end: u64, path: &mut Vec<Vec<Node>>) {
    if end - begin <= 1 {
        return;
    }
    let middle = begin + split(end - begin);
    if index < middle {
        walk(index, begin, middle, path);
        path.push(nodes(middle, end));
    } else {
        walk(index, middle, end, path);
        path.push(nodes(begin, middle));
    }
}

/// The hashes that prove that the tree of size `from` is the beginning of the one of size `to`.
///
/// # Errors
/// When `from` is beyond `to`.
pub fn consistency(from: u64, to: u64) -> Result<Vec<Vec<Node>>, ProofError> {
    if from > to {
        return Err(ProofError::Sizes);
    }
    let mut path = Vec::new();
    if from > 0 {
        common(from, 0, to, true, &mut path);
    }
    Ok(path)
}

/// SUBPROOF of RFC 6962; `known` says that the verifier has the hash of the first `size` leaves.
fn common(size: u64, begin: u64, end: u64, known: bool, path: &mut Vec<Vec<Node>>) {
    if size == end - begin {
        if !known {
            path.push(nodes(begin, end));
        }
        return;
    }
    let half = split(end - begin);
    if size <= half {
        common(size, begin, begin + half, known, path);
        path.push(nodes(begin + half, end));
    } else {
        common(size - half, begin + half, end, false, path);
        path.push(nodes(begin, begin + half));
    }
}

/// The largest power of two below `count`, which is above one.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Checks that a leaf is in the tree with this root.
///
/// # Errors
/// See [`ProofError`].
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Sizes);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for other in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            hash = Hash::node(*other, hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = Hash::node(hash, *other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match (last == 0, hash == root) {
        (true, true) => Ok(()),
        (true, false) => Err(ProofError::Root),
        (false, _) => Err(ProofError::Length),
    }
}

/// Checks that the tree of size `from` is the beginning of the one of size `to`.
///
/// # Errors
/// See [`ProofError`].
pub fn verify_consistency(
    from: u64,
    from_root: Hash,
    to: u64,
    to_root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if from > to {
        return Err(ProofError::Sizes);
    }
    if from == 0 || from == to {
        let same = if from == 0 { from_root == Hash::of_nothing() } else { from_root == to_root };
        return match (proof.is_empty(), same) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofError::Root),
            (false, _) => Err(ProofError::Length),
        };
    }
    let (mut at, mut last) = (from - 1, to - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    // A whole subtree is its own first hash.
    let (mut old, rest) = if from.is_power_of_two() {
        (from_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    let mut new = old;
    for other in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if at & 1 == 1 || at == last {
            (old, new) = (Hash::node(*other, old), Hash::node(*other, new));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new = Hash::node(new, *other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    match (last == 0, old == from_root && new == to_root) {
        (true, true) => Ok(()),
        (true, false) => Err(ProofError::Root),
        (false, _) => Err(ProofError::Length),
    }
}
