//! Rebuilding a read model beside the live one, comparing, swapping; and proving that it equals a
//! replay of the log from zero.
//!
//! Guarantees: queries read the old rows until the swap and the new rows from it on, with no time
//! between; the comparison looks at both copies in one snapshot at one position, by hashes of their
//! rows; several workers make the rows that one makes; a copy belongs to whoever has the lease, and who
//! lost it changes nothing; a rebuild that fails drops its copy, and what an interrupted one left is
//! never used and soon dropped; the retired copy stays, with the events that it has parked, for a
//! rollback until the next rebuild, and an erasure reaches it too; whoever may read a table may read the
//! one that comes in its place.
//!
//! Deliberately absent: continuing an interrupted replay. A replay costs minutes; a half-built copy
//! of unknown code costs trust.
//!
//! Index names of SQLite get a generation (`_g1`, `_g2`, …), so a migration that changes a read
//! model's indexes must drop and create the whole table and raise the model's version.

mod apart;
mod compare;
mod ddl;
mod guard;
mod purge;
mod replay;
mod swap;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use domain::envelope::Position;

use crate::runner::{Checkpoint, Inner, Lease, Model, RunError, checkpoint as checkpoints};
use crate::sql::{SqlError, Suffix};
use guard::{Guard, Keeper};
use replay::Replay;

pub use compare::TableReport;
pub(crate) use purge::{drop_stale, purge_copies, purge_parked, scrub, sweep};
pub(crate) use swap::roll_back;

/// How often a comparison may miss the one position at which both copies stand.
const ATTEMPTS: usize = 20;
/// The copy catches up this often before the swap takes the last events under the lock.
const ROUNDS: usize = 3;

/// What a rebuild or a verification is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It folds the log into the copy.
    Building,
    /// It builds the copy's indexes.
    Indexing,
    /// It compares the copy with the live rows.
    Comparing,
    /// It puts the copy in the place of the live rows.
    Swapping,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub phase: Phase,
    /// The last event that was folded.
    pub position: Position,
    /// Where the replay goes to.
    pub head: Position,
}

/// What a rebuild or a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The read model.
    pub model: &'static str,
    /// The position at which the copies were compared.
    pub position: Position,
    /// One entry a table.
    pub tables: Vec<TableReport>,
    /// Events that the replay could not fold.
    pub parked: usize,
    /// Whether the new copy serves now.
    pub swapped: bool,
}

impl Report {
    /// Whether the live rows were those of a replay from zero.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(TableReport::is_equal)
    }
}

/// Who is told how far it is.
type Show<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Replays into a scratch copy, compares, drops the copy.
pub(crate) async fn verify(
    inner: &Arc<Inner>,
    model: &Arc<Model>,
    workers: usize,
    progress: Show<'_>,
) -> Result<Report, RunError> {
    let guard = Guard::take(inner, model, "verify").await?;
    let result = async {
        let live = live(inner, model).await?;
        let mut replay = Replay::begin(&guard, inner, model, Suffix::Check, live.generation, workers).await?;
        replay.advance(live.position, progress).await?;
        replay.tell(Phase::Comparing, progress);
        let (position, tables) = compare_at_rest(inner, model, &mut replay).await?;
        let parked = replay.parked.len();
        replay.discard().await?;
        Ok(Report { model: model.name(), position, tables, parked, swapped: false })
    };
    finish(inner, model, Suffix::Check, &guard, result.await).await
}

/// Replays beside, compares, swaps.
pub(crate) async fn rebuild(
    inner: &Arc<Inner>,
    model: &Arc<Model>,
    workers: usize,
    progress: Show<'_>,
) -> Result<Report, RunError> {
    swap::refuse_dependents(inner, model).await?;
    let guard = Guard::take(inner, model, "rebuild").await?;
    let result = async {
        let live = live(inner, model).await?;
        let generation = live.generation + 1;
        let mut replay = Replay::begin(&guard, inner, model, Suffix::Next, generation, workers).await?;
        replay.advance(live.position, progress).await?;
        replay.tell(Phase::Indexing, progress);
        replay.index().await?;
        fail::fail_point!("rebuild.built");
        for _ in 0..ROUNDS {
            let target = self::live(inner, model).await?.position;
            replay.advance(target, progress).await?;
        }
        replay.tell(Phase::Comparing, progress);
        let (position, tables) = compare_at_rest(inner, model, &mut replay).await?;
        let parked = replay.parked.len();
        replay.tell(Phase::Swapping, progress);
        swap::swap(inner, model, replay, None).await?;
        Ok(Report { model: model.name(), position, tables, parked, swapped: true })
    };
    finish(inner, model, Suffix::Next, &guard, result.await).await
}

/// Rebuilds for a new version of the code while the rows of the old one serve. The caller holds
/// the model's own lease, so the old rows do not move.
pub(crate) async fn upgrade(inner: &Arc<Inner>, model: &Arc<Model>, own: &Lease) -> Result<(), RunError> {
    swap::refuse_dependents(inner, model).await?;
    let guard = Guard::take(inner, model, "rebuild").await?;
    let _kept = Keeper::start(inner, own);
    let result = async {
        let (generation, workers) = (live(inner, model).await?.generation + 1, inner.config.workers);
        let mut replay = Replay::begin(&guard, inner, model, Suffix::Next, generation, workers).await?;
        let silent = |_: Progress| {};
        for round in 0..ROUNDS {
            let head = inner.feed.reader().head().await?.position;
            replay.advance(head, &silent).await?;
            if round == 0 {
                replay.index().await?;
            }
        }
        swap::swap(inner, model, replay, Some(own)).await
    };
    finish(inner, model, Suffix::Next, &guard, result.await).await
}

/// Lets the lease go; after a failure the copy goes first, for it may hold people who get erased.
async fn finish<T>(
    inner: &Inner,
    model: &Model,
    suffix: Suffix,
    guard: &Guard,
    result: Result<T, RunError>,
) -> Result<T, RunError> {
    if result.is_err()
        && let Err(error) = replay::discard(inner, model, suffix, guard).await
    {
        tracing::debug!(model = model.name(), %error, "the copy is left to whoever sweeps");
    }
    let released = guard.release().await;
    let value = result?;
    released?;
    Ok(value)
}

/// Brings the copy to the live position and compares both in one snapshot. On PostgreSQL the live model
/// stands still until the snapshot is there. SQLite has one writer, so there it may move between the two
/// steps; then the snapshot shows two positions and the steps are repeated.
async fn compare_at_rest(
    inner: &Inner,
    model: &Model,
    replay: &mut Replay,
) -> Result<(Position, Vec<TableReport>), RunError> {
    let copy = replay::copy_name(model, replay.suffix);
    for _ in 0..ATTEMPTS {
        let mut still = inner.db.begin().await?;
        let at = checkpoints::lock(&mut still, model.name()).await?;
        let target = at.map_or(Position::ZERO, |checkpoint| checkpoint.position);
        let still = if still.is_postgres() {
            replay.finish_alone(inner.db.begin().await?, target).await?;
            Some(still)
        } else {
            replay.finish_alone(still, target).await?;
            None
        };

        let mut snapshot = inner.db.snapshot().await?;
        let live = checkpoints::get(&mut snapshot, model.name()).await?;
        let built = checkpoints::get(&mut snapshot, &copy).await?;
        if let Some(still) = still
            && let Err(error) = still.rollback().await
        {
            tracing::debug!(%error, "the lock on the live position was lost meanwhile");
        }
        if let (Some(live), Some(built)) = (live, built)
            && live.position == built.position
        {
            let mut tables = Vec::new();
            for table in model.projector.tables() {
                tables.push(compare::compare(&mut snapshot, table, replay.suffix).await?);
            }
            snapshot.rollback().await?;
            return Ok((live.position, tables));
        }
        snapshot.rollback().await?;
    }
    Err(RunError::Sql(SqlError::Unavailable("the read model never stood still to be compared".to_owned())))
}

async fn live(inner: &Inner, model: &Model) -> Result<Checkpoint, RunError> {
    let stored = checkpoints::positions(&inner.db, &[model.name()]).await?;
    let none = Checkpoint {
        position: Position::ZERO,
        epoch: 0,
        version: model.projector.version(),
        generation: 0,
        recorded_at: domain::Instant::default(),
    };
    let Some((_, checkpoint)) = stored.into_iter().next() else {
        let mut tx = inner.db.begin().await?;
        checkpoints::ensure(&mut tx, model.name(), none.version).await?;
        tx.commit().await?;
        return Ok(none);
    };
    Ok(checkpoint)
}
