//! One way to talk to the database of the read models, SQLite or PostgreSQL.
//!
//! Guarantees: one SQL text with `$1` placeholders serves both; a list of keys is one parameter
//! (`column = ANY($1)`), so that statements stay few and prepared; rows are written many at a time;
//! an error never repeats a stored value, which may be personal.
//!
//! Deliberately absent: a query builder, migrations (the composition root runs them before it
//! connects), and durability beyond the log's: read models are rebuildable, so SQLite runs with
//! `synchronous = NORMAL` and PostgreSQL writes with `synchronous_commit = off`. A crash may lose the
//! last commits whole, rows together with their checkpoint, and the projector then repeats them.

mod bind;
mod builder;
mod cell;
mod database;
mod error;
mod record;
mod records;
mod row;
mod table;
mod together;
mod tx;
mod value;

pub use builder::Sql;
pub use cell::Cell;
pub use database::Database;
pub use error::SqlError;
pub use record::Record;
pub(crate) use record::record;
pub use records::{Records, TableBatch};
pub use row::Row;
pub use table::{Column, Suffix, TableDef};
pub use tx::Tx;
pub use value::{Kind, Stored, Value};
