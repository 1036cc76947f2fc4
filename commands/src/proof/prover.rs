//! Answers with proofs from the tiles: a few of them, whatever the length of the log.

use std::sync::Arc;

use domain::Position;
use domain::proof::{
    Checkpoint, Hash, Node, ProofError, Tile, VerifierKey, consistency, inclusion, nodes, verify_consistency,
    verify_inclusion,
};

use super::history::{self, HistoryError, Kept};
use super::place::{Place, PlaceError};
use super::tiles::{Nodes, TilesError};

/// A checkpoint and the note that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// That an event is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Which.
    pub position: Position,
    /// Size of the tree that it is proved for.
    pub size: u64,
    /// The leaf that the event is.
    pub leaf: Hash,
    /// The hashes that lead to the root.
    pub path: Vec<Hash>,
    /// The root of that tree.
    pub root: Hash,
    /// The checkpoint of that size, when one was signed.
    pub checkpoint: Option<String>,
}

/// That a tree is the beginning of a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// Size of the earlier tree.
    pub from: u64,
    /// Its root.
    pub from_root: Hash,
    /// Size of the later tree.
    pub to: u64,
    /// Its root.
    pub to_root: Hash,
    /// The hashes that lead to both.
    pub path: Vec<Hash>,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// No checkpoint was signed yet.
    #[error("no checkpoint was signed yet")]
    NothingSigned,
    /// The log is not signed as far as that.
    #[error("the log is signed up to {signed}, not to {asked}; ask again after the next checkpoint")]
    NotYet {
        /// What was asked for.
        asked: u64,
        /// Up to where it is signed.
        signed: u64,
    },
    /// The numbers make no sense.
    #[error("a position is from 1 and within the size; sizes are from 1, the smaller one first")]
    Sizes,
    /// The place does not answer.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// What is kept there does not fit together.
    #[error("the checkpoints are damaged: {0}")]
    Damaged(String),
}

impl From<HistoryError> for ProveError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Place(error) => error.into(),
            HistoryError::Bad(bad) => Self::Damaged(bad.to_string()),
        }
    }
}

impl From<TilesError> for ProveError {
    fn from(error: TilesError) -> Self {
        match error {
            TilesError::Place(error) => error.into(),
            TilesError::Damaged(_) => Self::Damaged(error.to_string()),
        }
    }
}

/// Proves from what a place keeps. Cheap to clone.
#[derive(Clone)]
pub struct Prover {
    place: Arc<dyn Place>,
    key: Arc<VerifierKey>,
}

impl Prover {
    /// Proofs from a place whose checkpoints were signed with a key.
    #[must_use]
    pub fn new(place: Arc<dyn Place>, key: VerifierKey) -> Self {
        Self { place, key: Arc::new(key) }
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub async fn newest(&self) -> Result<Signed, ProveError> {
        // The history is long, and only a kill before the first copy makes it necessary.
        let kept = match history::copy(&*self.place, &self.key).await? {
            Some(copy) => Some(copy),
            None => history::newest(&*self.place, &self.key).await?,
        };
        let kept = kept.ok_or(ProveError::NothingSigned)?;
        let Kept { checkpoint, note } = kept;
        Ok(Signed { checkpoint, note })
    }

    /// The content of a tile; `None` when there is none, or no checkpoint covers it yet.
    ///
    /// # Errors
    /// When the place does not answer, or the newest checkpoint is damaged.
    pub async fn tile(&self, tile: Tile) -> Result<Option<Vec<u8>>, ProveError> {
        let size = match self.newest().await {
            Ok(newest) => newest.checkpoint.size,
            Err(ProveError::NothingSigned) => 0,
            Err(error) => return Err(error),
        };
        let covered = Tile::of(tile.level, tile.index, size).is_some_and(|signed| signed.width >= tile.width);
        if covered { Ok(self.place.read(&tile.path()).await?) } else { Ok(None) }
    }

    /// Proves that the event at `position` is in the tree of `size`, or of the newest checkpoint.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub async fn inclusion(&self, position: Position, size: Option<u64>) -> Result<Inclusion, ProveError> {
        let newest = self.newest().await?;
        let size = size.unwrap_or(newest.checkpoint.size);
        let index = position.get().unsigned_abs().checked_sub(1).ok_or(ProveError::Sizes)?;
        reached(size.max(index + 1), &newest.checkpoint)?;
        let parts = inclusion(index, size).map_err(|_| ProveError::Sizes)?;
        let mut nodes = Nodes::of(&*self.place, newest.checkpoint.size);
        let leaf = nodes.hash(Node { level: 0, index }).await?;
        let path = nodes.proof(&parts).await?;
        let root = self.root(&mut nodes, size, &newest.checkpoint).await?;
        verify_inclusion(leaf, index, size, &path, root).map_err(damaged)?;
        let checkpoint = if size == newest.checkpoint.size {
            Some(newest.note)
        } else {
            let kept = history::at(&*self.place, &self.key, size).await?;
            if kept.as_ref().is_some_and(|kept| kept.checkpoint.root != root) {
                let reason = format!("the checkpoint of size {size} is not the beginning of the newest one");
                return Err(ProveError::Damaged(reason));
            }
            kept.map(|kept| kept.note)
        };
        Ok(Inclusion { position, size, leaf, path, root, checkpoint })
    }

    /// Proves that the tree of size `from` is the beginning of that of size `to`, or of the newest.
    ///
    /// # Errors
    /// See [`ProveError`].
    pub async fn consistency(&self, from: u64, to: Option<u64>) -> Result<Consistency, ProveError> {
        let newest = self.newest().await?.checkpoint;
        let to = to.unwrap_or(newest.size);
        reached(to.max(from), &newest)?;
        if from == 0 || from > to {
            return Err(ProveError::Sizes);
        }
        let mut nodes = Nodes::of(&*self.place, newest.size);
        let path = nodes.proof(&consistency(from, to).map_err(|_| ProveError::Sizes)?).await?;
        let from_root = self.root(&mut nodes, from, &newest).await?;
        let to_root = self.root(&mut nodes, to, &newest).await?;
        verify_consistency(from, from_root, to, to_root, &path).map_err(damaged)?;
        Ok(Consistency { from, from_root, to, to_root, path })
    }

    /// The root of a size, proved to be the beginning of what is signed: nothing else is given away.
    async fn root(&self, tiles: &mut Nodes<'_>, size: u64, newest: &Checkpoint) -> Result<Hash, ProveError> {
        let root = tiles.joined(&nodes(0, size)).await?;
        let proof = consistency(size, newest.size).map_err(|_| ProveError::Sizes)?;
        let proof = tiles.proof(&proof).await?;
        verify_consistency(size, root, newest.size, newest.root, &proof).map_err(damaged)?;
        Ok(root)
    }
}

fn reached(asked: u64, newest: &Checkpoint) -> Result<(), ProveError> {
    if asked > newest.size {
        return Err(ProveError::NotYet { asked, signed: newest.size });
    }
    Ok(())
}

fn damaged(error: ProofError) -> ProveError {
    ProveError::Damaged(format!("the tiles do not give the root that was signed ({error})"))
}
