//! The event log on SQLite: one file for the log, one for the key vault, nothing to install.
//!
//! WAL with `synchronous = FULL`: an acknowledged append survives power loss. One connection
//! writes, a few read. Other processes may write too; `BEGIN IMMEDIATE` puts them in line.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use domain::envelope::{RecordedEvent, Revision, StreamId};
use domain::ids::{CommandId, SubjectId};
use domain::ports::{EventReader, Head, ReadError};
use domain::proof::StoredEvent;
use domain::{Instant, Position};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection, Row, SqliteExecutor};

use super::append::{KeyHolder, StoredCommand, UniqueKey, WrappedKey};
use super::stored::{OUTSIDE, StoredRow, number, outside, stored, stream_of};
use super::stream::{StreamRepository, recorded};
use super::writer::{Appender, Backend, start};
use super::{EventLog, Outside, dense};
use crate::clock::SharedClock;

mod replica;
mod writer;

use writer::SqliteWriter;

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(10);
/// Readers beside the writer.
const READERS: u32 = 4;

/// The event log on SQLite.
pub struct SqliteLog {
    appender: Appender,
    streams: StreamRepository,
    readers: SqlitePool,
    keys: SqlitePool,
    options: SqliteConnectOptions,
}

impl SqliteLog {
    /// Opens the log and its key vault. Both files must exist with their schema.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub async fn open(log: &Path, keys: &Path, clock: SharedClock) -> Result<Self, ReadError> {
        let writer = Self::writer(log, keys).await?;
        Self::written_by(log, keys, vec![writer], &clock).await
    }

    /// A connection that writes.
    pub(super) async fn writer(log: &Path, keys: &Path) -> Result<SqliteWriter, ReadError> {
        let mut writer =
            SqliteWriter::connect(options(log), vault(keys).await?).await.map_err(unavailable)?;
        writer.finish_key_destructions().await.map_err(unavailable)?;
        Ok(writer)
    }

    /// The log with whatever appends to it.
    pub(super) async fn written_by<B: Backend>(
        log: &Path,
        keys: &Path,
        lanes: Vec<B>,
        clock: &SharedClock,
    ) -> Result<Self, ReadError> {
        let options = options(log);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.clone().pragma("query_only", "on"))
            .await
            .map_err(unavailable)?;
        let head = read_head(&readers).await?;
        Ok(Self {
            appender: start(lanes, head.position, clock),
            streams: StreamRepository::sqlite(readers.clone()),
            readers,
            keys: vault(keys).await?,
            options,
        })
    }
}

/// One connection to the key vault, which keeps nothing of what it deletes.
async fn vault(keys: &Path) -> Result<SqlitePool, ReadError> {
    let options = options(keys).pragma("secure_delete", "on");
    SqlitePoolOptions::new()
        .max_connections(1)
        // A full disk makes SQLite end a transaction by itself. The driver takes the connection to be
        // in one for ever after, so it goes. The rollback of what was dropped comes before the ping.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options)
        .await
        .map_err(unavailable)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .statement_cache_capacity(64)
}

fn unavailable(error: sqlx::Error) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

async fn read_head(readers: &SqlitePool) -> Result<Head, ReadError> {
    let row = sqlx::query("SELECT position, recorded_at FROM log_head WHERE id = 1")
        .fetch_one(readers)
        .await
        .map_err(unavailable)?;
    Ok(Head { position: Position::new(row.get(0)), recorded_at: Instant::from_micros(row.get(1)) })
}

/// Reads a row of `events`: position, type, id, sequence, event type, version, recorded_at,
/// payload, metadata.
fn event(row: &SqliteRow) -> Result<RecordedEvent, ReadError> {
    let position = Position::new(number(row.integer(0)));
    let read = || {
        Ok::<_, sqlx::Error>((
            StreamId::stored(row.try_get_unchecked(1)?, row.try_get_unchecked(2)?),
            Revision::new(row.try_get_unchecked(3)?),
            (row.try_get_unchecked(4)?, row.try_get_unchecked(5)?),
            Instant::from_micros(row.try_get_unchecked(6)?),
            row.try_get_unchecked(7)?,
            row.try_get_unchecked(8)?,
        ))
    };
    let (stream, revision, kind, recorded_at, payload, metadata) =
        read().map_err(|error| ReadError::Corrupt { position, reason: error.to_string() })?;
    recorded(position, stream, revision, kind, recorded_at, payload, metadata)
}

impl StoredRow for SqliteRow {
    fn bytes(&self, index: usize) -> Option<&[u8]> {
        self.try_get_unchecked(index).ok().flatten()
    }

    fn integer(&self, index: usize) -> Option<i64> {
        self.try_get(index).ok().flatten()
    }
}

const COLUMNS: &str = "position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                       recorded_at, payload, metadata";

/// The stream of EventStoreDB that the log is a replica of.
const SOURCE: &str = "SELECT stream FROM log_source WHERE id = 1";

/// Up to `limit` rows of [`COLUMNS`] behind `after`.
async fn page<'e>(
    database: impl SqliteExecutor<'e>,
    after: Position,
    limit: usize,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
    sqlx::query(&sql)
        .bind(after.get())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(database)
        .await
}

#[async_trait]
impl EventReader for SqliteLog {
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let rows = page(&self.readers, after, limit).await.map_err(unavailable)?;
        let events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        dense(after, &events)?;
        Ok(events)
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 \
             AND sequence > $3 ORDER BY sequence LIMIT $4"
        );
        let rows = sqlx::query(&sql)
            .bind(stream.aggregate_type())
            .bind(stream.id())
            .bind(after.get())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        rows.iter().map(event).collect()
    }

    async fn read_stored(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        let rows = page(&self.readers, after, limit).await.map_err(unavailable)?;
        Ok(rows.iter().map(stored).collect())
    }

    async fn head(&self) -> Result<Head, ReadError> {
        read_head(&self.readers).await
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    fn appender(&self) -> &Appender {
        &self.appender
    }

    fn streams(&self) -> &StreamRepository {
        &self.streams
    }

    async fn command(&self, id: CommandId) -> Result<Option<StoredCommand>, ReadError> {
        let row = sqlx::query("SELECT fingerprint, result, position FROM commands WHERE command_id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(row.map(|row| StoredCommand {
            fingerprint: row.get(0),
            result: row.get(1),
            position: Position::new(row.get(2)),
        }))
    }

    async fn holders(&self, keys: &[UniqueKey]) -> Result<Vec<Option<KeyHolder>>, ReadError> {
        let mut holders = Vec::with_capacity(keys.len());
        for key in keys {
            let row = sqlx::query("SELECT owner, item FROM unique_keys WHERE scope = $1 AND key = $2")
                .bind(&key.scope)
                .bind(&key.key)
                .fetch_optional(&self.readers)
                .await
                .map_err(unavailable)?;
            holders.push(row.map(|row| holder(&row)));
        }
        Ok(holders)
    }

    async fn data_keys(&self, subjects: &[SubjectId]) -> Result<Vec<WrappedKey>, ReadError> {
        let ids: Vec<String> = subjects.iter().map(ToString::to_string).collect();
        let rows = sqlx::query(
            "SELECT subject_id, wrapped, master_version FROM data_keys \
             WHERE subject_id IN (SELECT value FROM json_each($1))",
        )
        .bind(serde_json::Value::from(ids).to_string())
        .fetch_all(&self.keys)
        .await
        .map_err(unavailable)?;
        rows.iter().map(|row| super::stream::wrapped_key(row.get(0), row.get(1), row.get(2))).collect()
    }

    async fn any_data_key(&self) -> Result<Option<WrappedKey>, ReadError> {
        let row = sqlx::query(
            "SELECT subject_id, wrapped, master_version FROM data_keys ORDER BY subject_id LIMIT 1",
        )
        .fetch_optional(&self.keys)
        .await
        .map_err(unavailable)?;
        row.map(|row| super::stream::wrapped_key(row.get(0), row.get(1), row.get(2))).transpose()
    }

    async fn broken_streams(&self, limit: usize) -> Result<Vec<StreamId>, ReadError> {
        let rows = sqlx::query(super::verify::BROKEN_STREAMS)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(rows.iter().map(|row| stream_of(row, 0)).collect())
    }

    async fn outside(&self, limit: usize) -> Result<Vec<Outside>, ReadError> {
        let rows = sqlx::query(OUTSIDE)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(rows.iter().map(outside).collect())
    }

    async fn fence(&self) -> Result<i64, ReadError> {
        let mut connection = SqliteConnection::connect_with(&self.options).await.map_err(unavailable)?;
        let row = sqlx::query("UPDATE log_head SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch")
            .fetch_one(&mut connection)
            .await
            .map_err(unavailable)?;
        connection.close().await.map_err(unavailable)?;
        Ok(row.get(0))
    }

    async fn forget_commands(&self, before: Instant) -> Result<u64, ReadError> {
        let mut connection = SqliteConnection::connect_with(&self.options).await.map_err(unavailable)?;
        let done = sqlx::query("DELETE FROM commands WHERE command_id < $1")
            .bind(crate::clock::first_uuid_of(before).to_string())
            .execute(&mut connection)
            .await
            .map_err(unavailable)?;
        connection.close().await.map_err(unavailable)?;
        Ok(done.rows_affected())
    }

    async fn replica_of(&self) -> Result<Option<String>, ReadError> {
        let row = sqlx::query(SOURCE).fetch_optional(&self.readers).await.map_err(unavailable)?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn close(&self) {
        self.appender.drained().await;
        self.readers.close().await;
        self.keys.close().await;
    }
}

fn holder(row: &SqliteRow) -> KeyHolder {
    KeyHolder { owner: row.get(0), item: row.get(1) }
}
