//! A row of either driver.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::cell::Cell;
use super::error::SqlError;
use super::value::{Kind, Stored};

/// A row that a query returned.
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

impl Row {
    /// The value of a column, read as this kind.
    ///
    /// # Errors
    /// When the column is missing or of another kind.
    pub fn stored(&self, index: usize, kind: Kind) -> Result<Stored<'_>, SqlError> {
        // In SQLite unchecked, for a column of an expression has no declared type there. In PostgreSQL
        // whole numbers and texts unchecked: they are most of a page, every integer type reads as one,
        // and comparing types would cost more than reading.
        let stored = match (self, kind) {
            (Self::Sqlite(row), Kind::Int) => row.try_get_unchecked::<Option<_>, _>(index)?.map(Stored::Int),
            (Self::Sqlite(row), Kind::Float) => {
                row.try_get_unchecked::<Option<_>, _>(index)?.map(Stored::Float)
            }
            (Self::Sqlite(row), Kind::Text) => {
                row.try_get_unchecked::<Option<_>, _>(index)?.map(Stored::Text)
            }
            (Self::Sqlite(row), Kind::Bytes) => {
                row.try_get_unchecked::<Option<_>, _>(index)?.map(Stored::Bytes)
            }
            (Self::Postgres(row), Kind::Int) => {
                row.try_get_unchecked::<Option<_>, _>(index)?.map(Stored::Int)
            }
            (Self::Postgres(row), Kind::Float) => row.try_get::<Option<_>, _>(index)?.map(Stored::Float),
            (Self::Postgres(row), Kind::Text) => {
                row.try_get_unchecked::<Option<_>, _>(index)?.map(Stored::Text)
            }
            (Self::Postgres(row), Kind::Bytes) => row.try_get::<Option<_>, _>(index)?.map(Stored::Bytes),
        };
        Ok(stored.unwrap_or(Stored::Null))
    }

    /// The value of a column as a Rust type.
    ///
    /// # Errors
    /// When the column is missing or does not hold such a value.
    pub fn get<C: Cell>(&self, index: usize) -> Result<C, SqlError> {
        C::from_stored(self.stored(index, C::KIND)?)
            .ok_or_else(|| SqlError::Schema(format!("column {index} holds an unexpected value")))
    }
}
