//! The database schema: SQL, one folder a dialect, one file a change, never edited once landed.
//!
//! On SQLite the event log, the read models and the key vault are three files, so that they lock
//! and are backed up apart; on PostgreSQL they share one database.

use sqlx::migrate::Migrator;

/// Everything, on PostgreSQL.
pub static POSTGRES: Migrator = sqlx::migrate!("./postgres");

/// The event log, on SQLite.
pub static SQLITE_LOG: Migrator = sqlx::migrate!("./sqlite/log");

/// The read models, on SQLite.
pub static SQLITE_VIEWS: Migrator = sqlx::migrate!("./sqlite/views");

/// The key vault, on SQLite.
pub static SQLITE_KEYS: Migrator = sqlx::migrate!("./sqlite/keys");
