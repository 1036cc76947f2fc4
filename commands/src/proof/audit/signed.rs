//! Tiles that are known to be those of the signed root, each proved by the one above it.

use std::collections::HashMap;
use std::sync::Arc;

use domain::proof::{Checkpoint, Hash, TILE, Tile, TileTree};

use super::AuditFault;
use super::fault::Faults;
use crate::proof::place::{Place, PlaceError};
use crate::proof::tiles;

/// Tiles of a level that are kept, those that were used last: the one at hand, and some that stray events
/// are looked up in.
const KEPT: usize = 64;

/// The hashes of a tile; `None` when the tile is not what was signed.
type Known = Option<Arc<Vec<Hash>>>;

/// The tiles of a signed tree.
pub(super) struct SignedTiles<'a> {
    place: &'a dyn Place,
    size: u64,
    /// The partial tiles at the right edge: together they give the root.
    edge: HashMap<Tile, Arc<Vec<Hash>>>,
    kept: Vec<Vec<(u64, Known)>>,
    /// How many full tiles are good.
    pub checked: u64,
    /// Those that are not.
    pub faults: Faults,
}

impl<'a> SignedTiles<'a> {
    /// The tiles of a checkpoint. When those of its edge do not give its root, none of the others can
    /// be trusted.
    pub async fn of(place: &'a dyn Place, newest: &Checkpoint) -> Result<Self, PlaceError> {
        let (mut edge, mut faults) = (Vec::new(), Faults::default());
        let mut whole = true;
        for tile in TileTree::edge_of(newest.size) {
            match tiles::read(place, tile).await? {
                Some(hashes) => edge.push((tile, hashes)),
                None => {
                    whole = false;
                    faults.add(bad(tile, "it is missing or damaged"));
                }
            }
        }
        let names: Vec<String> = edge.iter().map(|(tile, _)| tile.path()).collect();
        let tree = TileTree::resume(newest.size, edge.clone());
        let good = tree.is_ok_and(|tree| tree.root() == newest.root);
        if !good && whole {
            let reason =
                "together they do not give the root that was signed: one of them was altered".to_owned();
            faults.add(AuditFault::Tile { name: names.join(", "), reason });
        }
        let edge = if good { edge } else { Vec::new() };
        let edge = edge.into_iter().map(|(tile, hashes)| (tile, Arc::new(hashes))).collect();
        Ok(Self { place, size: newest.size, edge, kept: Vec::new(), checked: 0, faults })
    }

    /// The leaf that was signed at an index.
    pub async fn leaf(&mut self, index: u64) -> Result<Option<Hash>, PlaceError> {
        let hashes = self.tile(0, index / u64::from(TILE)).await?;
        let offset = usize::try_from(index % u64::from(TILE)).unwrap_or(usize::MAX);
        Ok(hashes.and_then(|hashes| hashes.get(offset).copied()))
    }

    /// A tile, if it is what was signed.
    async fn tile(&mut self, level: u8, index: u64) -> Result<Known, PlaceError> {
        let Some(tile) = Tile::of(level, index, self.size) else { return Ok(None) };
        if !tile.is_full() {
            return Ok(self.edge.get(&tile).cloned());
        }
        let place = usize::from(level);
        if self.kept.len() <= place {
            self.kept.resize_with(place + 1, Vec::new);
        }
        if let Some(at) = self.kept[place].iter().position(|(kept, _)| *kept == index) {
            // The one used last is in front.
            self.kept[place][..=at].rotate_right(1);
            return Ok(self.kept[place][0].1.clone());
        }
        let above = Box::pin(self.tile(level + 1, index / u64::from(TILE))).await?;
        let offset = usize::try_from(index % u64::from(TILE)).unwrap_or(usize::MAX);
        let expected = above.and_then(|above| above.get(offset).copied());
        let known = match expected {
            Some(expected) => self.proved(tile, expected).await?,
            None => None,
        };
        let kept = &mut self.kept[place];
        kept.insert(0, (index, known.clone()));
        kept.truncate(KEPT);
        Ok(known)
    }

    /// Reads a full tile and compares it with the hash above it.
    async fn proved(&mut self, tile: Tile, expected: Hash) -> Result<Known, PlaceError> {
        let fault = match tiles::read(self.place, tile).await? {
            Some(hashes) if Tile::node(&hashes) == expected => {
                self.checked += 1;
                return Ok(Some(Arc::new(hashes)));
            }
            Some(_) => bad(tile, "it was altered: it is not what was signed"),
            None => bad(tile, "it is missing or damaged"),
        };
        self.faults.add_once(fault);
        Ok(None)
    }
}

fn bad(tile: Tile, reason: &str) -> AuditFault {
    AuditFault::Tile { name: tile.path(), reason: reason.to_owned() }
}
