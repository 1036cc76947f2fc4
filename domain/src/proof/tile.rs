//! Tiles: 256 hashes that lie side by side, the pieces in which a tree is stored and served. C2SP
//! `tlog-tiles` gives their levels, widths and paths.

use std::str::FromStr;

use super::hash::Hash;
use super::tree::{Node, join, nodes, whole};

/// Hashes of a full tile.
pub const TILE: u16 = 256;
/// Levels of a subtree that fit into a tile.
const HEIGHT: u32 = 8;
/// The highest level that a path can name.
const MAX_LEVEL: u8 = 63;

/// Names a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 has leaves; above it, each hash is over a full tile of the level below.
    pub level: u8,
    /// Which of its level.
    pub index: u64,
    /// How many hashes, up to [`TILE`].
    pub width: u16,
}

/// What names no tile, or is not the content of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tile")]
pub struct InvalidTile;

impl Tile {
    /// A tile of a tree as wide as the tree's size makes it; `None` when it is not there.
    #[must_use]
    pub fn of(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0);
        let begin = index.checked_mul(u64::from(TILE))?;
        let width = hashes.saturating_sub(begin).min(u64::from(TILE));
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, index, width })
    }

    /// The tile of a tree that has what a node is made of, and which of its hashes.
    #[must_use]
    pub fn with(node: Node, size: u64) -> Option<(Self, std::ops::Range<usize>)> {
        let level = u8::try_from(node.level / HEIGHT).ok()?;
        let inner = node.level % HEIGHT;
        let begin = node.index << inner;
        let tile = Self::of(level, begin / u64::from(TILE), size)?;
        let offset = usize::try_from(begin % u64::from(TILE)).ok()?;
        let range = offset..offset + (1 << inner);
        (range.end <= usize::from(tile.width)).then_some((tile, range))
    }

    /// Whether it will not change any more.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE
    }

    /// The same tile once it is full.
    #[must_use]
    pub const fn full(&self) -> Self {
        Self { width: TILE, ..*self }
    }

    /// Its path, such as `tile/0/x001/234` or `tile/1/000.p/17`.
    #[must_use]
    pub fn path(&self) -> String {
        let path = format!("tile/{}/{}", self.level, grouped(self.index));
        if self.is_full() { path } else { format!("{path}.p/{}", self.width) }
    }

    /// Where the partial forms of this tile are.
    #[must_use]
    pub fn partials(&self) -> String {
        format!("{}.p", self.full().path())
    }

    /// The hashes of its content.
    ///
    /// # Errors
    /// When the content is not that of a tile of this width.
    pub fn hashes(&self, content: &[u8]) -> Result<Vec<Hash>, InvalidTile> {
        if content.len() != usize::from(self.width) * Hash::SIZE {
            return Err(InvalidTile);
        }
        content.chunks_exact(Hash::SIZE).map(|bytes| Hash::try_from(bytes).map_err(|_| InvalidTile)).collect()
    }

    /// The content of a tile with these hashes.
    #[must_use]
    pub fn content(hashes: &[Hash]) -> Vec<u8> {
        hashes.iter().flat_map(|hash| *hash.bytes()).collect()
    }

    /// The hash over a range of hashes that [`Self::with`] gave.
    #[must_use]
    pub fn node(hashes: &[Hash]) -> Hash {
        whole(hashes)
    }

    /// Hashes over the whole subtrees that the hashes of a partial tile make, from the left.
    #[must_use]
    pub fn peaks(hashes: &[Hash]) -> Vec<Hash> {
        let ranges = nodes(0, hashes.len() as u64).into_iter().map(|node| {
            let begin = usize::try_from(node.index << node.level).unwrap_or(usize::MAX);
            begin..begin.saturating_add(1 << node.level)
        });
        ranges.filter_map(|range| hashes.get(range)).map(whole).collect()
    }
}

impl FromStr for Tile {
    type Err = InvalidTile;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let (level, rest) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(InvalidTile)?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| InvalidTile)?),
            None => (rest, TILE),
        };
        let level: u8 = level.parse().map_err(|_| InvalidTile)?;
        let digits: String = index.chars().filter(char::is_ascii_digit).collect();
        let tile = Self { level, index: digits.parse().map_err(|_| InvalidTile)?, width };
        // There is one way to write each path.
        let good = level <= MAX_LEVEL && (1..=TILE).contains(&width) && tile.path() == path;
        good.then_some(tile).ok_or(InvalidTile)
    }
}

/// A number as path elements of three digits, all but the last with an `x` before them.
fn grouped(number: u64) -> String {
    let mut groups = vec![format!("{:03}", number % 1_000)];
    let mut rest = number / 1_000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1_000));
        rest /= 1_000;
    }
    groups.reverse();
    groups.join("/")
}

/// A growing tree as tiles: what is full is handed out, the right edge is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileTree {
    size: u64,
    /// The hashes of the last, partial tile of each level.
    edge: Vec<Vec<Hash>>,
}

impl TileTree {
    /// The last, partial tiles of a tree of this size: what [`Self::resume`] needs.
    pub fn edge_of(size: u64) -> impl Iterator<Item = Tile> {
        let levels = (0..=MAX_LEVEL).map_while(move |level| {
            let hashes = size.checked_shr(HEIGHT * u32::from(level)).filter(|hashes| *hashes > 0)?;
            Some((level, hashes))
        });
        levels.filter_map(move |(level, hashes)| {
            Tile::of(level, hashes / u64::from(TILE), size).filter(|tile| !tile.is_full())
        })
    }

    /// The tree of a size whose last tiles these are.
    ///
    /// # Errors
    /// When they are not the tiles that [`Self::edge_of`] names.
    pub fn resume(size: u64, tiles: Vec<(Tile, Vec<Hash>)>) -> Result<Self, InvalidTile> {
        let mut edge = Vec::new();
        let named: Vec<Tile> = tiles.iter().map(|(tile, _)| *tile).collect();
        if !named.iter().copied().eq(Self::edge_of(size)) {
            return Err(InvalidTile);
        }
        for (tile, hashes) in tiles {
            if hashes.len() != usize::from(tile.width) {
                return Err(InvalidTile);
            }
            edge.resize(usize::from(tile.level), Vec::new());
            edge.push(hashes);
        }
        Ok(Self { size, edge })
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and hands out each tile that is full with it.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Tile, &[Hash])) {
        let mut hash = leaf;
        for level in 0..=MAX_LEVEL {
            let place = usize::from(level);
            if self.edge.len() <= place {
                self.edge.push(Vec::with_capacity(usize::from(TILE)));
            }
            let hashes = &mut self.edge[place];
            hashes.push(hash);
            if hashes.len() < usize::from(TILE) {
                break;
            }
            let index = self.size >> (HEIGHT * (u32::from(level) + 1));
            full(Tile { level, index, width: TILE }, hashes);
            hash = whole(hashes);
            hashes.clear();
        }
        self.size += 1;
    }

    /// The last, partial tiles with their hashes.
    pub fn edge(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        Self::edge_of(self.size)
            .filter_map(|tile| Some((tile, self.edge.get(usize::from(tile.level))?.as_slice())))
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let peaks: Vec<Hash> = self.edge.iter().rev().flat_map(|hashes| Tile::peaks(hashes)).collect();
        join(&peaks)
    }
}
