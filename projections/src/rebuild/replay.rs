//! Folding the log from its beginning into a copy of a read model's tables.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use domain::envelope::Position;
use tokio::task::JoinHandle;

use super::apart::{self, Target};
use super::guard::Guard;
use super::{Phase, Progress, ddl, purge_parked};
use crate::runner::{
    Checkpoint, Chunk, Inner, Model, ParkedEvent, RunError, apply, checkpoint as checkpoints, park_refused,
    readable, work,
};
use crate::sql::{SqlError, Suffix, Tx};

/// Most events of one worker in one transaction of a replay; nobody waits for its rows.
const BATCH: usize = 4_000;
/// Most events that are read at once, for however many workers: they are in memory.
const CHUNK: usize = 12_000;
/// Chunks that are read and decoded while one is written.
const AHEAD: usize = 2;
/// More workers than this would take the connections of everybody else.
const WORKERS: usize = 8;

/// A copy under construction.
pub(super) struct Replay {
    inner: Arc<Inner>,
    model: Arc<Model>,
    pub guard: Arc<Guard>,
    pub suffix: Suffix,
    workers: usize,
    pub checkpoint: Checkpoint,
    pub parked: Vec<ParkedEvent>,
    parked_keys: BTreeSet<String>,
}

/// Where a replay was before a transaction.
pub(super) struct Mark {
    checkpoint: Checkpoint,
    parked: usize,
    parked_keys: BTreeSet<String>,
}

/// A chunk that is being read.
type Reading = JoinHandle<Result<Arc<Chunk>, RunError>>;

impl Replay {
    /// Drops what an interrupted replay left, and begins with empty tables.
    pub async fn begin(
        guard: &Arc<Guard>,
        inner: &Arc<Inner>,
        model: &Arc<Model>,
        suffix: Suffix,
        generation: i64,
        workers: usize,
    ) -> Result<Self, RunError> {
        let projector = model.projector.as_ref();
        let checkpoint = Checkpoint {
            position: Position::ZERO,
            epoch: 0,
            version: projector.version(),
            generation,
            recorded_at: domain::Instant::default(),
        };
        let mut tx = inner.db.begin().await?;
        for table in projector.tables() {
            ddl::drop_copy(&mut tx, table, suffix).await?;
            ddl::create_copy(&mut tx, table, suffix, generation).await?;
        }
        checkpoints::put(&mut tx, &copy_name(model, suffix), &checkpoint).await?;
        guard.fence(&mut tx).await?;
        tx.commit().await?;
        // SQLite has one writer, so several would only wait for each other.
        let workers = if inner.db.is_postgres() { workers.clamp(1, WORKERS) } else { 1 };
        Ok(Self {
            inner: Arc::clone(inner),
            model: Arc::clone(model),
            guard: Arc::clone(guard),
            suffix,
            workers,
            checkpoint,
            parked: Vec::new(),
            parked_keys: BTreeSet::new(),
        })
    }

    /// Folds up to `target`. Reading and decoding of the next chunks overlap with writing.
    pub async fn advance(
        &mut self,
        target: Position,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), RunError> {
        let mut ahead: VecDeque<Reading> = VecDeque::new();
        let mut asked = self.checkpoint.position;
        while self.checkpoint.position < target {
            while asked < target && ahead.len() <= AHEAD {
                let until = asked.plus((BATCH * self.workers).min(CHUNK)).min(target);
                ahead.push_back(self.read(asked, until));
                asked = until;
            }
            let Some(next) = ahead.pop_front() else { break };
            let chunk = next.await.map_err(|_| RunError::Interrupted)??;
            let count = self.within(&chunk, target)?;
            if count == 0 {
                break;
            }
            self.guard.check().await?;
            self.write(&chunk, count).await?;
            if self.checkpoint.position < asked && ahead.is_empty() {
                asked = self.checkpoint.position;
            }
            progress(Progress { phase: Phase::Building, position: self.checkpoint.position, head: target });
        }
        Ok(())
    }

    /// Tells that another phase begins.
    pub fn tell(&self, phase: Phase, progress: &(dyn Fn(Progress) + Send + Sync)) {
        let position = self.checkpoint.position;
        progress(Progress { phase, position, head: position });
    }

    fn read(&self, after: Position, until: Position) -> Reading {
        let (inner, clear) = (Arc::clone(&self.inner), self.model.projector.reads_personal());
        tokio::spawn(async move { inner.feed.stretch(after, until, clear).await })
    }

    /// Where the replay is, to be kept before a transaction that may fail.
    pub fn mark(&self) -> Mark {
        Mark { checkpoint: self.checkpoint, parked: self.parked.len(), parked_keys: self.parked_keys.clone() }
    }

    /// Goes back to where the database is after a transaction failed.
    pub fn go_back(&mut self, mark: Mark) {
        self.checkpoint = mark.checkpoint;
        self.parked.truncate(mark.parked);
        self.parked_keys = mark.parked_keys;
    }

    /// How many events of the chunk are not behind the target and readable by this program.
    fn within(&self, chunk: &Chunk, target: Position) -> Result<usize, RunError> {
        let (count, newer) = readable(self.model.projector.as_ref(), chunk);
        let wanted = chunk.events.iter().take_while(|event| event.position <= target).count();
        match newer {
            Some(error) if count < wanted => Err(error.into()),
            _ => Ok(wanted),
        }
    }

    /// Writes the next `count` events of the chunk, which begins at the checkpoint, and moves it.
    async fn write(&mut self, chunk: &Arc<Chunk>, count: usize) -> Result<(), RunError> {
        let target = Target {
            inner: Arc::clone(&self.inner),
            model: Arc::clone(&self.model),
            guard: Arc::clone(&self.guard),
            suffix: self.suffix,
        };
        let folded = apart::fold(&target, chunk, count, self.workers, &self.parked_keys).await?;
        self.parked.extend(folded.parked);
        self.parked_keys = folded.parked_keys;
        let mut tx = self.inner.db.begin().await?;
        self.pass(&mut tx, chunk, count).await?;
        self.guard.fence(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Moves the copy's checkpoint behind the first `count` events.
    async fn pass(&mut self, tx: &mut Tx, chunk: &Chunk, count: usize) -> Result<(), RunError> {
        if let Some(last) = count.checked_sub(1).and_then(|index| chunk.events.get(index)) {
            self.checkpoint.position = last.position;
            self.checkpoint.recorded_at = last.recorded_at;
        }
        checkpoints::put(tx, &copy_name(&self.model, self.suffix), &self.checkpoint).await?;
        Ok(())
    }

    /// Folds the last few events up to `target` in a transaction of the copy alone.
    pub async fn finish_alone(&mut self, mut tx: Tx, target: Position) -> Result<(), RunError> {
        self.finish_in(&mut tx, target).await?;
        self.guard.fence(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Folds the last few events up to `target` as a part of a transaction.
    pub async fn finish_in(&mut self, tx: &mut Tx, target: Position) -> Result<(), RunError> {
        let clear = self.model.projector.reads_personal();
        while self.checkpoint.position < target {
            let chunk = self.inner.feed.fresh(self.checkpoint.position, BATCH, clear).await?;
            let count = self.within(&chunk, target)?;
            if count == 0 {
                break;
            }
            self.fold_in(tx, &chunk, count).await?;
            self.pass(tx, &chunk, count).await?;
        }
        Ok(())
    }

    /// Folds the first `count` events. What the database refuses is found by halving and parks, as it
    /// does in the live model.
    async fn fold_in(&mut self, tx: &mut Tx, chunk: &Chunk, count: usize) -> Result<(), RunError> {
        let projector = Arc::clone(&self.model.projector);
        let (projector, now) = (projector.as_ref(), self.inner.clock.now());
        let mut waiting = vec![(0, count)];
        while let Some((from, until)) = waiting.pop() {
            let work = work(projector, chunk, from..until);
            if work.is_empty() {
                continue;
            }
            let mut keys = self.parked_keys.clone();
            tx.run("SAVEPOINT fold").await?;
            let parked = match apply(tx, projector, self.suffix, &work, &mut keys, now).await {
                Ok(applied) => {
                    self.parked_keys = keys;
                    applied.parked
                }
                Err(SqlError::Data { code }) => {
                    tx.run("ROLLBACK TO SAVEPOINT fold").await?;
                    if until - from > 1 {
                        tx.run("RELEASE SAVEPOINT fold").await?;
                        let half = from.midpoint(until);
                        waiting.extend([(half, until), (from, half)]);
                        continue;
                    }
                    self.parked_keys.extend(work.iter().map(|item| item.key.clone()));
                    park_refused(projector, &work, &code, now)
                }
                Err(error) => return Err(error.into()),
            };
            purge_parked(tx, projector, &[self.suffix], &work, &parked).await?;
            tx.run("RELEASE SAVEPOINT fold").await?;
            self.parked.extend(parked);
        }
        Ok(())
    }

    /// Builds the indexes, now that most rows are in.
    pub async fn index(&self) -> Result<(), RunError> {
        for table in self.model.projector.tables() {
            self.guard.check().await?;
            let mut tx = self.inner.db.begin().await?;
            ddl::create_other_indexes(&mut tx, table, self.suffix, self.checkpoint.generation).await?;
            self.guard.fence(&mut tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Drops the copy.
    pub async fn discard(self) -> Result<(), RunError> {
        discard(&self.inner, &self.model, self.suffix, &self.guard).await
    }
}

/// Drops the copy of whoever has the lease, and no other's.
pub(super) async fn discard(
    inner: &Inner,
    model: &Model,
    suffix: Suffix,
    guard: &Guard,
) -> Result<(), RunError> {
    guard.check().await?;
    let mut tx = inner.db.begin().await?;
    drop_copies(&mut tx, model, suffix).await?;
    guard.fence(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// The name of a copy's checkpoint.
pub(super) fn copy_name(model: &Model, suffix: Suffix) -> String {
    format!("{}{}", model.name(), suffix.as_str())
}

pub(super) async fn drop_copies(tx: &mut Tx, model: &Model, suffix: Suffix) -> Result<(), SqlError> {
    for table in model.projector.tables() {
        ddl::drop_copy(tx, table, suffix).await?;
    }
    checkpoints::remove(tx, &copy_name(model, suffix)).await
}
