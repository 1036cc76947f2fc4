//! The replica in SQL, as the log in EventStoreDB needs it: it is what all reading asks, and what a
//! batch is decided on.

use async_trait::async_trait;
use domain::{Instant, Position};

use super::super::append::Append;
use super::super::writer::{Backend, BatchError, Committed};
use super::entry::{Entry, Row};

/// A batch that lies in an open transaction, which holds the head.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Staged {
    /// Where it goes, and when it is recorded.
    pub committed: Committed,
    /// The epoch of its writer.
    pub epoch: i64,
}

/// One connection to a replica. What a batch conflicts with, and what its commands came to, it knows
/// as [`Backend`] says.
#[async_trait]
pub(in super::super) trait Replica: Backend {
    /// Its last position.
    async fn tip(&mut self) -> Result<Position, BatchError>;

    /// The stream that it is a replica of, when it is one.
    async fn source(&mut self) -> Result<Option<String>, BatchError>;

    /// Makes it the replica of a stream, if it is of none. Whoever wrote it for itself is fenced off.
    async fn become_replica(&mut self, stream: &str) -> Result<(), BatchError>;

    /// Up to `limit` of its events behind `after`, in order.
    async fn rows(&mut self, after: Position, limit: usize) -> Result<Vec<Row>, BatchError>;

    /// Stores the new data keys of a batch for good, before its events can be anywhere. A key that is
    /// there already stays: it is the same one.
    async fn store_keys(&mut self, batch: &[&Append], now: Instant) -> Result<(), BatchError>;

    /// Lays a batch into a transaction that stays open; `None` when it does not fit, and nothing stays
    /// open then.
    async fn stage(&mut self, batch: &[&Append], now: Instant) -> Result<Option<Staged>, BatchError>;

    /// Commits what was staged.
    async fn keep(&mut self) -> Result<(), BatchError>;

    /// Gives up what was staged.
    async fn discard(&mut self) -> Result<(), BatchError>;

    /// Takes events of the stream that follow `after`, whole or not at all. `false` when `after` is no
    /// longer the head: somebody else took them.
    async fn apply(&mut self, after: Position, entries: &[Entry]) -> Result<bool, BatchError>;
}
