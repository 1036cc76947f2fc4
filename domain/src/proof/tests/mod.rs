//! The tree against RFC 6962 written down word for word, and the formats against texts of others.

mod formats;
mod trees;

use super::Hash;

/// A leaf that is unlike every other.
fn leaf(number: u64) -> Hash {
    Hash::leaf(|sink| sink(&number.to_be_bytes()))
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(leaf).collect()
}

/// MTH of RFC 6962 section 2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(half(leaves.len()));
            Hash::node(root(left), root(right))
        }
    }
}

/// PATH of RFC 6962 section 2.1.1.
fn path(m: usize, d: &[Hash]) -> Vec<Hash> {
    if d.len() <= 1 {
        return Vec::new();
    }
    let k = half(d.len());
    let (mut path, other) =
        if m < k { (path(m, &d[..k]), root(&d[k..])) } else { (path(m - k, &d[k..]), root(&d[..k])) };
    path.push(other);
    path
}

/// SUBPROOF of RFC 6962 section 2.1.2.
fn subproof(m: usize, d: &[Hash], b: bool) -> Vec<Hash> {
    if m == d.len() {
        return if b { Vec::new() } else { vec![root(d)] };
    }
    let k = half(d.len());
    let (mut proof, other) = if m <= k {
        (subproof(m, &d[..k], b), root(&d[k..]))
    } else {
        (subproof(m - k, &d[k..], false), root(&d[..k]))
    };
    proof.push(other);
    proof
}

/// The largest power of two smaller than `n`.
fn half(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}
