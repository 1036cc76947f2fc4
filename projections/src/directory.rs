//! Lines, operators and teams in memory, so that no request reads them from the database.
//!
//! Guarantees: a snapshot is whole and immutable; it follows the read models `lines` and
//! `operators`, whichever process moves them, within a poll. Deliberately absent: writing.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::envelope::Position;
use domain::ids::{OperatorId, TeamId};
use domain::values::LineKey;
use tokio::sync::{Mutex, watch};

use crate::lines::{self, Line};
use crate::operators::{self, OperatorEntry, TeamEntry};
use crate::read::Viewer;
use crate::sql::{Database, SqlError};

/// How often the models are looked at.
const POLL: Duration = Duration::from_millis(100);

/// Lines, operators and teams at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Business lines by key.
    pub lines: BTreeMap<LineKey, Line>,
    /// Operators by id.
    pub operators: BTreeMap<OperatorId, OperatorEntry>,
    /// Teams by id.
    pub teams: BTreeMap<TeamId, TeamEntry>,
    /// The last events in it, of lines, operators and teams.
    positions: [Position; 3],
}

impl Snapshot {
    /// What an operator may see; nothing when unknown or suspended.
    #[must_use]
    pub fn viewer(&self, operator_id: OperatorId) -> Option<Viewer> {
        let operator = self.operators.get(&operator_id).filter(|operator| !operator.suspended)?;
        Some(Viewer::operator(operator_id, operator.roles.clone(), operator.scope.clone()))
    }

    /// What an operator is called.
    #[must_use]
    pub fn operator_name(&self, operator_id: OperatorId) -> Option<&str> {
        self.operators.get(&operator_id)?.name.as_deref()
    }
}

/// The directory of a process. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    db: Database,
    snapshot: Arc<RwLock<Arc<Snapshot>>>,
    /// Held while it is read again, so that whoever reads later has the newer one, and nobody reads what
    /// another one just has.
    reading: Arc<Mutex<()>>,
}

impl Directory {
    /// Reads the directory as it is now.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn open(db: Database) -> Result<Self, SqlError> {
        let directory = Self { db, snapshot: Arc::default(), reading: Arc::default() };
        directory.refresh().await?;
        Ok(directory)
    }

    /// The directory now.
    #[must_use]
    pub fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the directory again when its models have moved; whether they had.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn refresh(&self) -> Result<bool, SqlError> {
        let _reading = self.reading.lock().await;
        let positions = self.positions().await?;
        if positions == self.now().positions {
            return Ok(false);
        }
        let lines = lines::load(&self.db).await?;
        let (operators, teams) = operators::load(&self.db).await?;
        let snapshot = Snapshot {
            lines: lines.into_iter().map(|line| (line.key.clone(), line)).collect(),
            operators: operators.into_iter().map(|operator| (operator.id, operator)).collect(),
            teams: teams.into_iter().map(|team| (team.id, team)).collect(),
            // Taken before the rows: rows that are newer are read once more, never missed.
            positions,
        };
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        Ok(true)
    }

    /// Follows the models until `stop` becomes true.
    pub async fn follow(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "the directory is not refreshed");
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// The last events in the rows. The checkpoints would not do: they move with every event.
    async fn positions(&self) -> Result<[Position; 3], SqlError> {
        let sql = "SELECT (SELECT coalesce(max(position), 0) FROM lines), \
                   (SELECT coalesce(max(position), 0) FROM operators), \
                   (SELECT coalesce(max(position), 0) FROM teams)";
        match self.db.fetch(sql, &[]).await?.first() {
            Some(row) => Ok([row.get(0)?, row.get(1)?, row.get(2)?]),
            None => Ok([Position::ZERO; 3]),
        }
    }
}
