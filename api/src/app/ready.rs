//! What others ask of the parts: whether they can work, who an operator is.

use std::sync::Arc;

use async_trait::async_trait;
use commands::event_log::EventLog;
use domain::ids::OperatorId;
use projections::{Directory, Projections};

use crate::auth::{self, DirectoryEntry, DirectoryUnavailable};
use crate::http::{Check, Readiness};

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
pub struct Operators(pub Directory);

#[async_trait]
impl auth::Directory for Operators {
    async fn find(&self, id: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable> {
        let entry = self.0.now().operators.get(&id).map(|operator| DirectoryEntry {
            roles: operator.roles.clone(),
            scope: operator.scope.clone(),
            suspended: operator.suspended,
        });
        Ok(entry)
    }
}
