//! Loading streams through the stock cqrs-es repositories, and rows that both backends read alike.

use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use domain::envelope::{Metadata, RecordedEvent, Revision, StreamId};
use domain::ports::ReadError;
use domain::{Aggregate, Instant, Position};
use postgres_es::PostgresEventRepository;
use sqlite_es::SqliteEventRepository;
use sqlx::{PgPool, SqlitePool};

use super::append::WrappedKey;

/// The stock repository of the log's database, over the `events` table. Only its reading is used:
/// see the decision record on cqrs-es.
pub struct StreamRepository(Kind);

enum Kind {
    Sqlite(SqliteEventRepository),
    Postgres(PostgresEventRepository),
}

impl StreamRepository {
    pub(super) fn sqlite(pool: SqlitePool) -> Self {
        Self(Kind::Sqlite(SqliteEventRepository::new(pool)))
    }

    pub(super) fn postgres(pool: PgPool) -> Self {
        Self(Kind::Postgres(PostgresEventRepository::new(pool)))
    }

    /// The events of one stream, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events<A: Aggregate>(&self, id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        match &self.0 {
            Kind::Sqlite(repository) => repository.get_events::<A>(id).await,
            Kind::Postgres(repository) => repository.get_events::<A>(id).await,
        }
    }
}

/// Puts a stored event together.
pub(super) fn recorded(
    position: Position,
    stream: StreamId,
    revision: Revision,
    (event_type, event_version): (&str, &str),
    recorded_at: Instant,
    payload: &str,
    metadata: &str,
) -> Result<RecordedEvent, ReadError> {
    let metadata: Metadata = serde_json::from_str(metadata)
        .map_err(|error| ReadError::Corrupt { position, reason: error.to_string() })?;
    Ok(RecordedEvent {
        position,
        stream,
        revision,
        event_type: event_type.into(),
        event_version: event_version.into(),
        recorded_at,
        payload: payload.into(),
        metadata,
    })
}

/// Puts a stored data key together.
pub(super) fn wrapped_key(
    subject: &str,
    wrapped: Vec<u8>,
    master_version: i64,
) -> Result<WrappedKey, ReadError> {
    let corrupt = |reason: &str| ReadError::Unavailable(format!("the key vault holds a bad row: {reason}"));
    Ok(WrappedKey {
        subject: subject.parse().map_err(|_| corrupt("subject"))?,
        wrapped,
        master_version: u32::try_from(master_version).map_err(|_| corrupt("master version"))?,
    })
}
