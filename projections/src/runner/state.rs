//! What the runner's parts share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::envelope::Position;
use tokio::sync::{broadcast, watch};

use super::clock::Clock;
use super::feed::Feed;
use super::projector::Projector;
use crate::changes::Changes;
use crate::sql::Database;

/// Settings of the runner.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who takes the leases: unique to this process.
    pub owner: String,
    /// Most events in one transaction.
    pub batch: usize,
    /// A model that never began and is more events behind than this is loaded beside, without
    /// indexes, before it serves.
    pub bulk: i64,
    /// How many workers build a copy, where the database takes several writers.
    pub workers: usize,
    /// How long a lease holds without renewal.
    pub lease: Duration,
    /// Shortest pause at the end of the log.
    pub poll_min: Duration,
    /// Longest pause at the end of the log.
    pub poll_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            owner: uuid::Uuid::now_v7().to_string(),
            batch: 1_000,
            bulk: 20_000,
            workers: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            lease: Duration::from_secs(10),
            poll_min: Duration::from_millis(25),
            poll_max: Duration::from_millis(250),
        }
    }
}

/// What a read model's task is doing in this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Idle,
    /// Following the log.
    Following,
    /// Another process follows it.
    Standby,
    /// Its tables are being built beside.
    Rebuilding,
    /// It failed and tries again.
    Failing {
        /// Why; never personal data.
        reason: String,
    },
    /// It does not go on before somebody looks.
    Stopped {
        /// Why; never personal data.
        reason: String,
    },
}

/// A read model and what its task does in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelState {
    /// The read model.
    pub model: &'static str,
    /// What its task does.
    pub state: State,
}

/// A read model in this process.
pub(crate) struct Model {
    pub projector: Arc<dyn Projector>,
    progress: watch::Sender<Position>,
    state: Mutex<State>,
}

impl Model {
    pub fn new(projector: Arc<dyn Projector>) -> Self {
        Self { projector, progress: watch::Sender::new(Position::ZERO), state: Mutex::default() }
    }

    pub fn name(&self) -> &'static str {
        self.projector.name()
    }

    /// Tells those who wait how far it is. A rollback of a rebuild may move it back.
    pub fn advance(&self, position: Position) {
        self.progress.send_replace(position);
    }

    pub fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    pub fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the runner's parts share.
pub(crate) struct Inner {
    pub db: Database,
    pub feed: Feed,
    pub clock: Arc<dyn Clock>,
    pub config: Config,
    pub models: Vec<Arc<Model>>,
    pub changes: broadcast::Sender<Changes>,
    /// Positions that the writer of this process has committed.
    pub wake: Option<watch::Receiver<Position>>,
}

impl Inner {
    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| model.name() == name)
    }
}
