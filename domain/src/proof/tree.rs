//! The shape of an RFC 6962 tree: which subtrees are whole, and how they join.

use super::hash::Hash;

/// A whole subtree: the hash over the leaves from `index << level` up to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its height; a leaf has zero.
    pub level: u32,
    /// Which of its height.
    pub index: u64,
}

/// The whole subtrees that `begin..end` consists of, from the left. The range must be one over which
/// RFC 6962 takes a hash: the whole tree, or one of the halves that it is split into.
#[must_use]
pub fn nodes(begin: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut at = begin;
    while at < end {
        let level = (end - at).ilog2();
        nodes.push(Node { level, index: at >> level });
        at += 1 << level;
    }
    nodes
}

/// The hash over subtrees that lie side by side, each smaller than the one before it.
#[must_use]
pub fn join(hashes: &[Hash]) -> Hash {
    let mut from_the_right = hashes.iter().rev();
    let Some(last) = from_the_right.next() else { return Hash::of_nothing() };
    from_the_right.fold(*last, |right, left| Hash::node(*left, right))
}

/// The hash over as many leaves, or equally high subtrees, as a power of two.
#[must_use]
pub(super) fn whole(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::of_nothing(),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Hash::node(whole(left), whole(right))
        }
    }
}

/// A tree that grows at its right end; no more of it is kept than its root needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = Hash::node(left, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> Hash {
        join(&self.peaks)
    }
}
