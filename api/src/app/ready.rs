//! What others ask of the parts: whether they can work, who an operator is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use commands::event_log::EventLog;
use domain::ids::OperatorId;
use projections::{Directory, Projections, operators};

use crate::auth::{self, DirectoryEntry, DirectoryUnavailable};
use crate::http::{Check, Readiness};

/// How long whoever is not known waits for the read model, and half of what the whole may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// A read model that is further behind is not ready, in seconds.
const MAX_LAG_SECONDS: f64 = 60.0;

/// The parts whose readiness counts.
pub struct Parts {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The read models.
    pub projections: Projections,
}

#[async_trait]
impl Readiness for Parts {
    async fn check(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let (head, appender) = (self.log.head().await, self.log.appender());
        let (fenced, ended) = (appender.is_fenced(), appender.has_ended());
        checks.push(Check {
            name: "event log".to_owned(),
            ready: head.is_ok() && self.log.follows() && !fenced && !ended,
            detail: match head {
                Ok(_) if fenced => "fenced off: start this process again".to_owned(),
                Ok(_) if ended => "appends nothing any more: start this process again".to_owned(),
                Ok(_) if !self.log.follows() => "does not follow EventStoreDB".to_owned(),
                Ok(head) => format!("at position {}", head.position),
                Err(_) => "does not answer".to_owned(),
            },
        });
        match self.projections.lag().await {
            Ok(lags) => checks.extend(lags.iter().map(|lag| Check {
                name: format!("read model {}", lag.model),
                ready: lag.seconds <= MAX_LAG_SECONDS,
                detail: format!("{} events, {:.1} s behind", lag.events, lag.seconds),
            })),
            Err(_) => checks.push(Check {
                name: "read models".to_owned(),
                ready: false,
                detail: "do not answer".to_owned(),
            }),
        }
        checks
    }
}

/// The directory as authentication asks it.
pub struct Operators {
    /// The directory.
    pub directory: Directory,
    /// The log that it comes from.
    pub log: Arc<dyn EventLog>,
    /// The read models between them.
    pub projections: Projections,
}

impl Operators {
    fn known(&self, id: OperatorId) -> Option<DirectoryEntry> {
        self.directory.now().operators.get(&id).map(|operator| DirectoryEntry {
            roles: operator.roles.clone(),
            scope: operator.scope.clone(),
            suspended: operator.suspended,
        })
    }

    /// Lets the directory have what the log has now.
    async fn catch_up(&self) -> Result<(), DirectoryUnavailable> {
        let unavailable = |error: &dyn std::fmt::Display| DirectoryUnavailable(error.to_string());
        let head = self.log.head().await.map_err(|error| unavailable(&error))?.position;
        let model = operators::Operators::NAME;
        self.projections.wait_for(&[model], head, PATIENCE).await.map_err(|error| unavailable(&error))?;
        self.directory.refresh().await.map(drop).map_err(|error| unavailable(&error))
    }
}

#[async_trait]
impl auth::Directory for Operators {
    /// Whoever is not known may have been registered a moment ago.
    async fn find(&self, id: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable> {
        let known = self.known(id);
        if known.is_some() {
            return Ok(known);
        }
        match tokio::time::timeout(2 * PATIENCE, self.catch_up()).await {
            Ok(caught_up) => caught_up.map(|()| self.known(id)),
            Err(_) => Err(DirectoryUnavailable("nothing answers in time".to_owned())),
        }
    }
}
