//! Moves one read model along the log, one transaction a step.

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Position;
use tokio::sync::watch;

use super::apply::{Applied, Work, apply, park_refused, readable, work};
use super::checkpoint::{self, Checkpoint};
use super::error::RunError;
use super::feed::Chunk;
use super::lease::{self, Lease};
use super::parked::{self, ParkedEvent};
use super::projector::Projector;
use super::state::{Inner, Model, State};
use crate::changes::Changes;
use crate::rebuild;
use crate::sql::{SqlError, Suffix, Tx, Value};

/// Longest pause after a failure that may pass.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// A read model under this process's lease.
pub(crate) struct Worker {
    inner: Arc<Inner>,
    model: Arc<Model>,
    lease: Lease,
    /// Where it was when it was taken over.
    since: Position,
    checkpoint: Checkpoint,
    /// How many events the next step takes; shrinks to find an event that the database refuses.
    limit: usize,
    /// Erased rows may linger in the write-ahead log or in dead tuples until they are scrubbed.
    scrub: bool,
}

impl Worker {
    /// Takes the lease and brings the tables to the version of the code; `None` when another
    /// process holds the lease.
    pub async fn start(inner: &Arc<Inner>, model: &Arc<Model>) -> Result<Option<Self>, RunError> {
        let (name, version) = (model.name(), model.projector.version());
        let config = &inner.config;
        let now = inner.clock.now();
        let taken = lease::acquire(&inner.db, name, &config.owner, version, now, config.lease).await?;
        let Some(lease) = taken else { return Ok(None) };
        let mut checkpoint = current(inner, name).await?;
        if checkpoint.version > version {
            return Err(RunError::NewerModel { model: name, found: checkpoint.version, known: version });
        }
        let head = inner.feed.reader().head().await?.position;
        let unbegun = checkpoint.position == Position::ZERO && head.get() > config.bulk;
        if checkpoint.version < version || unbegun {
            model.set(State::Rebuilding);
            tracing::info!(model = name, from = checkpoint.version, to = version, "building beside");
            rebuild::upgrade(inner, model, &lease).await?;
            checkpoint = current(inner, name).await?;
        }
        rebuild::drop_stale(inner, model).await?;
        model.advance(checkpoint.position);
        Ok(Some(Self {
            inner: Arc::clone(inner),
            model: Arc::clone(model),
            lease,
            since: checkpoint.position,
            checkpoint,
            limit: config.batch,
            // What a crash may have left. PostgreSQL's own vacuum comes to it by itself.
            scrub: !inner.db.is_postgres(),
        }))
    }

    /// Applies the next events; how many. Zero at the end of the log.
    pub async fn step(&mut self) -> Result<usize, RunError> {
        self.hold_lease().await?;
        let projector = self.model.projector.as_ref();
        let feed = &self.inner.feed;
        let chunk = feed.after(self.checkpoint.position, self.limit, projector.reads_personal()).await?;
        let (count, newer) = readable(projector, &chunk);
        if count == 0 {
            return newer.map_or(Ok(0), |error| Err(error.into()));
        }
        match self.commit(&chunk, count).await {
            Err(RunError::Sql(SqlError::Data { code })) => self.find_refused(&chunk, count, &code).await,
            Err(error) => Err(error),
            Ok(()) => {
                self.limit = (self.limit * 2).min(self.inner.config.batch);
                Ok(count)
            }
        }
    }

    async fn commit(&mut self, chunk: &Chunk, count: usize) -> Result<(), RunError> {
        let projector = Arc::clone(&self.model.projector);
        let work = work(projector.as_ref(), chunk, 0..count);
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.begin().await?;
        // First, for this locks the row: a rebuild's swap and a retry wait for us, or we for them.
        let to = self.move_checkpoint(&mut tx, chunk, count).await?;
        let mut applied = Applied::default();
        let mut purged = false;
        if !work.is_empty() {
            let mut keys = parked::keys(&mut tx, projector.name()).await?;
            applied = apply(&mut tx, projector.as_ref(), Suffix::Live, &work, &mut keys, now).await?;
            parked::park(&mut tx, &applied.parked).await?;
            rebuild::purge_copies(&mut tx, &self.inner, &self.model, &work, &applied.erased).await?;
            purged = purge_parked(&mut tx, projector.as_ref(), &work, &applied.parked).await?;
        }
        fail::fail_point!("projection.before-commit");
        tx.commit().await?;
        fail::fail_point!("projection.after-commit");
        self.checkpoint = to;
        self.scrub |= purged || !applied.erased.is_empty();
        self.tell(applied, count);
        Ok(())
    }

    async fn move_checkpoint(
        &self,
        tx: &mut Tx,
        chunk: &Chunk,
        count: usize,
    ) -> Result<Checkpoint, RunError> {
        let Some(last) = count.checked_sub(1).and_then(|index| chunk.events.get(index)) else {
            return Ok(self.checkpoint);
        };
        let to = (last.position, last.recorded_at);
        let now = self.inner.clock.now();
        if !checkpoint::advance(tx, self.model.name(), &self.checkpoint, to, now).await? {
            return Err(RunError::Fenced);
        }
        Ok(Checkpoint { position: to.0, recorded_at: to.1, ..self.checkpoint })
    }

    fn tell(&self, applied: Applied, count: usize) {
        let name = self.model.name();
        metrics::counter!("projection_events_total", "model" => name).increment(count as u64);
        if !applied.parked.is_empty() {
            let parked = applied.parked.len() as u64;
            metrics::counter!("projection_parked_total", "model" => name).increment(parked);
            tracing::warn!(model = name, parked, "events are parked");
        }
        self.model.advance(self.checkpoint.position);
        if !applied.changes.is_empty() {
            let (since, position) = (self.since, self.checkpoint.position);
            let changes = Changes { model: name, since, position, clues: applied.changes.into() };
            // Nobody listening is no failure.
            let _ = self.inner.changes.send(changes);
        }
    }

    /// The database refused some event's data. Halve until it stands alone, then park it.
    async fn find_refused(&mut self, chunk: &Chunk, count: usize, code: &str) -> Result<usize, RunError> {
        if count > 1 {
            self.limit = count / 2;
            self.commit_prefix(chunk, count / 2, code).await?;
            return Ok(1);
        }
        let projector = Arc::clone(&self.model.projector);
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.begin().await?;
        let to = self.move_checkpoint(&mut tx, chunk, 1).await?;
        let work = work(projector.as_ref(), chunk, 0..1);
        let parked = park_refused(projector.as_ref(), &work, code, now);
        parked::park(&mut tx, &parked).await?;
        let purged = purge_parked(&mut tx, projector.as_ref(), &work, &parked).await?;
        tx.commit().await?;
        self.checkpoint = to;
        self.scrub |= purged;
        let applied = Applied { parked, ..Applied::default() };
        self.tell(applied, 1);
        Ok(1)
    }

    /// Tries the first half; a half that is refused too is halved by the next step.
    async fn commit_prefix(&mut self, chunk: &Chunk, count: usize, code: &str) -> Result<(), RunError> {
        match self.commit(chunk, count).await {
            Err(RunError::Sql(SqlError::Data { .. })) => {
                tracing::warn!(model = self.model.name(), code, count, "the database refuses a batch");
                Ok(())
            }
            other => other,
        }
    }

    async fn hold_lease(&mut self) -> Result<(), RunError> {
        let now = self.inner.clock.now();
        let ttl = self.inner.config.lease;
        if lease::is_fresh(self.lease.expires_at, now, ttl) {
            return Ok(());
        }
        if lease::renew(&self.inner.db, &mut self.lease, now, ttl).await? {
            Ok(())
        } else {
            Err(RunError::Fenced)
        }
    }

    /// Makes sure that erased rows are gone from the files, not only from the tables.
    async fn scrub(&mut self) {
        if !self.scrub {
            return;
        }
        match rebuild::scrub(&self.inner.db, self.model.projector.as_ref()).await {
            Ok(()) => self.scrub = false,
            Err(error) => tracing::warn!(model = self.model.name(), %error, "scrubbing must be repeated"),
        }
    }

    /// Follows the log until it may not go on, or until told to stop.
    pub async fn follow(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), RunError> {
        let mut wake = self.inner.wake.clone();
        let (shortest, longest) = (self.inner.config.poll_min, self.inner.config.poll_max);
        let mut pause = shortest;
        let mut tried = false;
        self.model.set(State::Following);
        while !*stop.borrow() {
            let applied = self.step().await?;
            // Erased rows go at once; when that failed, at the next rest.
            if applied == 0 || !std::mem::replace(&mut tried, self.scrub) {
                self.scrub().await;
            }
            if applied > 0 {
                pause = shortest;
                continue;
            }
            let woken = async {
                if let Some(wake) = wake.as_mut()
                    && wake.changed().await.is_ok()
                {
                    return;
                }
                // A closed channel never wakes again; the poll goes on.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = woken => pause = shortest,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(longest),
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Applies everything that the log holds now.
    pub async fn catch_up(&mut self) -> Result<(), RunError> {
        let head = self.inner.feed.reader().head().await?.position;
        while self.checkpoint.position < head {
            if self.step().await? == 0 {
                break;
            }
        }
        self.scrub().await;
        Ok(())
    }

    /// Lets the lease go.
    pub async fn finish(self) {
        if let Err(error) = lease::release(&self.inner.db, &self.lease).await {
            tracing::debug!(model = self.model.name(), %error, "the lease will expire by itself");
        }
    }
}

/// Deletes the rows of people whose erasure had to be parked, from the copies that serve or may.
async fn purge_parked(
    tx: &mut Tx,
    projector: &dyn Projector,
    work: &[Work<'_>],
    parked: &[ParkedEvent],
) -> Result<bool, SqlError> {
    rebuild::purge_parked(tx, projector, &[Suffix::Live, Suffix::Old], work, parked).await
}

async fn current(inner: &Inner, name: &str) -> Result<Checkpoint, RunError> {
    let mut tx = inner.db.begin().await?;
    let checkpoint = checkpoint::get(&mut tx, name).await?;
    tx.rollback().await?;
    checkpoint.ok_or(RunError::Fenced)
}

/// Keeps a read model running until told to stop: takes the lease whenever it is free, follows the
/// log, and tries again after failures that may pass.
pub(crate) async fn run(inner: Arc<Inner>, model: Arc<Model>, mut stop: watch::Receiver<bool>) {
    let mut backoff = inner.config.poll_max;
    while !*stop.borrow() {
        let result = match Worker::start(&inner, &model).await {
            Ok(Some(mut worker)) => {
                backoff = inner.config.poll_max;
                let result = worker.follow(&mut stop).await;
                if !matches!(result, Err(RunError::Fenced)) {
                    worker.finish().await;
                }
                result
            }
            Ok(None) => {
                model.set(State::Standby);
                Err(RunError::Held(model.name().to_owned()))
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => break,
            Err(RunError::Held(_) | RunError::Fenced) => backoff = inner.config.lease / 3,
            Err(error) if error.is_transient() => {
                tracing::warn!(model = model.name(), %error, "trying again");
                model.set(State::Failing { reason: error.to_string() });
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
            Err(error) => {
                tracing::error!(model = model.name(), %error, "stopped");
                model.set(State::Stopped { reason: error.to_string() });
                return;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            _ = stop.changed() => {}
        }
    }
    model.set(State::Idle);
}

/// Folds a key's parked events again, in order; how many are left.
pub(crate) async fn retry(inner: &Inner, model: &Model, key: &str) -> Result<usize, RunError> {
    let projector = model.projector.as_ref();
    let name = projector.name();
    let mut tx = inner.db.begin().await?;
    let Some(at) = checkpoint::lock(&mut tx, name).await? else {
        return Err(RunError::Unknown(name.to_owned()));
    };
    let waiting = parked::of_key(&mut tx, name, key).await?;
    let mut erased = false;
    let mut left = Vec::new();
    let mut keys = std::collections::BTreeSet::new();
    for event in &waiting {
        let before = Position::new(event.position.get() - 1);
        let chunk = inner.feed.fresh(before, 1, projector.reads_personal()).await?;
        if let (0, Some(error)) = readable(projector, &chunk) {
            return Err(error.into());
        }
        let item = work(projector, &chunk, 0..1);
        let applied = apply(&mut tx, projector, Suffix::Live, &item, &mut keys, event.parked_at).await?;
        rebuild::purge_copies(&mut tx, inner, model, &item, &applied.erased).await?;
        erased |= !applied.erased.is_empty();
        left.extend(
            applied.parked.into_iter().map(|again| ParkedEvent { attempts: event.attempts + 1, ..again }),
        );
    }
    parked::unpark(&mut tx, name, key).await?;
    parked::park(&mut tx, &left).await?;
    // The row is written although nothing moves, so that watchers of `updated_at` see the retry.
    let touch = "UPDATE checkpoints SET updated_at = $1 WHERE name = $2 AND epoch = $3";
    let now = inner.clock.now().micros();
    tx.execute(touch, &[Value::Int(now), name.into(), at.epoch.into()]).await?;
    tx.commit().await?;
    if erased {
        rebuild::scrub(&inner.db, projector).await?;
    }
    Ok(left.len())
}
