//! A row of either driver.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, ValueRef as _};

use super::cell::Cell;
use super::error::SqlError;
use super::value::{Kind, Value};

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
    pub fn value(&self, index: usize, kind: Kind) -> Result<Value, SqlError> {
        match self {
            // Unchecked: a column of an expression has no declared type in SQLite.
            Self::Sqlite(row) => {
                if row.try_get_raw(index)?.is_null() {
                    return Ok(Value::Null);
                }
                Ok(match kind {
                    Kind::Int => Value::Int(row.try_get_unchecked(index)?),
                    Kind::Float => Value::Float(row.try_get_unchecked(index)?),
                    Kind::Text => Value::Text(row.try_get_unchecked(index)?),
                    Kind::Bytes => Value::Bytes(row.try_get_unchecked(index)?),
                })
            }
            // Whole numbers and texts unchecked: they are most of a page, every integer type reads as
            // one, and comparing types would cost more than reading.
            Self::Postgres(row) => Ok(match kind {
                Kind::Int => row.try_get_unchecked::<Option<i64>, _>(index)?.map_or(Value::Null, Value::Int),
                Kind::Float => row.try_get::<Option<f64>, _>(index)?.map_or(Value::Null, Value::Float),
                Kind::Text => {
                    row.try_get_unchecked::<Option<String>, _>(index)?.map_or(Value::Null, Value::Text)
                }
                Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(index)?.map_or(Value::Null, Value::Bytes),
            }),
        }
    }

    /// The value of a column as a Rust type.
    ///
    /// # Errors
    /// When the column is missing or does not hold such a value.
    pub fn get<C: Cell>(&self, index: usize) -> Result<C, SqlError> {
        C::from_value(self.value(index, C::KIND)?)
            .ok_or_else(|| SqlError::Schema(format!("column {index} holds an unexpected value")))
    }
}
