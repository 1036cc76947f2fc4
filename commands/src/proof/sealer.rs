//! Follows the log and signs what it holds.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::Position;
use domain::ports::ReadError;
use domain::proof::{
    Checkpoint, Hash, NoteSigner, ProofError, Tile, TileTree, consistency, verify_consistency,
};
use futures::StreamExt;
use tokio::sync::watch;

use super::history::{self, HistoryError, Kept, NEWEST};
use super::leaves::leaves;
use super::place::{Place, PlaceError};
use super::tiles::{self, Nodes, TilesError};
use crate::event_log::EventLog;

/// Events between two checkpoints at most: a killed process computes no more than these again.
const STEP: usize = 65_536;
/// Full tiles that are written at once.
const WRITTEN_AT_ONCE: usize = 32;

/// Signs checkpoints of one log into one place.
pub struct Sealer {
    log: Arc<dyn EventLog>,
    place: Arc<dyn Place>,
    signer: NoteSigner,
    /// The tree that was signed last, when this process knows it.
    tree: Option<TileTree>,
}

/// What came of an attempt to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// A new checkpoint.
    Signed(Checkpoint),
    /// Everything is signed already, up to this position.
    Already(u64),
    /// Another process is at it.
    Busy,
}

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The log does not answer, or has a hole.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The place does not answer, or has another checkpoint of the same size.
    #[error("the checkpoints: {0}")]
    Place(#[from] PlaceError),
    /// What was signed cannot be read any more.
    #[error(
        "the checkpoints are damaged, {0}: nothing more is signed; put them back from a copy, or move them away \
         and begin anew, and say so to your auditors"
    )]
    Damaged(String),
    /// The log ends before what was signed.
    #[error(
        "the log ends at {head}, but it was signed up to {signed}: events were lost, or it was restored from an \
         older backup; nothing more is signed"
    )]
    Shorter {
        /// Where it ends.
        head: Position,
        /// Up to where it was signed.
        signed: u64,
    },
    /// An event is not the one that was signed.
    #[error(
        "the event at position {position} is not the one that was signed: the log was changed, or it is another \
         one; nothing more is signed, and `cluestream verify --checkpoints` says more"
    )]
    Changed {
        /// Where.
        position: Position,
    },
    /// The new tree does not go on from the one that was signed.
    #[error("the new tree does not go on from the signed one ({0}); nothing is signed")]
    Inconsistent(#[from] ProofError),
}

impl From<HistoryError> for SealError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Place(error) => error.into(),
            HistoryError::Bad(bad) => Self::Damaged(bad.to_string()),
        }
    }
}

impl From<TilesError> for SealError {
    fn from(error: TilesError) -> Self {
        match error {
            TilesError::Place(error) => error.into(),
            TilesError::Damaged(_) => Self::Damaged(error.to_string()),
        }
    }
}

impl Sealer {
    /// Signs with a key what a log holds.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, place: Arc<dyn Place>, signer: NoteSigner) -> Self {
        Self { log, place, signer, tree: None }
    }

    /// Signs what was appended, every `interval`, until `stop` becomes true; then once more.
    pub async fn run(mut self, interval: Duration, mut stop: watch::Receiver<bool>) {
        loop {
            let last = *stop.borrow_and_update();
            let behind = match self.seal().await {
                Ok(Sealed::Signed(checkpoint)) => {
                    tracing::info!(position = checkpoint.size, "the log is signed");
                    self.is_far_behind(checkpoint.size).await
                }
                Ok(Sealed::Already(_) | Sealed::Busy) => false,
                Err(error) => {
                    metrics::counter!("log_seal_failures").increment(1);
                    tracing::error!(%error, "the log is not signed");
                    false
                }
            };
            if last {
                return;
            }
            if behind {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                changed = stop.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Whether a whole step is left to sign, so that there is no reason to wait.
    async fn is_far_behind(&self, size: u64) -> bool {
        self.log.head().await.is_ok_and(|head| head.position >= position(size).plus(STEP))
    }

    /// Signs everything that the log holds now, with as many checkpoints as that takes.
    ///
    /// # Errors
    /// See [`SealError`].
    pub async fn seal_all(&mut self) -> Result<Sealed, SealError> {
        let head = self.log.head().await?.position;
        loop {
            match self.seal().await? {
                Sealed::Signed(checkpoint) if checkpoint.size < head.get().unsigned_abs() => {}
                sealed => return Ok(sealed),
            }
        }
    }

    /// Signs one checkpoint, if there is anything new.
    ///
    /// # Errors
    /// See [`SealError`]. What is half done then is not signed and does no harm.
    pub async fn seal(&mut self) -> Result<Sealed, SealError> {
        let place = self.place.clone();
        let Some(_lock) = place.lock().await? else { return Ok(Sealed::Busy) };
        // What fails half-way is read anew: the tree in memory may be ahead of what was signed.
        let known = self.tree.take();
        let signed = history::newest(&*place, self.signer.verifier()).await?;
        let last = signed.as_ref().map(|kept| &kept.checkpoint);
        let (size, root) = last.map_or((0, Hash::of_nothing()), |last| (last.size, last.root));
        let (mut tree, fresh) = match known.filter(|tree| tree.size() == size && tree.root() == root) {
            Some(tree) => (tree, false),
            None => (tiles::tree(&*place, size).await?, true),
        };
        if tree.root() != root {
            return Err(SealError::Damaged("the tiles do not give the root that was signed".to_owned()));
        }
        let head = self.log.head().await?.position;
        self.check_signed(size, fresh, head).await?;
        let until = head.min(position(size).plus(STEP));
        if position(size) == until {
            if let Some(signed) = signed {
                self.copy(signed).await?;
            }
            self.tree = Some(tree);
            return Ok(Sealed::Already(size));
        }
        self.grow(&mut tree, until).await?;
        fail::fail_point!("proof.tiles-written");
        let (new_size, new_root) = (tree.size(), tree.root());
        let proof = Nodes::of(&*place, new_size).proof(&consistency(size, new_size)?).await?;
        verify_consistency(size, root, new_size, new_root, &proof)?;
        let note = Checkpoint::sign(new_size, new_root, &self.signer);
        place.add(&history::name(new_size), note.clone().into_bytes()).await?;
        fail::fail_point!("proof.signed");
        place.put(vec![(NEWEST.to_owned(), note.into_bytes())]).await?;
        self.tidy(size, new_size).await;
        self.tree = Some(tree);
        metrics::gauge!("log_signed_position").set(new_size as f64);
        Ok(Sealed::Signed(Checkpoint {
            origin: self.signer.verifier().name().into(),
            size: new_size,
            root: new_root,
        }))
    }

    /// Writes the copy of the newest checkpoint, which a kill may have prevented.
    async fn copy(&self, newest: Kept) -> Result<(), SealError> {
        if history::copy(&*self.place, self.signer.verifier()).await?.as_ref() != Some(&newest) {
            self.place.put(vec![(NEWEST.to_owned(), newest.note.into_bytes())]).await?;
        }
        Ok(())
    }

    /// Refuses a log that has not what was signed: all of the last tile once, its last event always.
    async fn check_signed(&self, size: u64, fresh: bool, head: Position) -> Result<(), SealError> {
        if head < position(size) {
            return Err(SealError::Shorter { head, signed: size });
        }
        let signed = tiles::last_leaves(&*self.place, size).await?;
        let checked = if fresh { signed.len() } else { signed.len().min(1) };
        let expected = &signed[signed.len() - checked..];
        let begin = position(size - checked as u64);
        let events = self.log.read_stored(begin, checked).await?;
        for (offset, leaf) in expected.iter().enumerate() {
            let position = begin.plus(offset).next();
            if events.get(offset).is_none_or(|event| event.position != position || event.leaf() != *leaf) {
                return Err(SealError::Changed { position });
            }
        }
        Ok(())
    }

    /// Adds the events up to `until` to the tree, and writes the tiles.
    async fn grow(&self, tree: &mut TileTree, until: Position) -> Result<(), SealError> {
        let mut full: Vec<(String, Vec<u8>)> = Vec::new();
        let mut pages = pin!(leaves(self.log.clone(), position(tree.size()), until));
        while let Some(page) = pages.next().await {
            let page = page?;
            for (event, leaf) in page.events.iter().zip(&page.hashes) {
                let expected = position(tree.size()).next();
                if event.position != expected {
                    return Err(ReadError::Hole { expected, found: event.position }.into());
                }
                tree.push(*leaf, &mut |tile: Tile, hashes| full.push((tile.path(), Tile::content(hashes))));
            }
            if full.len() >= WRITTEN_AT_ONCE {
                self.place.put(std::mem::take(&mut full)).await?;
            }
        }
        if position(tree.size()) != until {
            return Err(ReadError::Hole { expected: position(tree.size()).next(), found: until }.into());
        }
        full.extend(tree.edge().map(|(tile, hashes)| (tile.path(), Tile::content(hashes))));
        Ok(self.place.put(full).await?)
    }

    /// Partial tiles that are full now go. That they stay does no harm, so a failure is none.
    async fn tidy(&self, old: u64, new: u64) {
        for tile in TileTree::edge_of(old) {
            if Tile::of(tile.level, tile.index, new).is_some_and(|tile| tile.is_full())
                && let Err(error) = self.place.remove(&tile.partials()).await
            {
                tracing::debug!(%error, "a partial tile stays");
            }
        }
    }
}

/// The position of the last event in a tree of this size.
fn position(size: u64) -> Position {
    Position::new(i64::try_from(size).unwrap_or(i64::MAX))
}
