//! Roots, proofs and tiles of all small trees, and of some large ones.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::{
    Frontier, Hash, Node, Tile, TileTree, consistency, inclusion, join, nodes, verify_consistency,
    verify_inclusion,
};
use super::{leaf, leaves, path, root, subproof};

/// Every size that is tried one by one: beyond a power of two, and beyond half a tile.
const SIZES: u64 = 131;

/// The hashes of a proof, taken from the leaves.
fn hashes(parts: &[Vec<Node>], leaves: &[Hash]) -> Vec<Hash> {
    let of = |node: &Node| {
        let begin = usize::try_from(node.index << node.level).unwrap();
        root(&leaves[begin..begin + (1 << node.level)])
    };
    parts.iter().map(|nodes| join(&nodes.iter().map(of).collect::<Vec<_>>())).collect()
}

#[test]
fn a_growing_tree_has_the_root_of_rfc_6962_at_every_size() {
    let leaves = leaves(SIZES);
    let (mut frontier, mut tiles) = (Frontier::default(), TileTree::default());
    for size in 0..leaves.len() {
        assert_eq!(frontier.root(), root(&leaves[..size]), "{size}");
        assert_eq!(tiles.root(), frontier.root(), "{size}");
        frontier.push(leaves[size]);
        tiles.push(leaves[size], &mut |_, _| {});
    }
    assert_eq!((frontier.size(), tiles.size()), (SIZES, SIZES));
}

#[test]
fn inclusion_proofs_are_those_of_rfc_6962_and_prove_nothing_else() {
    let leaves = leaves(SIZES);
    for size in 1..=leaves.len() {
        let (all, count) = (&leaves[..size], size as u64);
        let root = root(all);
        for (index, known) in all.iter().copied().enumerate() {
            let at = index as u64;
            let proof = hashes(&inclusion(at, count).unwrap(), all);
            assert_eq!(proof, path(index, all), "{index} in {size}");
            assert_eq!(verify_inclusion(known, at, count, &proof, root), Ok(()));
            assert!(verify_inclusion(leaf(9_999), at, count, &proof, root).is_err());
            if size > 1 {
                let other = (at + 1) % count;
                assert!(verify_inclusion(known, other, count, &proof, root).is_err(), "{index} {size}");
                assert!(verify_inclusion(known, at, count, &proof[1..], root).is_err());
                let longer = [&proof[..], &[root]].concat();
                assert!(verify_inclusion(known, at, count, &longer, root).is_err());
            }
        }
        assert!(inclusion(count, count).is_err() && verify_inclusion(root, count, count, &[], root).is_err());
    }
}

#[test]
fn consistency_proofs_are_those_of_rfc_6962_and_prove_nothing_else() {
    let leaves = leaves(SIZES);
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| root(&leaves[..size])).collect();
    for to in 1..=leaves.len() {
        for from in 1..=to {
            let (m, n) = (from as u64, to as u64);
            let proof = hashes(&consistency(m, n).unwrap(), &leaves[..to]);
            assert_eq!(proof, subproof(from, &leaves[..to], true), "{from} of {to}");
            assert_eq!(verify_consistency(m, roots[from], n, roots[to], &proof), Ok(()));
            assert!(verify_consistency(m, leaf(9_999), n, roots[to], &proof).is_err(), "{from} of {to}");
            assert!(verify_consistency(m, roots[from], n, leaf(9_999), &proof).is_err(), "{from} of {to}");
            if let Some(less) = proof.len().checked_sub(1) {
                assert!(verify_consistency(m, roots[from], n, roots[to], &proof[..less]).is_err());
            }
            let longer = [&proof[..], &[roots[to]]].concat();
            assert!(verify_consistency(m, roots[from], n, roots[to], &longer).is_err());
        }
    }
    assert_eq!(verify_consistency(0, Hash::of_nothing(), 7, roots[7], &[]), Ok(()));
    assert!(consistency(8, 7).is_err() && verify_consistency(8, roots[8], 7, roots[7], &[]).is_err());
}

/// Tiles of a tree, as a store keeps them.
fn tiled(size: u64) -> (HashMap<Tile, Vec<Hash>>, TileTree) {
    let (mut store, mut tree) = (HashMap::new(), TileTree::default());
    for number in 0..size {
        tree.push(leaf(number), &mut |tile, hashes| {
            assert!(store.insert(tile, hashes.to_vec()).is_none(), "{tile:?} comes once");
        });
    }
    store.extend(tree.edge().map(|(tile, hashes)| (tile, hashes.to_vec())));
    (store, tree)
}

#[test]
fn tiles_hold_every_node_of_the_tree_and_the_tree_goes_on_from_them() {
    for size in [1, 2, 255, 256, 257, 600, 65_535, 65_536, 70_000] {
        let (store, tree) = tiled(size);
        let leaves = leaves(size);
        let node = |node: Node| {
            let (tile, range) = Tile::with(node, size).unwrap();
            Tile::node(&store[&tile][range])
        };
        let whole = nodes(0, size).into_iter().map(node).collect::<Vec<_>>();
        let mut frontier = Frontier::default();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        assert_eq!(join(&whole), frontier.root(), "{size}");
        for index in [0, size / 2, size - 1] {
            let parts = inclusion(index, size).unwrap();
            let part = |nodes: &Vec<Node>| join(&nodes.iter().copied().map(node).collect::<Vec<_>>());
            let proof: Vec<Hash> = parts.iter().map(part).collect();
            let known = leaves[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(known, index, size, &proof, frontier.root()), Ok(()));
        }
        let edge = TileTree::edge_of(size).map(|tile| (tile, store[&tile].clone())).collect();
        let mut resumed = TileTree::resume(size, edge).unwrap();
        assert_eq!(resumed.root(), tree.root(), "{size}");
        resumed.push(leaf(size), &mut |_, _| {});
        frontier.push(leaf(size));
        assert_eq!(resumed.root(), frontier.root(), "{size}");
    }
}

#[test]
fn a_tree_does_not_go_on_from_other_tiles() {
    let (store, _) = tiled(300);
    let edge: Vec<_> = TileTree::edge_of(300).map(|tile| (tile, store[&tile].clone())).collect();
    assert!(TileTree::resume(301, edge.clone()).is_err());
    assert!(TileTree::resume(300, edge[1..].to_vec()).is_err());
    let mut short = edge;
    short[0].1.pop();
    assert!(TileTree::resume(300, short).is_err());
}

proptest! {
    #[test]
    fn subtrees_of_any_tree_fit_together(size in 1_u64..1 << 40, part in 0.0..1.0_f64) {
        let index = (size as f64 * part) as u64;
        for parts in [inclusion(index, size).unwrap(), consistency(index, size).unwrap()] {
            prop_assert!(parts.len() <= 41 + 1);
            for node in parts.iter().flatten() {
                prop_assert!((node.index + 1) << node.level <= size);
                let (tile, range) = Tile::with(*node, size).unwrap();
                prop_assert!(range.end <= usize::from(tile.width));
            }
        }
    }

    #[test]
    fn every_tile_has_one_path(level in 0_u8..=63, index in 0_u64..1 << 50, width in 1_u16..=256) {
        let tile = Tile { level, index, width };
        prop_assert_eq!(tile.path().parse(), Ok(tile));
    }
}
