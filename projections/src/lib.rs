//! The read side: read models, the runner that keeps them, and the queries that they answer.
//!
//! Guarantees: every read model equals a replay of the log from zero, and can prove it; every event
//! has its effect once; every query takes a [`Viewer`] and shows nothing beyond that viewer's scope.
//!
//! Deliberately absent: writing the log, commands, GraphQL. Read models depend on events and their
//! own rows alone, never on each other's tables, so that each can be rebuilt by itself.

use std::sync::Arc;

use domain::ports::BlindIndex;

pub mod changes;
pub mod clue_list;
pub mod clue_pool;
pub mod consumers;
pub mod customer;
pub mod directory;
pub mod fact_clue_stage;
pub mod history;
pub mod lines;
pub mod operators;
pub mod read;
pub mod rebuild;
pub mod runner;
pub mod sql;
pub mod star_customers;
#[cfg(test)]
pub(crate) mod tests;

pub use changes::{ChangedClue, Changes};
pub use consumers::{Consumer, ConsumerError, ConsumerLag, Consumers, Lately, LeaseId};
pub use directory::{Directory, Snapshot};
pub use read::{Cursor, Edge, Moment, Page, Paging, QueryError, Shown, Sight, Viewer};
pub use rebuild::{Phase, Progress, Report, TableReport};
pub use runner::{Clock, Config, Lag, ParkedEvent, Ports, Projections, RunError, SystemClock, WaitError};
pub use sql::{Database, SqlError};

/// Every read model of the platform.
#[must_use]
pub fn read_models(index: &Arc<dyn BlindIndex>) -> Vec<Arc<dyn runner::Projector>> {
    vec![
        Arc::new(lines::Lines),
        Arc::new(operators::Operators),
        Arc::new(clue_list::ClueList::new(Arc::clone(index))),
        Arc::new(clue_pool::CluePool),
        Arc::new(customer::Customers::new(Arc::clone(index))),
        Arc::new(star_customers::StarCustomers),
        Arc::new(fact_clue_stage::FactClueStage),
        Arc::new(history::History::new(Arc::clone(index))),
    ]
}
