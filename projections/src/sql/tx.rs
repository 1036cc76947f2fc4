//! Transactions of either driver.

use futures::TryStreamExt;
use futures::future::BoxFuture;
use sqlx::{Executor as _, Postgres, Sqlite, Transaction};

use super::bind;
use super::error::SqlError;
use super::row::Row;
use super::value::Value;

/// A transaction. Dropping it rolls it back.
///
/// Its futures are boxed: the compiler cannot see that the drivers' generic ones are `Send`.
pub enum Tx {
    /// Of SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// Of PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Runs a statement; how many rows it changed.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub fn execute<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<u64, SqlError>> {
        Box::pin(async move {
            match self {
                Self::Sqlite(tx) => {
                    let text = bind::sqlite_text(sql);
                    let query = sqlx::query_with::<Sqlite, _>(&text, bind::sqlite(params)?);
                    Ok(query.execute(&mut **tx).await?.rows_affected())
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query_with::<Postgres, _>(sql, bind::postgres(params)?);
                    Ok(query.execute(&mut **tx).await?.rows_affected())
                }
            }
        })
    }

    /// Runs a query.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub fn fetch<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
    ) -> BoxFuture<'a, Result<Vec<Row>, SqlError>> {
        Box::pin(async move {
            match self {
                Self::Sqlite(tx) => {
                    let text = bind::sqlite_text(sql);
                    let query = sqlx::query_with::<Sqlite, _>(&text, bind::sqlite(params)?);
                    Ok(query.fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect())
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query_with::<Postgres, _>(sql, bind::postgres(params)?);
                    Ok(query.fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect())
                }
            }
        })
    }

    /// Runs a query and hands its rows over as they come, so that no more than a few are in memory.
    ///
    /// # Errors
    /// See [`SqlError`]; also the first error of `each`.
    pub fn for_each<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
        each: &'a mut (dyn FnMut(&Row) -> Result<(), SqlError> + Send),
    ) -> BoxFuture<'a, Result<(), SqlError>> {
        Box::pin(async move {
            match self {
                Self::Sqlite(tx) => {
                    let text = bind::sqlite_text(sql);
                    let query = sqlx::query_with::<Sqlite, _>(&text, bind::sqlite(params)?);
                    let mut rows = query.fetch(&mut **tx);
                    while let Some(row) = rows.try_next().await? {
                        each(&Row::Sqlite(row))?;
                    }
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query_with::<Postgres, _>(sql, bind::postgres(params)?);
                    let mut rows = query.fetch(&mut **tx);
                    while let Some(row) = rows.try_next().await? {
                        each(&Row::Postgres(row))?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Runs statements as they stand, without parameters: for data definition.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub fn run<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<(), SqlError>> {
        Box::pin(async move {
            match self {
                Self::Sqlite(tx) => (&mut **tx).execute(sql).await.map(drop)?,
                Self::Postgres(tx) => (&mut **tx).execute(sql).await.map(drop)?,
            }
            Ok(())
        })
    }

    /// Makes it last.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn commit(self) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Takes it back.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn rollback(self) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }

    /// Whether it is PostgreSQL's.
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}
