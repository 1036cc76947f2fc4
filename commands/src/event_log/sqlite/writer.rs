//! The one connection of a process that appends to the log on SQLite.

use async_trait::async_trait;
use domain::envelope::{Revision, StreamId};
use domain::ids::CommandId;
use domain::{Instant, Position};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{Connection, Executor, Row};

use super::super::append::{Append, AppendError, StoredCommand};
use super::super::columns::Columns;
use super::super::writer::{Backend, BatchError, Committed};
use super::holder;

/// Lets SQLite wait for other writers, as every connection does when it is made.
const PATIENT: &str = "PRAGMA busy_timeout = 10000";

/// Rows of one INSERT: powers of two, so that few statements are prepared.
const ROWS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// The one connection of this process that appends.
pub(in super::super) struct SqliteWriter {
    options: SqliteConnectOptions,
    pub(super) connection: SqliteConnection,
    pub(super) keys: SqlitePool,
    pub(super) epoch: i64,
}

impl SqliteWriter {
    pub async fn connect(options: SqliteConnectOptions, keys: SqlitePool) -> Result<Self, sqlx::Error> {
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let row = sqlx::query("SELECT epoch FROM log_head WHERE id = 1").fetch_one(&mut connection).await?;
        Ok(Self { options, connection, keys, epoch: row.get(0) })
    }

    /// Keys first: a key without events is harmless, events without their key would be lost.
    async fn store_new_keys(&self, columns: &Columns<'_>, now: Instant) -> Result<(), sqlx::Error> {
        if columns.subjects.is_empty() {
            return Ok(());
        }
        let mut transaction = self.keys.begin().await?;
        for (index, subject) in columns.subjects.iter().enumerate() {
            // A subject's id is fresh. A row of that id can only be left over from this very
            // command, before a crash; no event was sealed under it.
            sqlx::query(
                "INSERT INTO data_keys (subject_id, wrapped, master_version, created_at) \
                 VALUES ($1, $2, $3, $4) ON CONFLICT (subject_id) DO UPDATE SET wrapped = excluded.wrapped",
            )
            .bind(subject)
            .bind(columns.wrapped[index])
            .bind(columns.master_versions[index])
            .bind(now.micros())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// Destroys the keys whose destruction is in the log. What is left to do stays written down until no
    /// file holds them any more; `false` when somebody who reads keys keeps it from being done.
    pub async fn finish_key_destructions(&mut self) -> Result<bool, sqlx::Error> {
        let rows =
            sqlx::query("SELECT subject_id FROM key_destructions").fetch_all(&mut self.connection).await?;
        if rows.is_empty() {
            return Ok(true);
        }
        fail::fail_point!("log.before-key-destruction");
        let subjects: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        for subject in &subjects {
            sqlx::query("DELETE FROM data_keys WHERE subject_id = $1")
                .bind(subject)
                .execute(&self.keys)
                .await?;
        }
        // The deleted key must leave the write-ahead log too.
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.keys).await?;
        if checkpoint.get::<i64, _>(0) != 0 {
            return Ok(false);
        }
        self.connection.execute(PATIENT).await?;
        sqlx::query("DELETE FROM key_destructions WHERE subject_id IN (SELECT value FROM json_each($1))")
            .bind(serde_json::Value::from(subjects).to_string())
            .execute(&mut self.connection)
            .await?;
        Ok(true)
    }

    /// The same; not to be done counts as a reply that is lost, for the erasure is not to be answered yet.
    pub(super) async fn destroy_keys(&mut self) -> Result<(), BatchError> {
        match self.finish_key_destructions().await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(BatchError::Lost("somebody still reads a data key that is to be destroyed".to_owned()))
            }
            Err(error) => Err(batch_error(error)),
        }
    }

    /// `None` when the head does not move: see [`lay_down`].
    async fn write(
        &mut self,
        columns: &Columns<'_>,
        batch: &[&Append],
        now: Instant,
    ) -> Result<Option<Committed>, sqlx::Error> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let committed = lay_down(&mut transaction, &self.keys, self.epoch, columns, batch, now).await?;
        if committed.is_some() {
            fail::fail_point!("log.in-transaction");
            transaction.commit().await?;
        }
        Ok(committed)
    }
}

/// Writes a batch within a transaction. `None` when the head does not move: fenced off, a stream would
/// get a hole, one has gone on that something was decided on, or somebody is erased for whom something is
/// sealed.
pub(super) async fn lay_down(
    connection: &mut SqliteConnection,
    keys: &SqlitePool,
    epoch: i64,
    columns: &Columns<'_>,
    batch: &[&Append],
    now: Instant,
) -> Result<Option<Committed>, sqlx::Error> {
    let head = sqlx::query(
        "UPDATE log_head SET position = position + $1, recorded_at = max(recorded_at, $2) \
         WHERE id = 1 AND epoch = $3 RETURNING position - $1, recorded_at",
    )
    .bind(columns.event_count())
    .bind(now.micros())
    .bind(epoch)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(head) = head else { return Ok(None) };
    let (base, recorded_at): (i64, i64) = (head.get(0), head.get(1));
    if !predecessors_exist(connection, columns).await? || !is_as_decided(connection, columns).await? {
        return Ok(None);
    }
    if kept_keys(connection, keys, &columns.seals_for).await?.len() < columns.seals_for.len() {
        return Ok(None);
    }
    for append in batch {
        give_up(connection, append).await?;
    }
    insert_events(connection, columns, base, recorded_at).await?;
    insert_commands(connection, columns, base, recorded_at).await?;
    for (index, &scope) in columns.claim_scopes.iter().enumerate() {
        sqlx::query("INSERT INTO unique_keys (scope, key, owner, item) VALUES ($1, $2, $3, $4)")
            .bind(scope)
            .bind(columns.claim_keys[index])
            .bind(columns.claim_owners[index])
            .bind(columns.claim_items[index])
            .execute(&mut *connection)
            .await?;
    }
    Ok(Some(Committed { base: Position::new(base), recorded_at: Instant::from_micros(recorded_at) }))
}

async fn predecessors_exist(
    connection: &mut SqliteConnection,
    columns: &Columns<'_>,
) -> Result<bool, sqlx::Error> {
    let wanted = &columns.predecessors;
    for (index, sequence) in wanted.sequences.iter().enumerate() {
        let row = sqlx::query(
            "SELECT 1 FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3",
        )
        .bind(wanted.aggregate_types[index])
        .bind(wanted.aggregate_ids[index])
        .bind(sequence)
        .fetch_optional(&mut *connection)
        .await?;
        if row.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The last revision of a stream; zero when there is none.
async fn last_revision(connection: &mut SqliteConnection, kind: &str, id: &str) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
        "SELECT coalesce(max(sequence), 0) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2",
    )
    .bind(kind)
    .bind(id)
    .fetch_one(connection)
    .await?;
    Ok(row.get(0))
}

/// Whether nothing has gone on that something was decided on.
async fn is_as_decided(
    connection: &mut SqliteConnection,
    columns: &Columns<'_>,
) -> Result<bool, sqlx::Error> {
    let seen = &columns.decided_on;
    for (index, sequence) in seen.sequences.iter().enumerate() {
        let (kind, id) = (seen.aggregate_types[index], seen.aggregate_ids[index]);
        if last_revision(connection, kind, id).await? != *sequence {
            return Ok(false);
        }
    }
    Ok(!columns.is_stale)
}

/// Those of these people whose data keys are neither destroyed nor about to be. Nobody can be erased while
/// the connection is in a transaction that writes.
async fn kept_keys(
    connection: &mut SqliteConnection,
    keys: &SqlitePool,
    subjects: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = serde_json::Value::from(subjects).to_string();
    let ids = |rows: Vec<SqliteRow>| rows.iter().map(|row| row.get(0)).collect::<Vec<String>>();
    let among = |table: &str| {
        format!("SELECT subject_id FROM {table} WHERE subject_id IN (SELECT value FROM json_each($1))")
    };
    let going = sqlx::query(&among("key_destructions")).bind(&wanted).fetch_all(connection).await.map(ids)?;
    let mut kept = sqlx::query(&among("data_keys")).bind(&wanted).fetch_all(keys).await.map(ids)?;
    kept.retain(|subject| !going.contains(subject));
    Ok(kept)
}

async fn give_up(connection: &mut SqliteConnection, append: &Append) -> Result<(), sqlx::Error> {
    for holder in &append.releases {
        sqlx::query("DELETE FROM unique_keys WHERE owner = $1 AND item = $2")
            .bind(&holder.owner)
            .bind(&holder.item)
            .execute(&mut *connection)
            .await?;
    }
    for owner in &append.release_owners {
        sqlx::query("DELETE FROM unique_keys WHERE owner = $1").bind(owner).execute(&mut *connection).await?;
    }
    for subject in &append.destroy_keys {
        sqlx::query("INSERT OR IGNORE INTO key_destructions (subject_id) VALUES ($1)")
            .bind(subject.to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// `(…), (…)` of `rows` rows with `width` numbered places each.
pub(super) fn places(rows: usize, width: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=width).map(|place| format!("${}", row * width + place)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Cuts `total` rows into chunks of the sizes that have a prepared statement.
pub(super) fn chunks(total: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= total - from)?;
        let chunk = from..from + size;
        from += size;
        Some(chunk)
    })
}

async fn insert_events(
    connection: &mut SqliteConnection,
    columns: &Columns<'_>,
    base: i64,
    recorded_at: i64,
) -> Result<(), sqlx::Error> {
    for chunk in chunks(columns.sequences.len()) {
        let sql = format!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, \
             payload, metadata, position, recorded_at) VALUES {}",
            places(chunk.len(), 9)
        );
        let mut query = sqlx::query(&sql);
        for index in chunk {
            query = query
                .bind(columns.aggregate_types[index])
                .bind(columns.aggregate_ids[index])
                .bind(columns.sequences[index])
                .bind(columns.event_types[index])
                .bind(columns.event_versions[index])
                .bind(columns.payloads[index])
                .bind(columns.metadata[index])
                .bind(base + 1 + i64::try_from(index).unwrap_or(i64::MAX))
                .bind(recorded_at);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_commands(
    connection: &mut SqliteConnection,
    columns: &Columns<'_>,
    base: i64,
    recorded_at: i64,
) -> Result<(), sqlx::Error> {
    for chunk in chunks(columns.command_ids.len()) {
        let sql = format!(
            "INSERT INTO commands (command_id, fingerprint, result, position, recorded_at) VALUES {}",
            places(chunk.len(), 5)
        );
        let mut query = sqlx::query(&sql);
        for index in chunk {
            query = query
                .bind(&columns.command_ids[index])
                .bind(columns.fingerprints[index])
                .bind(columns.results[index])
                .bind(base + columns.offsets[index])
                .bind(recorded_at);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) fn batch_error(error: sqlx::Error) -> BatchError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => BatchError::Refused,
        sqlx::Error::Database(error) if error.is_check_violation() => {
            BatchError::Rejected(error.message().to_owned())
        }
        other => BatchError::Lost(other.to_string()),
    }
}

#[async_trait]
impl Backend for SqliteWriter {
    async fn commit(&mut self, batch: &[&Append], now: Instant) -> Result<Committed, BatchError> {
        let columns = Columns::of(batch.iter().copied());
        self.store_new_keys(&columns, now).await.map_err(batch_error)?;
        fail::fail_point!("log.keys-stored");
        let committed = self.write(&columns, batch, now).await.map_err(batch_error)?;
        if batch.iter().any(|append| !append.destroy_keys.is_empty()) && committed.is_some() {
            self.destroy_keys().await?;
        }
        committed.ok_or(BatchError::Refused)
    }

    async fn explain(&mut self, append: &Append) -> Result<AppendError, BatchError> {
        if let Some((stored, _)) = self.find(append.command.id).await? {
            return Ok(AppendError::CommandExists(stored));
        }
        let row = sqlx::query("SELECT epoch FROM log_head WHERE id = 1")
            .fetch_one(&mut self.connection)
            .await
            .map_err(batch_error)?;
        if row.get::<i64, _>(0) != self.epoch {
            return Ok(AppendError::Fenced { epoch: self.epoch });
        }
        for claim in &append.claims {
            let row = sqlx::query("SELECT owner, item FROM unique_keys WHERE scope = $1 AND key = $2")
                .bind(&claim.key.scope)
                .bind(&claim.key.key)
                .fetch_optional(&mut self.connection)
                .await
                .map_err(batch_error)?;
            if let Some(row) = row {
                return Ok(AppendError::KeyTaken { key: claim.key.clone(), holder: holder(&row) });
            }
        }
        for (stream, expected) in append.expectations() {
            let (kind, id) = (stream.aggregate_type(), stream.id());
            let last = last_revision(&mut self.connection, kind, id).await.map_err(batch_error)?;
            if last != expected.get() {
                return Ok(wrong_revision((stream, expected)));
            }
        }
        let subjects: Vec<String> = append.seals_for.iter().map(ToString::to_string).collect();
        let kept = kept_keys(&mut self.connection, &self.keys, &subjects).await.map_err(batch_error)?;
        if let Some(subject) = append.sealed_without_key(&kept) {
            return Ok(AppendError::KeyDestroyed { subject });
        }
        // It was refused a moment ago and would not be now: a conflict that has passed.
        append.expectations().next().map(wrong_revision).ok_or(BatchError::Refused)
    }

    async fn find(&mut self, command: CommandId) -> Result<Option<(StoredCommand, Instant)>, BatchError> {
        let row = sqlx::query(
            "SELECT fingerprint, result, position, recorded_at FROM commands WHERE command_id = $1",
        )
        .bind(command.to_string())
        .fetch_optional(&mut self.connection)
        .await
        .map_err(batch_error)?;
        Ok(row.map(|row| {
            let position = Position::new(row.get(2));
            let stored = StoredCommand { fingerprint: row.get(0), result: row.get(1), position };
            (stored, Instant::from_micros(row.get(3)))
        }))
    }

    async fn reconnect(&mut self) -> Result<(), BatchError> {
        self.connection = SqliteConnection::connect_with(&self.options).await.map_err(batch_error)?;
        // Before anybody finds that an erasure is in the log, its key must be gone.
        self.destroy_keys().await
    }
}

fn wrong_revision((stream, expected): (&StreamId, Revision)) -> AppendError {
    AppendError::WrongExpectedRevision { stream: stream.clone(), expected }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;
    use tempfile::TempDir;

    use super::super::options;
    use super::*;

    /// A log with a key whose destruction is in the log and not done yet.
    async fn to_be_destroyed(folder: &TempDir) -> SqliteWriter {
        let files = ["log.db", "keys.db"].map(|name| folder.path().join(name));
        for (file, migrator) in files.iter().zip([&migrations::SQLITE_LOG, &migrations::SQLITE_KEYS]) {
            let options = options(file).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            migrator.run(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        // Nobody is waited for.
        let keys = options(&files[1]).busy_timeout(std::time::Duration::ZERO);
        let keys = SqlitePoolOptions::new().max_connections(1).connect_with(keys).await.unwrap();
        let key = "INSERT INTO data_keys (subject_id, wrapped, master_version, created_at) VALUES ('a', x'01', 1, 0)";
        sqlx::query(key).execute(&keys).await.unwrap();
        let mut writer = SqliteWriter::connect(options(&files[0]), keys).await.unwrap();
        let destruction = sqlx::query("INSERT INTO key_destructions (subject_id) VALUES ('a')");
        destruction.execute(&mut writer.connection).await.unwrap();
        writer
    }

    async fn left_to_do(writer: &mut SqliteWriter) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM key_destructions");
        count.fetch_one(&mut writer.connection).await.unwrap()
    }

    #[tokio::test]
    async fn a_key_that_the_write_ahead_log_still_holds_is_not_destroyed_yet() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = to_be_destroyed(&folder).await;
        let mut reader =
            SqliteConnection::connect_with(&options(&folder.path().join("keys.db"))).await.unwrap();
        let mut reading = reader.begin().await.unwrap();
        sqlx::query("SELECT * FROM data_keys").fetch_all(&mut *reading).await.unwrap();
        assert!(matches!(writer.destroy_keys().await, Err(BatchError::Lost(_))));
        assert_eq!(left_to_do(&mut writer).await, 1);
        reading.rollback().await.unwrap();
        writer.destroy_keys().await.unwrap();
        assert_eq!(left_to_do(&mut writer).await, 0);
    }

    #[tokio::test]
    async fn a_new_connection_destroys_keys_before_anybody_asks_it_whether_an_erasure_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = to_be_destroyed(&folder).await;
        writer.reconnect().await.unwrap();
        assert_eq!(left_to_do(&mut writer).await, 0);
        let keys = sqlx::query("SELECT * FROM data_keys").fetch_all(&writer.keys).await.unwrap();
        assert_eq!(keys.len(), 0);
    }
}
