//! The event log on PostgreSQL: a group commit is one statement, so one round trip and no open
//! transaction that a stopped writer could leave behind.
//!
//! Long stretches are read with COPY, which costs the server and this process less than the same rows
//! as the result of a query.

mod copy;
mod replica;
mod writer;

use std::time::Duration;

use async_trait::async_trait;
use domain::envelope::{RecordedEvent, Revision, StreamId};
use domain::ids::{CommandId, SubjectId};
use domain::ports::{EventReader, Head, ReadError};
use domain::proof::StoredEvent;
use domain::{Instant, Position};
use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolCopyExt, PgPoolOptions, PgRow};
use sqlx::{PgExecutor, Row};

use super::append::{KeyHolder, StoredCommand, UniqueKey, WrappedKey};
use super::stored::{OUTSIDE, StoredRow, number, outside, stored, stream_of, text};
use super::stream::{StreamRepository, recorded, wrapped_key};
use super::writer::{Appender, Backend, start};
use super::{EventLog, Outside, dense};
use crate::clock::SharedClock;
use copy::{Malformed, Tuples};
use writer::PgWriter;

/// Readers beside the writer.
const READERS: u32 = 8;

/// The event log on PostgreSQL.
pub struct PostgresLog {
    appender: Appender,
    streams: StreamRepository,
    readers: PgPool,
}

impl PostgresLog {
    /// Connects to the log. The database must have its schema.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn connect(options: PgConnectOptions, clock: SharedClock) -> Result<Self, ReadError> {
        let lanes = PgWriter::connect(&guarded(options.clone())).await.map_err(unavailable)?;
        Self::written_by(&options, lanes, &clock).await
    }

    /// A connection that writes.
    pub(super) async fn writer(options: &PgConnectOptions) -> Result<PgWriter, ReadError> {
        PgWriter::alone(&guarded(options.clone())).await.map_err(unavailable)
    }

    /// The log with whatever appends to it.
    pub(super) async fn written_by<B: Backend>(
        options: &PgConnectOptions,
        lanes: Vec<B>,
        clock: &SharedClock,
    ) -> Result<Self, ReadError> {
        let readers = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(guarded(options.clone()))
            .await
            .map_err(unavailable)?;
        let head = read_head(&readers).await?;
        Ok(Self {
            appender: start(lanes, head.position, clock),
            streams: StreamRepository::postgres(readers.clone()),
            readers,
        })
    }
}

/// Time-outs and keepalives on the server's side, so that a stopped client cannot hold everybody.
fn guarded(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("cluestream").options([
        ("lock_timeout", "10s"),
        ("statement_timeout", "25s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_keepalives_interval", "5"),
        ("tcp_keepalives_count", "3"),
    ])
}

fn unavailable(error: sqlx::Error) -> ReadError {
    ReadError::Unavailable(error.to_string())
}

async fn read_head(readers: &PgPool) -> Result<Head, ReadError> {
    let row = sqlx::query("SELECT position, recorded_at FROM log_head WHERE id = 1")
        .fetch_one(readers)
        .await
        .map_err(unavailable)?;
    Ok(Head { position: Position::new(row.get(0)), recorded_at: Instant::from_micros(row.get(1)) })
}

/// The stream of EventStoreDB that the log is a replica of.
const SOURCE: &str = "SELECT stream FROM log_source WHERE id = 1";

/// A tuple of [`COLUMNS`]; what is NULL is nothing.
type Fields<'a> = [Option<&'a [u8]>; 9];

const COLUMNS: &str = "position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                       recorded_at, payload, metadata";

/// Reads a row of [`COLUMNS`]. Their types are those of the schema: they are not compared row by row.
fn event(row: &PgRow) -> Result<RecordedEvent, ReadError> {
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

/// Reads a tuple of [`COLUMNS`].
fn copied(fields: Fields<'_>) -> Result<RecordedEvent, ReadError> {
    let position = Position::new(copied_number(fields[0])?);
    let corrupt = |_| ReadError::Corrupt { position, reason: "a column holds no text".to_owned() };
    let text = |index: usize| std::str::from_utf8(fields[index].unwrap_or(b"\xff")).map_err(corrupt);
    recorded(
        position,
        StreamId::stored(text(1)?, text(2)?),
        Revision::new(copied_number(fields[3])?),
        (text(4)?, text(5)?),
        Instant::from_micros(copied_number(fields[6])?),
        text(7)?,
        text(8)?,
    )
}

fn copied_number(field: Option<&[u8]>) -> Result<i64, Malformed> {
    let read = |field: &[u8]| field.try_into().map(i64::from_be_bytes).map_err(|_| Malformed);
    field.map(read).transpose().map(number)
}

impl StoredRow for PgRow {
    fn bytes(&self, index: usize) -> Option<&[u8]> {
        self.try_get_unchecked(index).ok().flatten()
    }

    fn integer(&self, index: usize) -> Option<i64> {
        self.try_get_unchecked(index).ok().flatten()
    }
}

/// Reads a tuple of [`COLUMNS`] as it is stored.
fn copied_as_stored(fields: Fields<'_>) -> Result<StoredEvent, ReadError> {
    Ok(StoredEvent {
        position: Position::new(copied_number(fields[0])?),
        aggregate_type: text(fields[1]),
        aggregate_id: text(fields[2]),
        sequence: Revision::new(copied_number(fields[3])?),
        event_type: text(fields[4]),
        event_version: text(fields[5]),
        recorded_at: Instant::from_micros(copied_number(fields[6])?),
        payload: text(fields[7]),
        metadata: text(fields[8]),
    })
}

impl From<Malformed> for ReadError {
    fn from(malformed: Malformed) -> Self {
        Self::Unavailable(malformed.to_string())
    }
}

/// Up to `limit` rows of [`COLUMNS`] behind `after`.
async fn page<'e>(
    database: impl PgExecutor<'e>,
    after: Position,
    limit: usize,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
    sqlx::query(&sql)
        .bind(after.get())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(database)
        .await
}

#[async_trait]
impl EventReader for PostgresLog {
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let rows = page(&self.readers, after, limit).await.map_err(unavailable)?;
        let events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        dense(after, &events)?;
        Ok(events)
    }

    async fn read_range(&self, after: Position, until: Position) -> Result<Vec<RecordedEvent>, ReadError> {
        let events = self.copy_range(after, until, copied).await?;
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

    async fn read_stored_range(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.copy_range(after, until, copied_as_stored).await
    }

    async fn head(&self) -> Result<Head, ReadError> {
        read_head(&self.readers).await
    }
}

impl PostgresLog {
    /// Reads a stretch of the log with COPY, each row as `read` makes it.
    async fn copy_range<T>(
        &self,
        after: Position,
        until: Position,
        read: fn(Fields<'_>) -> Result<T, ReadError>,
    ) -> Result<Vec<T>, ReadError> {
        let sql = format!(
            "COPY (SELECT {COLUMNS} FROM events WHERE position > {after} AND position <= {until} \
             ORDER BY position) TO STDOUT (FORMAT binary)"
        );
        let mut chunks = self.readers.copy_out_raw(&sql).await.map_err(unavailable)?;
        let mut events = Vec::with_capacity(usize::try_from(until.get() - after.get()).unwrap_or(0));
        let (mut tuples, mut all_read) = (Tuples::default(), Ok(()));
        // What follows an error is read as well, so that the connection is free again.
        while let Some(chunk) = chunks.try_next().await.map_err(unavailable)? {
            if all_read.is_ok() {
                all_read = tuples.feed(&chunk, |fields| read(fields).map(|event| events.push(event)));
            }
        }
        all_read?;
        Ok(events)
    }
}

#[async_trait]
impl EventLog for PostgresLog {
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
        let scopes: Vec<&str> = keys.iter().map(|key| key.scope.as_str()).collect();
        let names: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
        let rows = sqlx::query(
            "SELECT u.owner, u.item FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(scope, key, n) \
             LEFT JOIN LATERAL (SELECT owner, item FROM unique_keys \
               WHERE unique_keys.scope = k.scope AND unique_keys.key = k.key LIMIT 1) u ON true ORDER BY k.n",
        )
        .bind(scopes)
        .bind(names)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        let holder =
            |row: &PgRow| row.get::<Option<String>, _>(0).map(|owner| KeyHolder { owner, item: row.get(1) });
        Ok(rows.iter().map(holder).collect())
    }

    async fn data_keys(&self, subjects: &[SubjectId]) -> Result<Vec<WrappedKey>, ReadError> {
        let ids: Vec<String> = subjects.iter().map(ToString::to_string).collect();
        let rows = sqlx::query(
            "SELECT d.subject_id, d.wrapped, d.master_version FROM unnest($1::text[]) AS s(id) \
             CROSS JOIN LATERAL (SELECT * FROM vault.data_keys WHERE subject_id = s.id LIMIT 1) d",
        )
        .bind(ids)
        .fetch_all(&self.readers)
        .await
        .map_err(unavailable)?;
        rows.iter().map(|row| wrapped_key(row.get(0), row.get(1), row.get(2))).collect()
    }

    async fn any_data_key(&self) -> Result<Option<WrappedKey>, ReadError> {
        let row = sqlx::query(
            "SELECT subject_id, wrapped, master_version FROM vault.data_keys ORDER BY subject_id LIMIT 1",
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(unavailable)?;
        row.map(|row| wrapped_key(row.get(0), row.get(1), row.get(2))).transpose()
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
        let row = sqlx::query("UPDATE log_head SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch")
            .fetch_one(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(row.get(0))
    }

    async fn forget_commands(&self, before: Instant) -> Result<u64, ReadError> {
        let done = sqlx::query("DELETE FROM commands WHERE command_id < $1")
            .bind(crate::clock::first_uuid_of(before).to_string())
            .execute(&self.readers)
            .await
            .map_err(unavailable)?;
        Ok(done.rows_affected())
    }

    async fn replica_of(&self) -> Result<Option<String>, ReadError> {
        let row = sqlx::query(SOURCE).fetch_optional(&self.readers).await.map_err(unavailable)?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn close(&self) {
        self.appender.drained().await;
        self.readers.close().await;
    }
}
