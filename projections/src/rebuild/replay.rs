//! Folding the log from its beginning into a copy of a read model's tables.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use domain::envelope::Position;

use super::{Progress, ddl};
use crate::runner::{
    Checkpoint, Chunk, Inner, Lease, Model, ParkedEvent, RunError, apply, checkpoint as checkpoints,
    lease as leases, park, readable, work,
};
use crate::sql::{SqlError, Suffix, Tx};

/// Most events in one transaction of a replay; nobody waits for its rows.
const BATCH: usize = 4_000;

/// A copy under construction.
pub(super) struct Replay<'a> {
    inner: &'a Inner,
    model: &'a Model,
    suffix: Suffix,
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

impl<'a> Replay<'a> {
    /// Drops what an interrupted replay left, and begins with empty tables.
    pub async fn begin(
        inner: &'a Inner,
        model: &'a Model,
        suffix: Suffix,
        generation: i64,
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
        tx.commit().await?;
        Ok(Self { inner, model, suffix, checkpoint, parked: Vec::new(), parked_keys: BTreeSet::new() })
    }

    /// Folds up to `target`. Reading and decoding of the next chunk overlap with writing.
    pub async fn advance(
        &mut self,
        target: Position,
        leases: &mut [&mut Lease],
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), RunError> {
        let inner = self.inner;
        let clear = self.model.projector.reads_personal();
        let mut chunk = inner.feed.fresh(self.checkpoint.position, BATCH, clear).await?;
        while self.checkpoint.position < target {
            let count = self.within(&chunk, target)?;
            if count == 0 {
                break;
            }
            let behind = self.checkpoint.position.plus(count);
            let next = async {
                if behind < target {
                    inner.feed.fresh(behind, BATCH, clear).await.map(Some)
                } else {
                    Ok(None)
                }
            };
            let (written, read) = tokio::join!(self.write(&chunk, count), next);
            written?;
            progress(Progress { position: self.checkpoint.position, head: target });
            hold(inner, leases).await?;
            match read? {
                Some(read) => chunk = read,
                None => break,
            }
        }
        Ok(())
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

    /// Writes the next `count` events of the chunk, which begins at the checkpoint. What the database
    /// refuses is found by halving and parks, as it does in the live model.
    async fn write(&mut self, chunk: &Arc<Chunk>, count: usize) -> Result<(), RunError> {
        let mut ranges: Vec<Range<usize>> = std::iter::once(0..count).collect();
        while let Some(range) = ranges.pop() {
            match self.write_range(chunk, range.clone()).await {
                Err(RunError::Sql(SqlError::Data { .. })) if range.len() > 1 => {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
                Err(RunError::Sql(SqlError::Data { code })) => self.park(chunk, range, &code).await?,
                other => other?,
            }
        }
        Ok(())
    }

    async fn write_range(&mut self, chunk: &Chunk, range: Range<usize>) -> Result<(), RunError> {
        let mut tx = self.inner.db.begin().await?;
        let mark = self.mark();
        let written = self.write_in(&mut tx, chunk, range).await;
        if written.is_err() {
            self.go_back(mark);
            tx.rollback().await?;
            return written;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn write_in(&mut self, tx: &mut Tx, chunk: &Chunk, range: Range<usize>) -> Result<(), RunError> {
        let projector = self.model.projector.as_ref();
        let work = work(projector, chunk, range.clone());
        let now = self.inner.clock.now();
        let applied = apply(tx, projector, self.suffix, &work, &mut self.parked_keys, now).await?;
        self.parked.extend(applied.parked);
        self.pass(tx, chunk, range).await
    }

    async fn park(&mut self, chunk: &Chunk, range: Range<usize>, code: &str) -> Result<(), RunError> {
        let projector = self.model.projector.as_ref();
        let now = self.inner.clock.now();
        let reason = format!("the database refuses it ({code})");
        for item in work(projector, chunk, range.clone()) {
            self.parked.push(park(projector, &item, &reason, now));
            self.parked_keys.insert(item.key);
        }
        let mut tx = self.inner.db.begin().await?;
        self.pass(&mut tx, chunk, range).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Moves the copy's checkpoint behind the range.
    async fn pass(&mut self, tx: &mut Tx, chunk: &Chunk, range: Range<usize>) -> Result<(), RunError> {
        if let Some(last) = range.end.checked_sub(1).and_then(|index| chunk.events.get(index)) {
            self.checkpoint.position = last.position;
            self.checkpoint.recorded_at = last.recorded_at;
        }
        checkpoints::put(tx, &copy_name(self.model, self.suffix), &self.checkpoint).await?;
        Ok(())
    }

    /// Folds the last few events up to `target` in a transaction that holds the live checkpoint.
    pub async fn finish_in(&mut self, tx: &mut Tx, target: Position) -> Result<(), RunError> {
        let clear = self.model.projector.reads_personal();
        while self.checkpoint.position < target {
            let chunk = self.inner.feed.fresh(self.checkpoint.position, BATCH, clear).await?;
            let count = self.within(&chunk, target)?;
            if count == 0 {
                break;
            }
            self.write_in(tx, &chunk, 0..count).await?;
        }
        Ok(())
    }

    /// Builds the indexes, now that most rows are in.
    pub async fn index(&self) -> Result<(), RunError> {
        for table in self.model.projector.tables() {
            let mut tx = self.inner.db.begin().await?;
            ddl::create_other_indexes(&mut tx, table, self.suffix, self.checkpoint.generation).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Drops the copy.
    pub async fn discard(self) -> Result<(), RunError> {
        let mut tx = self.inner.db.begin().await?;
        drop_copies(&mut tx, self.model, self.suffix).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The name of a copy's checkpoint.
pub(super) fn copy_name(model: &Model, suffix: Suffix) -> String {
    format!("{}{}", model.name(), suffix.as_str())
}

pub(super) async fn drop_copies(tx: &mut Tx, model: &Model, suffix: Suffix) -> Result<(), RunError> {
    for table in model.projector.tables() {
        ddl::drop_copy(tx, table, suffix).await?;
    }
    checkpoints::remove(tx, &copy_name(model, suffix)).await?;
    Ok(())
}

async fn hold(inner: &Inner, leases: &mut [&mut Lease]) -> Result<(), RunError> {
    let ttl = inner.config.lease;
    for lease in leases {
        let now = inner.clock.now();
        if !leases::is_fresh(lease.expires_at, now, ttl) && !leases::renew(&inner.db, lease, now, ttl).await?
        {
            return Err(RunError::Fenced);
        }
    }
    Ok(())
}
