//! Tables of read models, and writing many rows at once.

use super::error::SqlError;
use super::tx::Tx;
use super::value::{Kind, Value};

/// Most rows in one statement on SQLite; smaller powers of two take the rest, so that few
/// different statements are prepared.
const SQLITE_ROWS: usize = 64;
/// Most rows in one statement on PostgreSQL.
const POSTGRES_ROWS: usize = 5_000;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A table of a read model.
#[derive(Debug, PartialEq, Eq)]
pub struct TableDef {
    /// Its name without suffix.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// The columns of its primary key.
    pub key: &'static [&'static str],
    /// The column by which rows are loaded together: all rows of one customer, of one line.
    pub group: &'static str,
}

/// Which copy of a model's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suffix {
    /// The one that queries read.
    Live,
    /// Built beside, to be swapped in.
    Next,
    /// Built beside, to be compared and dropped.
    Check,
    /// What was live before the last swap.
    Old,
}

impl Suffix {
    /// What is behind the table's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Next => "__next",
            Self::Check => "__check",
            Self::Old => "__old",
        }
    }
}

impl TableDef {
    /// The name of one copy.
    #[must_use]
    pub fn named(&self, suffix: Suffix) -> String {
        format!("{}{}", self.name, suffix.as_str())
    }

    /// Its column names, for a SELECT list.
    #[must_use]
    pub fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// The columns of its primary key.
    pub fn key_columns(&self) -> impl Iterator<Item = &'static Column> {
        self.key.iter().filter_map(|key| self.columns.iter().find(|column| column.name == *key))
    }

    /// Its column names behind an alias, for a SELECT list.
    #[must_use]
    pub fn columns_of(&self, alias: &str) -> String {
        let mut list = String::with_capacity(self.columns.len() * 24);
        for column in self.columns {
            let comma = if list.is_empty() { "" } else { ", " };
            list.extend([comma, alias, ".", column.name]);
        }
        list
    }

    fn conflict(&self) -> String {
        let keys = self.key.join(", ");
        let others: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !self.key.contains(&column.name))
            .map(|column| format!("{0} = excluded.{0}", column.name))
            .collect();
        if others.is_empty() {
            return format!(" ON CONFLICT ({keys}) DO NOTHING");
        }
        format!(" ON CONFLICT ({keys}) DO UPDATE SET {}", others.join(", "))
    }

    /// Writes rows, new ones and changed ones alike. Every row has a value for every column.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn upsert(&self, tx: &mut Tx, suffix: Suffix, rows: Vec<Vec<Value>>) -> Result<(), SqlError> {
        let into = format!("INSERT INTO {} ({}) ", self.named(suffix), self.column_list());
        let conflict = self.conflict();
        match tx {
            Tx::Postgres(tx) => {
                let kinds: Vec<Kind> = self.columns.iter().map(|column| column.kind).collect();
                let sql = format!("{into}SELECT * FROM {}{conflict}", unnest(&kinds));
                for chunk in chunks(rows, |left| left.min(POSTGRES_ROWS)) {
                    let query = sqlx::query_with::<sqlx::Postgres, _>(&sql, arrays(&kinds, chunk)?);
                    query.execute(&mut **tx).await?;
                }
            }
            Tx::Sqlite(_) => {
                for chunk in chunks(rows, sqlite_chunk) {
                    let mut sql = into.clone();
                    values(&mut sql, chunk.len(), self.columns.len());
                    sql.push_str(&conflict);
                    let params: Vec<Value> = chunk.into_iter().flatten().collect();
                    tx.execute(&sql, &params).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes rows by their keys.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn delete(&self, tx: &mut Tx, suffix: Suffix, keys: Vec<Vec<Value>>) -> Result<(), SqlError> {
        let kinds: Vec<Kind> = self.key_columns().map(|column| column.kind).collect();
        let from = format!("DELETE FROM {} WHERE ({}) IN (", self.named(suffix), self.key.join(", "));
        match tx {
            Tx::Postgres(tx) => {
                let sql = format!("{from}SELECT * FROM {})", unnest(&kinds));
                for chunk in chunks(keys, |left| left.min(POSTGRES_ROWS)) {
                    let query = sqlx::query_with::<sqlx::Postgres, _>(&sql, arrays(&kinds, chunk)?);
                    query.execute(&mut **tx).await?;
                }
            }
            Tx::Sqlite(_) => {
                for chunk in chunks(keys, sqlite_chunk) {
                    let mut sql = from.clone();
                    values(&mut sql, chunk.len(), kinds.len());
                    sql.push(')');
                    let params: Vec<Value> = chunk.into_iter().flatten().collect();
                    tx.execute(&sql, &params).await?;
                }
            }
        }
        Ok(())
    }
}

/// The largest power of two that fits, up to the limit.
fn sqlite_chunk(left: usize) -> usize {
    if left >= SQLITE_ROWS { SQLITE_ROWS } else { 1 << left.ilog2() }
}

/// Cuts rows into chunks; `size` says how many to take of how many are left.
fn chunks<T>(rows: Vec<T>, size: impl Fn(usize) -> usize) -> Vec<Vec<T>> {
    let mut left = rows.len();
    let mut rows = rows.into_iter();
    let mut out = Vec::new();
    while left > 0 {
        let take = size(left);
        out.push(rows.by_ref().take(take).collect());
        left -= take;
    }
    out
}

/// `VALUES (?, ?), (?, ?)`, for SQLite. Nameless, for it finds the name of a parameter by walking all
/// names, and the driver asks for each: half of the time of a large write went there.
fn values(sql: &mut String, rows: usize, columns: usize) {
    let row = format!("({})", vec!["?"; columns].join(", "));
    sql.push_str("VALUES ");
    sql.push_str(&vec![row.as_str(); rows].join(", "));
}

/// `unnest($1::bigint[], $2::text[])`.
fn unnest(kinds: &[Kind]) -> String {
    let arrays: Vec<String> = kinds
        .iter()
        .enumerate()
        .map(|(index, kind)| {
            let array = match kind {
                Kind::Int => "bigint[]",
                Kind::Float => "double precision[]",
                Kind::Text => "text[]",
                Kind::Bytes => "bytea[]",
            };
            format!("${}::{array}", index + 1)
        })
        .collect();
    format!("unnest({})", arrays.join(", "))
}

/// Rows as one array a column.
fn arrays(kinds: &[Kind], rows: Vec<Vec<Value>>) -> Result<sqlx::postgres::PgArguments, SqlError> {
    use sqlx::Arguments as _;
    let mut arguments = sqlx::postgres::PgArguments::default();
    let count = rows.len();
    let mut columns: Vec<Vec<Value>> = kinds.iter().map(|_| Vec::with_capacity(count)).collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let wrong = || SqlError::Data { code: "kind".to_owned() };
    for (kind, column) in kinds.iter().zip(columns) {
        macro_rules! array {
            ($variant:ident, $ty:ty) => {{
                let items: Option<Vec<Option<$ty>>> = column
                    .into_iter()
                    .map(|value| match value {
                        Value::Null => Some(None),
                        Value::$variant(value) => Some(Some(value)),
                        _ => None,
                    })
                    .collect();
                arguments.add(items.ok_or_else(wrong)?)
            }};
        }
        match kind {
            Kind::Int => array!(Int, i64),
            Kind::Float => array!(Float, f64),
            Kind::Text => array!(Text, String),
            Kind::Bytes => array!(Bytes, Vec<u8>),
        }
        .map_err(|_| wrong())?;
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_sizes_of_statement_cover_any_number_of_rows() {
        let sizes = |n: usize| chunks(vec![0; n], sqlite_chunk).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [] as [usize; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(135), [64, 64, 4, 2, 1]);
    }
}
