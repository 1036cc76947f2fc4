//! The database's schema: bringing it to this program's version, and refusing any other.

use std::path::Path;

use commands::clock::SystemClock;
use commands::event_log::{EventLog, PostgresLog, SqliteLog};
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::location::Location;

/// Why the schema cannot be used or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database does not answer, or the file is not there.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// It answers, and will not do: no database, no such one, or no right to it.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// It has no schema, or an older one.
    #[error(
        "the database's schema is at version {found}, this program needs {needed}: run `cluestream migrate`"
    )]
    Behind {
        /// Version of the database; zero when it has none.
        found: i64,
        /// Version of this program.
        needed: i64,
    },
    /// A newer program wrote it.
    #[error(
        "a newer program wrote this database (schema version {found}, this program knows {needed}): use the newer one"
    )]
    Newer {
        /// Version of the database.
        found: i64,
        /// Version of this program.
        needed: i64,
    },
    /// A change of the schema failed or was edited after it was applied.
    #[error("the schema cannot be brought up to date: {0}")]
    Migrate(String),
    /// A folder for the files cannot be made.
    #[error("{path}: {error}")]
    Folder {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// What a migration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// How many changes were applied.
    pub applied: usize,
}

/// The parts of a location, each with its changes.
fn files(location: &Location) -> Vec<(&Path, &'static Migrator)> {
    match location {
        Location::Sqlite { log, views, keys } => vec![
            (log, &migrations::SQLITE_LOG),
            (views, &migrations::SQLITE_VIEWS),
            (keys, &migrations::SQLITE_KEYS),
        ],
        Location::Postgres(_) => Vec::new(),
    }
}

/// Brings the schema to this program's version. When that changed a log that was in use, every
/// writer that was connected before is fenced off: it may be of an older program.
///
/// # Errors
/// When a newer program wrote the database, a change fails, or the database does not answer.
pub async fn migrate(location: &Location) -> Result<Migrated, SchemaError> {
    let (mut applied, mut new) = (0, false);
    match location {
        Location::Sqlite { .. } => {
            for (file, migrator) in files(location) {
                make_folder(file)?;
                let mut connection = sqlite(file, true).await?;
                let before = version_in(&mut connection, migrator).await?;
                new |= before == 0;
                applied += run(migrator, &mut connection, before).await?;
                connection.close().await.map_err(unavailable)?;
            }
        }
        Location::Postgres(options) => {
            let mut connection = options.connect().await.map_err(unavailable)?;
            let before = version_in(&mut connection, &migrations::POSTGRES).await?;
            new = before == 0;
            applied = run(&migrations::POSTGRES, &mut connection, before).await?;
            connection.close().await.map_err(unavailable)?;
        }
    }
    if applied > 0 && !new {
        fence(location).await?;
    }
    Ok(Migrated { applied })
}

async fn fence(location: &Location) -> Result<(), SchemaError> {
    let clock = std::sync::Arc::new(SystemClock);
    let fenced = match location {
        Location::Sqlite { log, keys, .. } => match SqliteLog::open(log, keys, clock).await {
            Ok(log) => log.fence().await,
            Err(error) => Err(error),
        },
        Location::Postgres(options) => match PostgresLog::connect((**options).clone(), clock).await {
            Ok(log) => log.fence().await,
            Err(error) => Err(error),
        },
    };
    fenced.map(drop).map_err(|error| SchemaError::Unavailable(error.to_string()))
}

/// Checks that the schema is this program's.
///
/// # Errors
/// When it is older, newer or missing, or the database does not answer.
pub(super) async fn check(location: &Location) -> Result<(), SchemaError> {
    match location {
        Location::Sqlite { .. } => {
            for (file, migrator) in files(location) {
                if !file.exists() {
                    return Err(SchemaError::Behind { found: 0, needed: newest(migrator) });
                }
                let mut connection = sqlite(file, false).await?;
                compare(version_in(&mut connection, migrator).await?, migrator)?;
            }
        }
        Location::Postgres(options) => {
            let mut connection: PgConnection = options.connect().await.map_err(unavailable)?;
            compare(version_in(&mut connection, &migrations::POSTGRES).await?, &migrations::POSTGRES)?;
        }
    }
    Ok(())
}

fn compare(found: i64, migrator: &Migrator) -> Result<(), SchemaError> {
    let needed = newest(migrator);
    match found.cmp(&needed) {
        std::cmp::Ordering::Less => Err(SchemaError::Behind { found, needed }),
        std::cmp::Ordering::Greater => Err(SchemaError::Newer { found, needed }),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

async fn run<C>(migrator: &Migrator, connection: &mut C, before: i64) -> Result<usize, SchemaError>
where
    C: Connection + Migrate,
    for<'a> &'a mut C: sqlx::Acquire<'a>,
    for<'a> <&'a mut C as sqlx::Acquire<'a>>::Connection: std::ops::Deref<Target: Migrate>,
{
    if before > newest(migrator) {
        return Err(SchemaError::Newer { found: before, needed: newest(migrator) });
    }
    migrator.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => SchemaError::Newer { found, needed: newest(migrator) },
        other => SchemaError::Migrate(other.to_string()),
    })?;
    Ok(migrator.iter().filter(|change| change.version > before).count())
}

/// The newest change that was applied; zero when none was.
async fn version_in<C: Migrate>(connection: &mut C, _: &Migrator) -> Result<i64, SchemaError> {
    let failed = |error: MigrateError| match error {
        MigrateError::Execute(error) => unavailable(error),
        other => SchemaError::Unavailable(other.to_string()),
    };
    connection.ensure_migrations_table().await.map_err(failed)?;
    let applied = connection.list_applied_migrations().await.map_err(failed)?;
    Ok(applied.iter().map(|change| change.version).max().unwrap_or(0))
}

fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|change| change.version).max().unwrap_or(0)
}

async fn sqlite(file: &Path, create: bool) -> Result<SqliteConnection, SchemaError> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(create);
    options.connect().await.map_err(unavailable)
}

fn make_folder(file: &Path) -> Result<(), SchemaError> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| SchemaError::Folder { path: folder.display().to_string(), error })
}

fn unavailable(error: sqlx::Error) -> SchemaError {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some(code) if is_final(code) => SchemaError::Unusable(error.to_string()),
        _ => SchemaError::Unavailable(error.to_string()),
    }
}

/// Codes after which waiting does not help. SQLite: corrupt, not a database. PostgreSQL: wrong user or
/// password (class 28), no such database, no right to it.
fn is_final(code: &str) -> bool {
    ["11", "26", "3D000", "42501"].contains(&code) || (code.len() == 5 && code.starts_with("28"))
}
