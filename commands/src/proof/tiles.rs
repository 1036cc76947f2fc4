//! Tiles of a signed tree as a place keeps them.

use std::collections::HashMap;

use domain::proof::{Hash, Node, Tile, TileTree, join};

use super::place::{Place, PlaceError};

/// Why tiles do not give what they should.
#[derive(Debug, thiserror::Error)]
pub enum TilesError {
    /// The place does not answer.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A tile is not there, or is no tile.
    #[error("{0} is missing or damaged")]
    Damaged(String),
}

/// The hashes of a tile. A partial tile goes when it is full: then it is the begin of the full one.
pub async fn read(place: &dyn Place, tile: Tile) -> Result<Option<Vec<Hash>>, PlaceError> {
    if let Some(content) = place.read(&tile.path()).await? {
        return Ok(tile.hashes(&content).ok());
    }
    if tile.is_full() {
        return Ok(None);
    }
    let Some(content) = place.read(&tile.full().path()).await? else { return Ok(None) };
    let Ok(mut hashes) = tile.full().hashes(&content) else { return Ok(None) };
    hashes.truncate(tile.width.into());
    Ok(Some(hashes))
}

/// Reads a tile that has to be there.
async fn read_whole(place: &dyn Place, tile: Tile) -> Result<Vec<Hash>, TilesError> {
    read(place, tile).await?.ok_or_else(|| TilesError::Damaged(tile.path()))
}

/// The tree of a size, to go on from.
pub async fn tree(place: &dyn Place, size: u64) -> Result<TileTree, TilesError> {
    let mut edge = Vec::new();
    for tile in TileTree::edge_of(size) {
        edge.push((tile, read_whole(place, tile).await?));
    }
    TileTree::resume(size, edge).map_err(|_| TilesError::Damaged("the last tile".to_owned()))
}

/// The leaves of the last tile that has any.
pub async fn last_leaves(place: &dyn Place, size: u64) -> Result<Vec<Hash>, TilesError> {
    let Some(last) = size.checked_sub(1) else { return Ok(Vec::new()) };
    match Tile::of(0, last / u64::from(domain::proof::TILE), size) {
        Some(tile) => read_whole(place, tile).await,
        None => Ok(Vec::new()),
    }
}

/// Reads the nodes of one proof; no tile twice.
pub struct Nodes<'a> {
    place: &'a dyn Place,
    size: u64,
    tiles: HashMap<Tile, Vec<Hash>>,
}

impl<'a> Nodes<'a> {
    /// Nodes of the tree that was signed at a size.
    pub fn of(place: &'a dyn Place, size: u64) -> Self {
        Self { place, size, tiles: HashMap::new() }
    }

    /// The hash of a node.
    pub async fn hash(&mut self, node: Node) -> Result<Hash, TilesError> {
        let damaged = || TilesError::Damaged(format!("a tile of level {}", node.level / 8));
        let (tile, range) = Tile::with(node, self.size).ok_or_else(damaged)?;
        if !self.tiles.contains_key(&tile) {
            self.tiles.insert(tile, read_whole(self.place, tile).await?);
        }
        let hashes = self.tiles.get(&tile).and_then(|hashes| hashes.get(range)).ok_or_else(damaged)?;
        Ok(Tile::node(hashes))
    }

    /// The hash over nodes that lie side by side.
    pub async fn joined(&mut self, nodes: &[Node]) -> Result<Hash, TilesError> {
        let mut hashes = Vec::with_capacity(nodes.len());
        for node in nodes {
            hashes.push(self.hash(*node).await?);
        }
        Ok(join(&hashes))
    }

    /// The hashes of a proof.
    pub async fn proof(&mut self, parts: &[Vec<Node>]) -> Result<Vec<Hash>, TilesError> {
        let mut hashes = Vec::with_capacity(parts.len());
        for nodes in parts {
            hashes.push(self.joined(nodes).await?);
        }
        Ok(hashes)
    }
}
