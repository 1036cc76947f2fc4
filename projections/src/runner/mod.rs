//! Runs read models: reads the log in batches, folds them in memory, commits rows and checkpoint in
//! one transaction.
//!
//! Guarantees: every event has its effect exactly once, whatever crashes, for the checkpoint moves
//! by compare-and-set on position and fencing epoch in the rows' own transaction; at most one
//! process moves a read model; an event that cannot be folded parks with its successors of the same
//! key while other keys go on; an event that a newer program wrote stops the model, and so does a
//! hole in the log.
//!
//! Deliberately absent: NOTIFY, and any clock in a fold. The clock here times leases and lag only.

mod apply;
pub(crate) mod checkpoint;
mod clock;
mod error;
mod feed;
mod lag;
pub(crate) mod lease;
pub(crate) mod parked;
mod projector;
mod state;
#[cfg(test)]
mod tests;
mod wait;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Position;
use domain::ports::{EventReader, ReadError, Unsealer};
use domain::values::Instant;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::changes::Changes;
use crate::read::Moment;
use crate::rebuild::{self, Progress, Report};
use crate::sql::{Database, SqlError};

pub(crate) use apply::{Work, apply, park_refused, readable, work};
pub(crate) use checkpoint::Checkpoint;
pub(crate) use feed::{Chunk, Feed};
pub(crate) use lease::Lease;
pub(crate) use state::{Inner, Model};

pub use clock::{Clock, SystemClock};
pub use error::{RunError, WaitError};
pub use lag::Lag;
pub use parked::ParkedEvent;
pub use projector::{Batch, Folding, Poison, Projector, concerns_a_line, subject_key};
pub use state::{Config, ModelState, State};

/// Changes that a slow watcher may be behind before it must read the table instead.
const CHANGES: usize = 1_024;
/// How often lag is measured.
const OBSERVE: Duration = Duration::from_secs(5);

/// What the runner needs from outside.
pub struct Ports {
    /// Reads the log.
    pub reader: Arc<dyn EventReader>,
    /// Opens personal data.
    pub unsealer: Arc<dyn Unsealer>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Positions that the writer of this process has committed, when it writes.
    pub wake: Option<watch::Receiver<Position>>,
}

/// The read models of a process. Cheap to clone.
#[derive(Clone)]
pub struct Projections {
    inner: Arc<Inner>,
    /// How many workers build a copy when somebody asks for one.
    workers: usize,
}

impl Projections {
    /// Puts read models on a database. Nothing runs yet.
    #[must_use]
    pub fn new(db: Database, ports: Ports, config: Config, models: Vec<Arc<dyn Projector>>) -> Self {
        let workers = config.workers;
        let inner = Inner {
            db,
            feed: Feed::new(ports.reader, ports.unsealer),
            clock: ports.clock,
            config,
            models: models.into_iter().map(|projector| Arc::new(Model::new(projector))).collect(),
            changes: broadcast::Sender::new(CHANGES),
            wake: ports.wake,
        };
        Self { inner: Arc::new(inner), workers }
    }

    /// The same read models, rebuilt and verified by so many workers. On SQLite it is one whatever is
    /// asked for, since it has one writer.
    #[must_use]
    pub fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// The names of the read models.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.inner.models.iter().map(|model| model.name()).collect()
    }

    /// Runs every read model until `stop` becomes true, one task each. A model that another process
    /// leads stands by. Returns when all have let their leases go.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        for model in &self.inner.models {
            tasks.spawn(worker::run(Arc::clone(&self.inner), Arc::clone(model), stop.clone()));
        }
        let observer = self.clone();
        let mut observed = stop;
        tasks.spawn(async move {
            while !*observed.borrow() {
                if let Err(error) = observer.lag().await {
                    tracing::debug!(%error, "lag is not known");
                }
                if let Err(error) = rebuild::sweep(&observer.inner).await {
                    tracing::debug!(%error, "interrupted rebuilds are swept later");
                }
                tokio::select! {
                    () = tokio::time::sleep(OBSERVE) => {}
                    _ = observed.changed() => {}
                }
            }
        });
        while tasks.join_next().await.is_some() {}
    }

    /// Brings every read model to the end of the log as it is now, and lets the leases go.
    ///
    /// # Errors
    /// The first failure; [`RunError::Held`] when another process leads a model.
    pub async fn catch_up(&self) -> Result<(), RunError> {
        let all = self.inner.models.iter().map(|model| async move {
            let started = worker::Worker::start(&self.inner, model).await?;
            let mut worker = started.ok_or_else(|| RunError::Held(model.name().to_owned()))?;
            let result = worker.catch_up().await;
            worker.finish().await;
            result
        });
        futures::future::try_join_all(all).await.map(drop)
    }

    /// Waits until every named read model has `position`, so that its rows show what the caller
    /// wrote.
    ///
    /// # Errors
    /// [`WaitError::Stale`] with where the slowest is, when the time is over.
    pub async fn wait_for(
        &self,
        models: &[&str],
        position: Position,
        timeout: Duration,
    ) -> Result<(), WaitError> {
        wait::wait_for(&self.inner, models, position, timeout).await
    }

    /// The place in the log that an instant is about; `None` when it is yet to come, for what is
    /// recorded until then is not known.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn moment(&self, at: Instant) -> Result<Option<Moment>, ReadError> {
        if at > self.inner.clock.now() {
            return Ok(None);
        }
        let reader = self.inner.feed.reader();
        let position = reader.position_at(at).await?;
        Ok(Some(Moment { at, position, head: reader.head().await?.position }))
    }

    /// How far each read model is behind the log.
    ///
    /// # Errors
    /// When the log or the database cannot be read.
    pub async fn lag(&self) -> Result<Vec<Lag>, RunError> {
        lag::measure(&self.inner).await
    }

    /// What the task of each read model does in this process.
    #[must_use]
    pub fn states(&self) -> Vec<ModelState> {
        let state = |model: &Arc<Model>| ModelState { model: model.name(), state: model.state() };
        self.inner.models.iter().map(state).collect()
    }

    /// Changes of rows from now on, each after its commit.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Changes> {
        self.inner.changes.subscribe()
    }

    /// Up to `limit` parked events, of one read model or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn parked(&self, model: Option<&str>, limit: i64) -> Result<Vec<ParkedEvent>, SqlError> {
        parked::list(&self.inner.db, model, limit).await
    }

    /// Folds the parked events of a key again; how many are left.
    ///
    /// # Errors
    /// When the log, the keys or the database fail; nothing is changed then.
    pub async fn retry_parked(&self, model: &str, key: &str) -> Result<usize, RunError> {
        worker::retry(&self.inner, self.model(model)?, key).await
    }

    /// Builds a read model beside from the beginning of the log, compares the copy with the live
    /// one, swaps it in, and keeps the former copy.
    ///
    /// # Errors
    /// When the log, the keys or the database fail; the live tables are as they were then.
    pub async fn rebuild(
        &self,
        model: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Report, RunError> {
        rebuild::rebuild(&self.inner, self.model(model)?, self.workers, progress).await
    }

    /// Builds a read model beside from the beginning of the log and compares the copy with the live
    /// one; changes nothing.
    ///
    /// # Errors
    /// When the log, the keys or the database fail.
    pub async fn verify(
        &self,
        model: &str,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Report, RunError> {
        rebuild::verify(&self.inner, self.model(model)?, self.workers, progress).await
    }

    /// Goes back to the copy that the last rebuild retired; the runner then catches it up.
    ///
    /// # Errors
    /// [`RunError::NoFormer`] when there is none.
    pub async fn roll_back(&self, model: &str) -> Result<(), RunError> {
        rebuild::roll_back(&self.inner, self.model(model)?).await
    }

    /// The database that queries read.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.db
    }

    fn model(&self, name: &str) -> Result<&Arc<Model>, RunError> {
        self.inner.model(name).ok_or_else(|| RunError::Unknown(name.to_owned()))
    }

    /// What a rebuild of the clue list is made of, for tests that interrupt one.
    #[cfg(test)]
    pub(crate) fn rebuild_parts(&self) -> (Arc<Inner>, Arc<Model>) {
        let model = self.inner.model("clue_list").cloned();
        (Arc::clone(&self.inner), model.unwrap_or_else(|| Arc::clone(&self.inner.models[0])))
    }
}
