//! Compares a log, or a replay of it, with what was signed.
//!
//! Guarantees: memory does not grow with the log; the signed root is the only thing taken for true, and
//! only once its signature is good: tiles count as far as they lead to that root, checkpoints as far as
//! they are a beginning of it; every event that is covered is compared, and the ones that differ are
//! named with what became of them, as far as their own bytes tell.
//!
//! Deliberately absent: knowing what a changed event said before (a hash does not tell), and the
//! meaning of events.

mod differences;
mod fault;
mod run;
mod signed;

use std::sync::Arc;

use domain::Position;
use domain::ports::ReadError;
use domain::proof::Checkpoint;
use futures::{Stream, StreamExt, TryStreamExt, stream};

use super::leaves::{Leaves, leaves};
use super::place::PlaceError;
use crate::event_log::EventLog;
use crate::event_log::verify::NAMED;

pub use fault::{AuditFault, printable};
pub use run::audit;

/// Events to compare, in the order in which they stand, and what is wrong with how they stand there.
#[derive(Debug, Default)]
pub struct Page {
    /// The events.
    pub leaves: Leaves,
    /// What their source found.
    pub faults: Vec<AuditFault>,
}

/// Why an audit does not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The checkpoints cannot be read.
    #[error("the checkpoints: {0}")]
    Place(#[from] PlaceError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The replay cannot be read.
    #[error("the replay: {0}")]
    Replay(String),
    /// There is nothing to compare with.
    #[error("there is no checkpoint that this key signed; is it the right key, and the right directory?")]
    NothingSigned,
}

/// What was compared, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// The newest checkpoint.
    pub newest: Checkpoint,
    /// How many checkpoints are good: signed, and the root of these events.
    pub checkpoints: u64,
    /// How many checkpoints could not be compared any more, because both events and tiles are missing.
    pub unchecked: u64,
    /// How many events are those that were signed.
    pub equal: u64,
    /// How many events differ from what was signed at their positions.
    pub different: u64,
    /// How many events came behind the newest checkpoint: nothing is known of them.
    pub beyond: u64,
    /// How many full tiles were read and led to the root.
    pub tiles: u64,
    /// What is wrong; empty when everything is as it was signed.
    pub faults: Vec<AuditFault>,
}

/// The events of a log, to be audited, and those that it has outside of its positions. They reach up to
/// the head at the moment of the first look: an audit knows the newest checkpoint by then, so what a
/// running server appended and signed meanwhile is not taken for missing.
pub fn live_pages(log: Arc<dyn EventLog>) -> impl Stream<Item = Result<Page, AuditError>> + Send {
    let begin = async move {
        let head = log.head().await?.position;
        let faults = log.outside(NAMED).await?.into_iter().map(AuditFault::Outside).collect();
        let events = leaves(log, Position::ZERO, head);
        let first = stream::iter([Ok(Page { leaves: Leaves::default(), faults })]);
        Ok::<_, AuditError>(
            first.chain(events.map(|page| Ok(page.map(|leaves| Page { leaves, faults: Vec::new() })?))),
        )
    };
    stream::once(begin).try_flatten()
}
