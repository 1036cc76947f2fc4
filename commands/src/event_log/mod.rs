//! The event log: the one place where anything happens for good.
//!
//! Guarantees, on every backend:
//! - an append touches several streams at once, each at its expected revision, all or nothing;
//! - positions are dense, from 1, and become visible in order, so a reader needs no more than
//!   `position > checkpoint ORDER BY position`; revisions are dense within a stream;
//! - a command id is stored with its first result, in the same transaction as its events;
//! - unique keys (contacts, source records) are claimed in the same transaction;
//! - data keys of people who are new come in, and those of the erased go, in the same transaction, and
//!   nothing sealed under one that is gone is taken in;
//! - an acknowledged append is durable; a caller that goes away does not cancel its append;
//! - recorded times never run backwards along positions.
//!
//! Deliberately absent: changing or removing events (the database refuses both), snapshots, and
//! notifications inside the append transaction.

mod append;
mod columns;
mod eventstoredb;
mod postgres;
mod replay;
mod sqlite;
mod store;
mod stored;
mod stream;
pub(crate) mod verify;
mod writer;

use async_trait::async_trait;
use domain::envelope::{RecordedEvent, StreamId};
use domain::ids::{CommandId, SubjectId};
use domain::ports::{EventReader, ReadError};
use domain::{Instant, Position};
use tokio::sync::watch;

pub use append::{
    Append, AppendError, Appended, Chain, CommandRecord, DecidedOn, KeyClaim, KeyHolder, NewEvent,
    StoredCommand, StreamAppend, UniqueKey, WrappedKey,
};
pub use eventstoredb::{AddressError, EventStoreAddress, EventStoreError, EventStoreLog};
pub use postgres::PostgresLog;
pub use replay::{REPLAY_PAGE, replay};
pub use sqlite::SqliteLog;
pub use store::LogEventStore;
pub use stream::StreamRepository;
pub use verify::{LogFault, LogReport, Outside, verify};
pub use writer::{Appender, Gathering, PendingAppend, Permit};

/// The write side of the log.
#[async_trait]
pub trait EventLog: EventReader {
    /// Where appends are handed in.
    fn appender(&self) -> &Appender;

    /// The stock cqrs-es repository that loads streams.
    fn streams(&self) -> &StreamRepository;

    /// The first result of a command, when it has one.
    async fn command(&self, id: CommandId) -> Result<Option<StoredCommand>, ReadError>;

    /// Who has each of these unique keys.
    async fn holders(&self, keys: &[UniqueKey]) -> Result<Vec<Option<KeyHolder>>, ReadError>;

    /// The wrapped data keys of these people, those that exist.
    async fn data_keys(&self, subjects: &[SubjectId]) -> Result<Vec<WrappedKey>, ReadError>;

    /// The wrapped data key of one person, whoever it is; `None` when nobody has any.
    async fn any_data_key(&self) -> Result<Option<WrappedKey>, ReadError>;

    /// Up to `limit` streams whose revisions are not dense from 1.
    async fn broken_streams(&self, limit: usize) -> Result<Vec<StreamId>, ReadError>;

    /// Events that no reader sees, because they are not between the first position and the head: up to
    /// `limit` of either side.
    async fn outside(&self, limit: usize) -> Result<Vec<Outside>, ReadError>;

    /// Raises the epoch: every writer that was connected before fails from now on.
    async fn fence(&self) -> Result<i64, ReadError>;

    /// Forgets results of commands that were recorded before `before`; says how many.
    async fn forget_commands(&self, before: Instant) -> Result<u64, ReadError>;

    /// Whether what is answered here follows the place where the log is kept, when that is another one.
    /// When whatever follows has ended, it does not.
    fn follows(&self) -> bool {
        true
    }

    /// The first event up to `until` that is not what the place says where the log is kept, when that
    /// is another one. `progress` gets the position reached and `until`.
    async fn difference(
        &self,
        _until: Position,
        _progress: &mut (dyn FnMut(Position, Position) + Send),
    ) -> Result<Option<LogFault>, ReadError> {
        Ok(None)
    }

    /// The EventStoreDB stream that this database is a replica of, when it is one. Nothing may be
    /// appended to a replica but through the log that it is of.
    async fn replica_of(&self) -> Result<Option<String>, ReadError> {
        Ok(None)
    }

    /// Closes connections once the appends handed in are done.
    async fn close(&self);

    /// The last position that this process appended; other processes' appends do not show here.
    fn appended(&self) -> watch::Receiver<Position> {
        self.appender().appended()
    }
}

/// Appends and waits for the result.
///
/// # Errors
/// See [`AppendError`].
pub async fn append(log: &dyn EventLog, append: Append) -> Result<Appended, AppendError> {
    log.appender().permit().await?.submit(append).await
}

/// Fails on the first hole in a page of events that follows `after`.
pub(crate) fn dense(after: Position, events: &[RecordedEvent]) -> Result<(), ReadError> {
    let mut expected = after.next();
    for event in events {
        if event.position != expected {
            return Err(ReadError::Hole { expected, found: event.position });
        }
        expected = expected.next();
    }
    Ok(())
}
