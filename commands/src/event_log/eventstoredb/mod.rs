//! The event log in EventStoreDB: one stream is the log, SQL holds a replica of it.
//!
//! Guarantees: every event of the stream is one event of the log, at its revision plus one; a group
//! commit is one append at exactly the end that it was decided on, so it is whole or not there, and no
//! two writers fork the log, wherever they run; a replica is a prefix of the stream, catches up before
//! anything is answered from it, is rebuilt from the stream when it is lost, and is refused when it is
//! not of this stream; a lost reply is resolved by reading the stream, never by sending blindly.
//!
//! Deliberately absent: data keys in the stream, for they must be erasable: the vault stays in SQL, and
//! losing that loses personal data. Results of commands that appended nothing are in SQL alone, too,
//! unless they shared a commit with events.

mod address;
mod client;
mod compare;
mod entry;
mod follow;
mod replica;
mod source;
mod tls;
mod writer;

use async_trait::async_trait;
use domain::Instant;
use domain::Position;
use domain::envelope::{RecordedEvent, Revision, StreamId};
use domain::ids::{CommandId, SubjectId};
use domain::ports::{EventReader, Head, ReadError};
use domain::proof::StoredEvent;
use sqlx::postgres::PgConnectOptions;
use std::path::PathBuf;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinHandle;

use super::append::{KeyHolder, StoredCommand, UniqueKey, WrappedKey};
use super::stream::StreamRepository;
use super::verify::LogFault;
use super::writer::{Appender, BatchError};
use super::{EventLog, Outside, PostgresLog, SqliteLog};
use crate::backup::Place;
use crate::clock::SharedClock;

pub use address::{AddressError, EventStoreAddress};
pub(super) use entry::{Entry, Outcome};
pub(super) use replica::{Replica, Staged};
use source::Source;
use writer::{EventStoreWriter, catch_up};

/// The log in EventStoreDB, answered from its replica.
pub struct EventStoreLog {
    /// The replica; its appender appends to the stream.
    replica: Box<dyn EventLog>,
    address: EventStoreAddress,
    place: OwnedPlace,
    follows: watch::Receiver<bool>,
    follower: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

/// Where the replica is.
enum OwnedPlace {
    Sqlite { log: PathBuf, keys: PathBuf },
    Postgres(Box<PgConnectOptions>),
}

/// Why the log does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventStoreError {
    /// EventStoreDB or the replica does not answer, or cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The replica is of another stream.
    #[error("the database is the replica of the stream {found}, not of {wanted}: each stream has its own")]
    OtherStream {
        /// What it is a replica of.
        found: String,
        /// What it should be a replica of.
        wanted: String,
    },
    /// The replica holds what the stream does not.
    #[error(
        "the database is no replica of the stream {stream} in EventStoreDB: {reason}. Name the database \
         that is, or an empty one, which is filled from the stream"
    )]
    OtherLog {
        /// The stream.
        stream: String,
        /// What differs.
        reason: String,
    },
    /// The beginning of the stream goes away by itself.
    #[error(
        "EventStoreDB is told to remove events of the stream {stream} by itself ({limit}): a log keeps \
         everything; take that out of the metadata of the stream"
    )]
    Limited {
        /// The stream.
        stream: String,
        /// What its metadata say.
        limit: &'static str,
    },
}

impl EventStoreLog {
    /// Opens the log at `address` with its replica at `place`, which must have its schema. The replica
    /// has caught up with the stream when this returns.
    ///
    /// # Errors
    /// See [`EventStoreError`].
    pub async fn connect(
        address: &EventStoreAddress,
        place: &Place<'_>,
        clock: SharedClock,
    ) -> Result<Self, EventStoreError> {
        match place {
            Place::Sqlite { log, keys } => {
                let writer = SqliteLog::writer(log, keys).await?;
                let following = SqliteLog::writer(log, keys).await?;
                let lane = open(address, writer).await?;
                let replica = SqliteLog::written_by(log, keys, vec![lane], &clock).await?;
                let place = OwnedPlace::Sqlite { log: log.to_path_buf(), keys: keys.to_path_buf() };
                Ok(Self::begin(address, Box::new(replica), following, place))
            }
            Place::Postgres(options) => {
                let writer = PostgresLog::writer(options).await?;
                let following = PostgresLog::writer(options).await?;
                let lane = open(address, writer).await?;
                let replica = PostgresLog::written_by(options, vec![lane], &clock).await?;
                let place = OwnedPlace::Postgres(Box::new((*options).clone()));
                Ok(Self::begin(address, Box::new(replica), following, place))
            }
        }
    }

    fn begin<R: Replica>(
        address: &EventStoreAddress,
        replica: Box<dyn EventLog>,
        following: R,
        place: OwnedPlace,
    ) -> Self {
        let (state, follows) = watch::channel(true);
        let (stop, stopped) = oneshot::channel();
        let follower =
            follow::follow(following, Source::new(address.clone()), replica.appended(), state, stopped);
        let follower = Mutex::new(Some((stop, tokio::spawn(follower))));
        Self { replica, address: address.clone(), place, follows, follower }
    }
}

/// Makes sure that a replica is one of the stream, brings it to the stream's end, and makes it a lane.
async fn open<R: Replica>(
    address: &EventStoreAddress,
    mut replica: R,
) -> Result<EventStoreWriter<R>, EventStoreError> {
    let mut source = Source::new(address.clone());
    let stream = || address.stream().to_owned();
    if let Some(limit) = source.limits().await? {
        return Err(EventStoreError::Limited { stream: stream(), limit });
    }
    if let Some(found) = replica.source().await.map_err(unavailable)?.filter(|found| *found != stream()) {
        return Err(EventStoreError::OtherStream { found, wanted: stream() });
    }
    let (tip, end) = (replica.tip().await.map_err(unavailable)?, source.end().await?);
    if let Some(reason) = compare::no_prefix(&mut replica, &mut source, tip, end).await? {
        return Err(EventStoreError::OtherLog { stream: stream(), reason });
    }
    replica.become_replica(address.stream()).await.map_err(unavailable)?;
    // Somebody may have done that a moment before for another stream.
    if let Some(found) = replica.source().await.map_err(unavailable)?.filter(|found| *found != stream()) {
        return Err(EventStoreError::OtherStream { found, wanted: stream() });
    }
    if tip == Position::ZERO && end > tip {
        tracing::warn!(
            end = end.get(),
            "an empty replica is filled from EventStoreDB; it has no data keys but those restored before"
        );
    } else if tip < end {
        tracing::info!(at = tip.get(), end = end.get(), "the replica catches up with EventStoreDB");
    }
    let taken = catch_up(&mut replica, &mut source).await.map_err(unavailable)?;
    if taken > 0 {
        tracing::info!(events = taken, "the replica has caught up with EventStoreDB");
    }
    Ok(EventStoreWriter::new(replica, source))
}

fn unavailable(error: BatchError) -> ReadError {
    ReadError::Unavailable(match error {
        BatchError::Lost(reason) | BatchError::Rejected(reason) => reason,
        BatchError::Refused => "the replica refuses".to_owned(),
    })
}

#[async_trait]
impl EventReader for EventStoreLog {
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.replica.read(after, limit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.replica.read_stream(stream, after, limit).await
    }

    async fn read_range(&self, after: Position, until: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        self.replica.read_range(after, until).await
    }

    async fn read_stored(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        self.replica.read_stored(after, limit).await
    }

    async fn read_stored_range(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.replica.read_stored_range(after, until).await
    }

    async fn head(&self) -> Result<Head, ReadError> {
        self.replica.head().await
    }
}

#[async_trait]
impl EventLog for EventStoreLog {
    fn appender(&self) -> &Appender {
        self.replica.appender()
    }

    fn streams(&self) -> &StreamRepository {
        self.replica.streams()
    }

    async fn command(&self, id: CommandId) -> Result<Option<StoredCommand>, ReadError> {
        self.replica.command(id).await
    }

    async fn holders(&self, keys: &[UniqueKey]) -> Result<Vec<Option<KeyHolder>>, ReadError> {
        self.replica.holders(keys).await
    }

    async fn data_keys(&self, subjects: &[SubjectId]) -> Result<Vec<WrappedKey>, ReadError> {
        self.replica.data_keys(subjects).await
    }

    async fn any_data_key(&self) -> Result<Option<WrappedKey>, ReadError> {
        self.replica.any_data_key().await
    }

    async fn outside(&self, limit: usize) -> Result<Vec<Outside>, ReadError> {
        self.replica.outside(limit).await
    }

    async fn broken_streams(&self, limit: usize) -> Result<Vec<StreamId>, ReadError> {
        self.replica.broken_streams(limit).await
    }

    async fn fence(&self) -> Result<i64, ReadError> {
        self.replica.fence().await
    }

    async fn forget_commands(&self, before: Instant) -> Result<u64, ReadError> {
        self.replica.forget_commands(before).await
    }

    fn follows(&self) -> bool {
        *self.follows.borrow() && self.follows.has_changed().is_ok()
    }

    async fn difference(
        &self,
        until: Position,
        progress: &mut (dyn FnMut(Position, Position) + Send),
    ) -> Result<Option<LogFault>, ReadError> {
        let source = Source::new(self.address.clone());
        match &self.place {
            OwnedPlace::Sqlite { log, keys } => {
                compare::difference(SqliteLog::writer(log, keys).await?, source, until, progress).await
            }
            OwnedPlace::Postgres(options) => {
                compare::difference(PostgresLog::writer(options).await?, source, until, progress).await
            }
        }
    }

    async fn replica_of(&self) -> Result<Option<String>, ReadError> {
        self.replica.replica_of().await
    }

    async fn close(&self) {
        self.replica.appender().drained().await;
        if let Some((stop, follower)) = self.follower.lock().await.take() {
            drop(stop);
            let _ = follower.await;
        }
        self.replica.close().await;
    }
}
