//! Backup and restore on each database: the same statements, but for what the dialect names
//! otherwise.

use std::path::Path;

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Executor, Row};

use super::format::Line;
use super::{BackupError, Place, Sink, Store};

/// The store of a place.
pub(super) async fn open(place: &Place<'_>) -> Result<Box<dyn Store>, BackupError> {
    Ok(match place {
        Place::Sqlite { log, keys } => {
            let file = |file: &Path| SqliteConnectOptions::new().filename(file);
            Box::new(sqlite::Database { log: file(log).connect().await?, keys: file(keys).connect().await? })
        }
        Place::Postgres(options) => Box::new(postgres::Database {
            log: options.connect().await?,
            keys: PgConnectOptions::connect(options).await?,
        }),
    })
}

/// What a dialect names in its own way.
struct Dialect {
    /// Begins a transaction that sees one moment and holds nobody up.
    read: &'static str,
    /// Begins a transaction that writes.
    write: &'static str,
    /// All events in order, JSON as text.
    events: &'static str,
    insert_event: &'static str,
    data_keys: &'static str,
    insert_data_key: &'static str,
}

const SQLITE: Dialect = Dialect {
    read: "BEGIN",
    write: "BEGIN IMMEDIATE",
    events: "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
             recorded_at, payload, metadata FROM events ORDER BY position",
    insert_event: "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, \
                   event_version, recorded_at, payload, metadata) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    data_keys: "SELECT subject_id, wrapped, master_version, created_at FROM data_keys",
    insert_data_key: "INSERT INTO data_keys (subject_id, wrapped, master_version, created_at) \
                      VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
};

const POSTGRES: Dialect = Dialect {
    read: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    write: "BEGIN",
    events: "SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
             recorded_at, payload::text, metadata::text FROM events ORDER BY position",
    insert_event: "INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, \
                   event_version, recorded_at, payload, metadata) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json)",
    data_keys: "SELECT subject_id, wrapped, master_version, created_at FROM vault.data_keys",
    insert_data_key: "INSERT INTO vault.data_keys (subject_id, wrapped, master_version, created_at) \
                      VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
};

/// Implements the store of one driver; sqlx has no type that stands for both.
macro_rules! store {
    ($name:ident, $connection:ty, $row:ty, $dialect:expr) => {
        mod $name {
            use super::*;

            /// One connection for the log, one for the data keys.
            pub struct Database {
                pub log: $connection,
                pub keys: $connection,
            }

            const DIALECT: Dialect = $dialect;

            async fn send_all(
                connection: &mut $connection,
                sql: &str,
                sink: &mut Sink,
                line: fn(&$row) -> Line,
            ) -> Result<(), BackupError> {
                let mut rows = sqlx::query(sql).fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    sink.send(&line(&row)).await?;
                }
                Ok(())
            }

            #[async_trait]
            impl Store for Database {
                async fn save_log(&mut self, sink: &mut Sink) -> Result<(), BackupError> {
                    self.log.execute(DIALECT.read).await?;
                    let head = sqlx::query("SELECT position, epoch, recorded_at FROM log_head").fetch_one(&mut self.log).await?;
                    sink.send(&Line::log(head.get(0), head.get(1), head.get(2))).await?;
                    send_all(&mut self.log, DIALECT.events, sink, event).await?;
                    let keys = "SELECT scope, key, owner, item FROM unique_keys";
                    send_all(&mut self.log, keys, sink, unique_key).await?;
                    let commands = "SELECT command_id, fingerprint, result, position, recorded_at FROM commands";
                    send_all(&mut self.log, commands, sink, command).await?;
                    self.log.execute("COMMIT").await?;
                    Ok(())
                }

                async fn save_keys(&mut self, sink: &mut Sink) -> Result<(), BackupError> {
                    sink.send(&Line::keys()).await?;
                    send_all(&mut self.keys, DIALECT.data_keys, sink, data_key).await
                }

                async fn begin(&mut self) -> Result<(), BackupError> {
                    self.keys.execute(DIALECT.write).await?;
                    self.log.execute(DIALECT.write).await?;
                    let head = sqlx::query("SELECT position FROM log_head").fetch_one(&mut self.log).await?;
                    if head.get::<i64, _>(0) == 0 { Ok(()) } else { Err(BackupError::NotEmpty) }
                }

                async fn take(&mut self, line: Line) -> Result<(), BackupError> {
                    match line {
                        Line::Log { position, epoch, recorded_at, .. } => {
                            sqlx::query("UPDATE log_head SET position = $1, epoch = $2, recorded_at = $3")
                                .bind(position)
                                .bind(epoch + 1)
                                .bind(recorded_at)
                                .execute(&mut self.log)
                                .await?;
                        }
                        Line::Event {
                            position,
                            aggregate_type,
                            aggregate_id,
                            sequence,
                            event_type,
                            event_version,
                            recorded_at,
                            payload,
                            metadata,
                        } => {
                            sqlx::query(DIALECT.insert_event)
                            .bind(position)
                            .bind(aggregate_type)
                            .bind(aggregate_id)
                            .bind(sequence)
                            .bind(event_type)
                            .bind(event_version)
                            .bind(recorded_at)
                            .bind(payload)
                            .bind(metadata)
                            .execute(&mut self.log)
                            .await?;
                        }
                        Line::UniqueKey { scope, key, owner, item } => {
                            sqlx::query("INSERT INTO unique_keys (scope, key, owner, item) VALUES ($1, $2, $3, $4)")
                                .bind(scope)
                                .bind(key)
                                .bind(owner)
                                .bind(item)
                                .execute(&mut self.log)
                                .await?;
                        }
                        Line::Command { command_id, fingerprint, result, position, recorded_at } => {
                            sqlx::query(
                                "INSERT INTO commands (command_id, fingerprint, result, position, recorded_at) \
                                 VALUES ($1, $2, $3, $4, $5)",
                            )
                            .bind(command_id)
                            .bind(fingerprint)
                            .bind(result)
                            .bind(position)
                            .bind(recorded_at)
                            .execute(&mut self.log)
                            .await?;
                        }
                        Line::DataKey { subject_id, wrapped, master_version, created_at } => {
                            sqlx::query(DIALECT.insert_data_key)
                            .bind(subject_id)
                            .bind(wrapped)
                            .bind(master_version)
                            .bind(created_at)
                            .execute(&mut self.keys)
                            .await?;
                        }
                        Line::Keys { .. } | Line::End { .. } => {}
                    }
                    Ok(())
                }

                async fn commit(&mut self) -> Result<(), BackupError> {
                    // Keys first: without events they are harmless, events without them would be lost.
                    self.keys.execute("COMMIT").await?;
                    self.log.execute("COMMIT").await?;
                    Ok(())
                }
            }

            fn event(row: &$row) -> Line {
                Line::Event {
                    position: row.get(0),
                    aggregate_type: row.get(1),
                    aggregate_id: row.get(2),
                    sequence: row.get(3),
                    event_type: row.get(4),
                    event_version: row.get(5),
                    recorded_at: row.get(6),
                    payload: row.get(7),
                    metadata: row.get(8),
                }
            }

            fn unique_key(row: &$row) -> Line {
                Line::UniqueKey { scope: row.get(0), key: row.get(1), owner: row.get(2), item: row.get(3) }
            }

            fn command(row: &$row) -> Line {
                Line::Command {
                    command_id: row.get(0),
                    fingerprint: row.get(1),
                    result: row.get(2),
                    position: row.get(3),
                    recorded_at: row.get(4),
                }
            }

            fn data_key(row: &$row) -> Line {
                Line::DataKey { subject_id: row.get(0), wrapped: row.get(1), master_version: row.get(2), created_at: row.get(3) }
            }
        }
    };
}

store!(sqlite, SqliteConnection, SqliteRow, SQLITE);
store!(postgres, PgConnection, PgRow, POSTGRES);
