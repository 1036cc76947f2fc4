//! Connections to the read models.

use std::str::FromStr;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor as _, PgPool, Postgres, Sqlite, SqlitePool};

use super::bind;
use super::builder::Sql;
use super::error::SqlError;
use super::row::Row;
use super::together::Together;
use super::tx::Tx;
use super::value::Value;

/// Connections that read on SQLite; each is a thread of its own.
const SQLITE_READERS: u32 = 4;
/// Connections on PostgreSQL.
const POSTGRES_READERS: u32 = 16;
/// A projector, a rebuild and a verification may write at once.
const POSTGRES_WRITERS: u32 = 12;
/// How long a connection may take, and how long SQLite waits for a lock.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database of the read models. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of its own, so that read models never contend with the log. SQLite has one writer.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
    },
    /// A schema that may be shared with the log.
    Postgres {
        /// Connections of projectors; their commits do not wait for the disk.
        writer: PgPool,
        /// Connections of queries.
        readers: PgPool,
        /// Connections of short queries that many ask at once.
        together: Together,
    },
}

impl Database {
    /// Connects to `sqlite://path` or `postgres://…`. The schema must be there already.
    ///
    /// # Errors
    /// When the URL is neither, or the database does not answer.
    pub async fn connect(url: &str) -> Result<Self, SqlError> {
        if url.starts_with("sqlite:") {
            return Self::connect_sqlite(url).await;
        }
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Self::connect_postgres(url).await;
        }
        Err(SqlError::Schema("a database URL begins with sqlite: or postgres:".to_owned()))
    }

    async fn connect_sqlite(url: &str) -> Result<Self, SqlError> {
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            // Read models are rebuildable: a power cut may cost the last commits, never consistency.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(false)
            .busy_timeout(PATIENCE)
            // An erased person's rows must not linger in free pages.
            .pragma("secure_delete", "ON")
            .pragma("temp_store", "MEMORY")
            .pragma("cache_size", "-65536")
            .statement_cache_capacity(512);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE * 6)
            // Read models stand in line here while the log is replayed; that is no news.
            .acquire_slow_threshold(PATIENCE * 6)
            // A full disk makes SQLite end a transaction by itself. The driver takes the connection to be
            // in one for ever after, so it goes. The rollback of what was dropped comes before the ping.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options.clone())
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .acquire_timeout(PATIENCE)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { writer, readers })
    }

    async fn connect_postgres(url: &str) -> Result<Self, SqlError> {
        let options = PgConnectOptions::from_str(url)?.statement_cache_capacity(512);
        let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
        // Without test_before_acquire each use of a pooled connection saves a round trip.
        let reading = options.clone().options([("statement_timeout", "30s")]);
        let readers = pool(POSTGRES_READERS).test_before_acquire(false).connect_with(reading.clone()).await?;
        let together = Together::start(&reading);
        let writer = pool(POSTGRES_WRITERS)
            .connect_with(options.options([
                ("synchronous_commit", "off"),
                ("lock_timeout", "10s"),
                ("idle_in_transaction_session_timeout", "60s"),
            ]))
            .await?;
        Ok(Self::Postgres { writer, readers, together })
    }

    /// A transaction that writes.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn begin(&self) -> Result<Tx, SqlError> {
        Ok(match self {
            // Taking the write lock at once: a later upgrade of a read lock could deadlock.
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres { writer, .. } => Tx::Postgres(writer.begin().await?),
        })
    }

    /// A transaction that reads one state of the database throughout.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn snapshot(&self) -> Result<Tx, SqlError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(readers.begin().await?),
            // The writers' pool: comparing two models may take longer than a query may.
            Self::Postgres { writer, .. } => {
                Tx::Postgres(writer.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// Runs one query on a reading connection.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub fn fetch<'a>(
        &'a self,
        sql: &'a str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, SqlError>> {
        Box::pin(async move {
            match self {
                Self::Sqlite { readers, .. } => {
                    let text = bind::sqlite_text(sql);
                    let query = sqlx::query_with::<Sqlite, _>(&text, bind::sqlite(params)?);
                    Ok(query.fetch_all(readers).await?.into_iter().map(Row::Sqlite).collect())
                }
                Self::Postgres { readers, .. } => {
                    let query = sqlx::query_with::<Postgres, _>(sql, bind::postgres(params)?);
                    Ok(query.fetch_all(readers).await?.into_iter().map(Row::Postgres).collect())
                }
            }
        })
    }

    /// Runs one query that reads little whatever its parameters; on PostgreSQL together with equal
    /// ones that wait at the same time.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn fetch_together(&self, query: Sql) -> Result<Vec<Row>, SqlError> {
        match self {
            Self::Postgres { together, .. } if Together::takes(query.params()) => {
                let (text, params) = query.into_parts();
                together.fetch(text, params).await
            }
            _ => self.fetch(query.text(), query.params()).await,
        }
    }

    /// Runs one statement outside a transaction, for example `VACUUM`.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub fn run<'a>(&'a self, sql: &'a str) -> BoxFuture<'a, Result<(), SqlError>> {
        Box::pin(async move {
            match self {
                Self::Sqlite { writer, .. } => writer.execute(sql).await.map(drop)?,
                Self::Postgres { writer, .. } => writer.execute(sql).await.map(drop)?,
            }
            Ok(())
        })
    }

    /// Empties SQLite's write-ahead log into the file; nothing to do on PostgreSQL.
    ///
    /// # Errors
    /// [`SqlError::Unavailable`] while somebody still reads from the log.
    pub async fn empty_journal(&self) -> Result<(), SqlError> {
        let Self::Sqlite { writer, .. } = self else { return Ok(()) };
        let row = writer.fetch_one("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        let busy: i64 = Row::Sqlite(row).get(0)?;
        if busy == 0 { Ok(()) } else { Err(SqlError::Unavailable("the journal is being read".to_owned())) }
    }

    /// Whether it is PostgreSQL.
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { writer, readers, together } => {
                together.close();
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_fails_transactions_only_as_long_as_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("views.db").display());
        let db = Database::connect(&url).await.unwrap();
        db.run("CREATE TABLE things (thing text)").await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.run("PRAGMA max_page_count = 3").await.unwrap();
        let full = tx.run("INSERT INTO things VALUES (hex(zeroblob(100000)))").await;
        assert_eq!(full, Err(SqlError::Unavailable("13".to_owned())));
        drop(tx);
        // The limit was the connection's; a new one has none.
        let mut tx = db.begin().await.expect("the writer is of use again");
        tx.run("INSERT INTO things VALUES ('one')").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(db.fetch("SELECT count(*) FROM things", &[]).await.unwrap().len(), 1);
    }
}
