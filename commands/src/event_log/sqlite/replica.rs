//! SQLite as the replica of a log that is in EventStoreDB.

use std::time::Duration;

use async_trait::async_trait;
use domain::proof::StoredEvent;
use domain::{Instant, Position};
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor, Row};

use super::super::append::Append;
use super::super::columns::Columns;
use super::super::eventstoredb::{Entry, Outcome, Replica, Staged};
use super::super::stored::stored;
use super::super::writer::{Backend, BatchError};
use super::writer::{SqliteWriter, batch_error, chunks, lay_down, places};
use super::{BUSY, COLUMNS, SOURCE, page};

/// How long to wait before looking again whether other writers are done.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

#[async_trait]
impl Replica for SqliteWriter {
    async fn tip(&mut self) -> Result<Position, BatchError> {
        let row = sqlx::query("SELECT position FROM log_head WHERE id = 1").fetch_one(&mut self.connection);
        Ok(Position::new(row.await.map_err(batch_error)?.get(0)))
    }

    async fn source(&mut self) -> Result<Option<String>, BatchError> {
        let row = sqlx::query(SOURCE).fetch_optional(&mut self.connection).await.map_err(batch_error)?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn become_replica(&mut self, stream: &str) -> Result<(), BatchError> {
        begin(&mut self.connection).await?;
        let epoch = take_over(&mut self.connection, stream).await;
        match epoch {
            Ok(epoch) => self.epoch = epoch,
            Err(error) => {
                self.discard().await?;
                return Err(batch_error(error));
            }
        }
        self.connection.execute("COMMIT").await.map_err(batch_error)?;
        Ok(())
    }

    async fn rows(&mut self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, BatchError> {
        let rows = page(&mut self.connection, after, limit).await.map_err(batch_error)?;
        Ok(rows.iter().map(stored).collect())
    }

    async fn store_keys(&mut self, batch: &[&Append], now: Instant) -> Result<(), BatchError> {
        let keys: Vec<_> = batch.iter().flat_map(|append| &append.new_keys).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let mut transaction = self.keys.begin().await.map_err(batch_error)?;
        for key in keys {
            sqlx::query(
                "INSERT INTO data_keys (subject_id, wrapped, master_version, created_at) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT (subject_id) DO NOTHING",
            )
            .bind(key.subject.to_string())
            .bind(&key.wrapped)
            .bind(i64::from(key.master_version))
            .bind(now.micros())
            .execute(&mut *transaction)
            .await
            .map_err(batch_error)?;
        }
        transaction.commit().await.map_err(batch_error)
    }

    async fn stage(&mut self, batch: &[&Append], now: Instant) -> Result<Option<Staged>, BatchError> {
        let (columns, epoch) = (Columns::of(batch.iter().copied()), self.epoch);
        begin(&mut self.connection).await?;
        let laid = lay_down(&mut self.connection, &self.keys, epoch, &columns, batch, now)
            .await
            .map_err(batch_error);
        if let Ok(Some(committed)) = laid {
            return Ok(Some(Staged { committed, epoch }));
        }
        self.discard().await?;
        match laid {
            Ok(_) | Err(BatchError::Refused) => Ok(None),
            Err(other) => Err(other),
        }
    }

    async fn keep(&mut self) -> Result<(), BatchError> {
        self.connection.execute("COMMIT").await.map_err(batch_error)?;
        self.destroy_keys().await
    }

    async fn discard(&mut self) -> Result<(), BatchError> {
        // Some errors end the transaction by themselves; a new connection has none either.
        match self.connection.execute("ROLLBACK").await {
            Ok(_) => Ok(()),
            Err(_) => self.reconnect().await,
        }
    }

    async fn apply(&mut self, after: Position, entries: &[Entry]) -> Result<bool, BatchError> {
        begin(&mut self.connection).await?;
        match take(&mut self.connection, after, entries).await {
            Ok(true) => {
                self.keep().await?;
                Ok(true)
            }
            Ok(false) => {
                self.discard().await?;
                Ok(false)
            }
            Err(error) => {
                self.discard().await?;
                Err(batch_error(error))
            }
        }
    }
}

/// Begins a transaction that writes. SQLite itself looks ever more seldom whether others are done, and
/// here one of them holds the file most of the time, while the stream answers: whoever waits so long
/// would starve.
async fn begin(connection: &mut SqliteConnection) -> Result<(), BatchError> {
    let deadline = tokio::time::Instant::now() + BUSY;
    loop {
        match connection.execute("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE").await {
            Ok(_) => return Ok(()),
            Err(sqlx::Error::Database(error))
                if is_busy(error.as_ref()) && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(error) => return Err(batch_error(error)),
        }
    }
}

/// Whether another one writes; the code may be an extended one.
fn is_busy(error: &dyn DatabaseError) -> bool {
    const SQLITE_BUSY: i32 = 5;
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

/// Marks the log as a replica. Whoever has written it for itself until now must not go on.
async fn take_over(connection: &mut SqliteConnection, stream: &str) -> Result<i64, sqlx::Error> {
    let marked = sqlx::query("INSERT INTO log_source (id, stream) VALUES (1, $1) ON CONFLICT DO NOTHING")
        .bind(stream)
        .execute(&mut *connection)
        .await?;
    if marked.rows_affected() > 0 {
        connection.execute("UPDATE log_head SET epoch = epoch + 1 WHERE id = 1").await?;
    }
    Ok(sqlx::query("SELECT epoch FROM log_head WHERE id = 1").fetch_one(connection).await?.get(0))
}

/// Takes events of the stream within a transaction; `false` when the head is not where they follow.
async fn take(
    connection: &mut SqliteConnection,
    after: Position,
    entries: &[Entry],
) -> Result<bool, sqlx::Error> {
    let Some(last) = entries.last() else { return Ok(true) };
    let moved = sqlx::query(
        "UPDATE log_head SET position = $1, recorded_at = max(recorded_at, $2) WHERE id = 1 AND position = $3",
    )
    .bind(last.row.position.get())
    .bind(last.row.recorded_at.micros())
    .bind(after.get())
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    for chunk in chunks(entries.len()) {
        let sql = format!("INSERT INTO events ({COLUMNS}) VALUES {}", places(chunk.len(), 9));
        let mut query = sqlx::query(&sql);
        for Entry { row, .. } in &entries[chunk] {
            query = query
                .bind(row.position.get())
                .bind(&*row.aggregate_type)
                .bind(&*row.aggregate_id)
                .bind(row.sequence.get())
                .bind(&*row.event_type)
                .bind(&*row.event_version)
                .bind(row.recorded_at.micros())
                .bind(&*row.payload)
                .bind(&*row.metadata);
        }
        query.execute(&mut *connection).await?;
    }
    for entry in entries {
        for outcome in &entry.commands {
            take_outcome(connection, outcome, entry.row.recorded_at.micros()).await?;
        }
    }
    Ok(true)
}

/// What the stream says wins over what was here: results that were recorded here alone, claims of
/// appends without events.
async fn take_outcome(
    connection: &mut SqliteConnection,
    outcome: &Outcome,
    recorded_at: i64,
) -> Result<(), sqlx::Error> {
    for holder in &outcome.releases {
        sqlx::query("DELETE FROM unique_keys WHERE owner = $1 AND item = $2")
            .bind(&holder.owner)
            .bind(&holder.item)
            .execute(&mut *connection)
            .await?;
    }
    for owner in &outcome.release_owners {
        sqlx::query("DELETE FROM unique_keys WHERE owner = $1").bind(owner).execute(&mut *connection).await?;
    }
    for subject in &outcome.destroyed_keys {
        sqlx::query("INSERT OR IGNORE INTO key_destructions (subject_id) VALUES ($1)")
            .bind(subject)
            .execute(&mut *connection)
            .await?;
    }
    for claim in &outcome.claims {
        sqlx::query(
            "INSERT INTO unique_keys (scope, key, owner, item) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (scope, key) DO UPDATE SET owner = excluded.owner, item = excluded.item",
        )
        .bind(&claim.scope)
        .bind(&claim.key)
        .bind(&claim.owner)
        .bind(&claim.item)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query(
        "INSERT INTO commands (command_id, fingerprint, result, position, recorded_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (command_id) DO UPDATE SET \
         fingerprint = excluded.fingerprint, result = excluded.result, position = excluded.position, \
         recorded_at = excluded.recorded_at",
    )
    .bind(&outcome.id)
    .bind(&outcome.fingerprint)
    .bind(&outcome.result)
    .bind(outcome.position)
    .bind(recorded_at)
    .execute(&mut *connection)
    .await?;
    Ok(())
}
