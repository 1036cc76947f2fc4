//! A fresh store of each kind, ready to use.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use commands::backup::Place;
use commands::clock::SharedClock;
use commands::event_log::{EventLog, EventStoreAddress, EventStoreLog, PostgresLog, SqliteLog};
use commands::service::CommandService;
use commands::vault::{KeyMaterial, MasterKey, Pepper, Vault};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, migrate::Migrator};
use tempfile::TempDir;
use uuid::Uuid;

use crate::eventstore_double::EventStoreDouble;

/// Names a live EventStoreDB; the double stands in for it otherwise.
pub const LIVE_EVENT_STORE: &str = "EVENTSTORE_TEST_URL";

/// Which backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Files in a temporary folder.
    Sqlite,
    /// A database of the test's cluster.
    Postgres,
    /// A stream of EventStoreDB, live or its double, with a replica in files.
    EventStoreOnSqlite,
    /// The same with a replica in a database of the test's cluster.
    EventStoreOnPostgres,
}

/// A fresh, empty store. Opening it twice is what two processes do.
#[allow(clippy::large_enum_variant, reason = "a test has one or two of them")]
pub enum Store {
    /// Files in a temporary folder.
    Sqlite(TempDir),
    /// A database of the test's cluster.
    Postgres(PgConnectOptions),
    /// A stream of EventStoreDB and its replica.
    EventStore(EventStoreStore),
}

/// A fresh stream of EventStoreDB with its replica.
pub struct EventStoreStore {
    /// The double, unless a live server is tested.
    pub double: Option<EventStoreDouble>,
    /// Where the server is.
    pub url: String,
    /// The stream.
    pub stream: String,
    /// The replica.
    pub replica: Box<Store>,
}

impl EventStoreStore {
    /// A stream of the live server that is named, else of a double with one node.
    pub async fn fresh(replica: Store) -> Self {
        match std::env::var(LIVE_EVENT_STORE) {
            Ok(url) => Self { double: None, url, stream: fresh_stream(), replica: Box::new(replica) },
            Err(_) => Self::on(EventStoreDouble::start().await, replica),
        }
    }

    /// A stream of a double.
    #[must_use]
    pub fn on(double: EventStoreDouble, replica: Store) -> Self {
        let url = double.url();
        Self { double: Some(double), url, stream: fresh_stream(), replica: Box::new(replica) }
    }

    /// The stream as the log names it.
    ///
    /// # Panics
    /// When the address makes no sense.
    #[must_use]
    pub fn event_store(&self) -> EventStoreAddress {
        EventStoreAddress::new(&self.url, &self.stream).expect("the address of an EventStoreDB")
    }
}

fn fresh_stream() -> String {
    let id = commands::clock::fresh_uuid(commands::clock::Clock::now(&commands::clock::SystemClock));
    format!("cluestream-test-{}", Uuid::simple(id))
}

impl Store {
    /// A fresh store.
    pub async fn fresh(backend: Backend) -> Self {
        match backend {
            Backend::Postgres => Self::fresh_postgres().await,
            Backend::Sqlite => Self::fresh_sqlite().await,
            Backend::EventStoreOnSqlite => {
                Self::EventStore(EventStoreStore::fresh(Self::fresh_sqlite().await).await)
            }
            Backend::EventStoreOnPostgres => {
                Self::EventStore(EventStoreStore::fresh(Self::fresh_postgres().await).await)
            }
        }
    }

    async fn fresh_postgres() -> Self {
        Self::Postgres(crate::postgres::fresh_database().await)
    }

    async fn fresh_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        migrate(&folder.path().join("log.db"), &migrations::SQLITE_LOG).await;
        migrate(&folder.path().join("keys.db"), &migrations::SQLITE_KEYS).await;
        Self::Sqlite(folder)
    }

    /// What kind of store it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
            Self::EventStore(store) => match *store.replica {
                Self::Sqlite(_) => Backend::EventStoreOnSqlite,
                _ => Backend::EventStoreOnPostgres,
            },
        }
    }

    /// Opens the log.
    pub async fn open(&self, clock: SharedClock) -> Arc<dyn EventLog> {
        open_at(&self.address(), clock).await
    }

    /// The address by which other processes open the log, too: see [`open_at`].
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Self::Sqlite(folder) => folder.path().display().to_string(),
            Self::Postgres(options) => options.to_url_lossy().to_string(),
            Self::EventStore(store) => format!("{} {} {}", store.url, store.stream, store.replica.address()),
        }
    }

    /// Where the store is, for backup and restore.
    #[must_use]
    pub fn place(&self) -> OwnedPlace {
        match self {
            Self::Sqlite(folder) => {
                OwnedPlace::Sqlite(folder.path().join("log.db"), folder.path().join("keys.db"))
            }
            Self::Postgres(options) => OwnedPlace::Postgres(options.clone()),
            Self::EventStore(store) => store.replica.place(),
        }
    }

    /// Opens the log with a command service on it.
    pub async fn service(&self, clock: SharedClock) -> CommandService {
        service_at(&self.address(), clock).await
    }

    /// Runs SQL against the log's database, past all code of ours.
    ///
    /// # Errors
    /// What the database says.
    pub async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("log.db"));
                let mut connection = options.connect().await?;
                Ok(sqlx::query(sql).execute(&mut connection).await?.rows_affected())
            }
            Self::Postgres(options) => {
                let mut connection = options.connect().await?;
                Ok(sqlx::query(sql).execute(&mut connection).await?.rows_affected())
            }
            Self::EventStore(store) => Box::pin(store.replica.execute(sql)).await,
        }
    }

    /// Runs SQL with the guards of the events out of the way, as an intruder with the keys of the
    /// database would.
    ///
    /// # Panics
    /// When the database refuses all the same.
    pub async fn without_guards(&self, sql: &str) {
        let drop: &[&str] = match self.backend() {
            Backend::Sqlite | Backend::EventStoreOnSqlite => &[
                "DROP TRIGGER IF EXISTS events_no_delete",
                "DROP TRIGGER IF EXISTS events_no_update",
                "DROP TRIGGER IF EXISTS events_position_from_one",
            ],
            _ => &[
                "ALTER TABLE events DISABLE TRIGGER ALL",
                "ALTER TABLE events DROP CONSTRAINT IF EXISTS events_position_from_one",
            ],
        };
        for guard in drop {
            self.execute(guard).await.expect("the guard goes");
        }
        self.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The one number that a query against the log's database answers.
    ///
    /// # Errors
    /// What the database says.
    pub async fn count(&self, sql: &str) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("log.db"));
                sqlx::query_scalar(sql).fetch_one(&mut options.connect().await?).await
            }
            Self::Postgres(options) => sqlx::query_scalar(sql).fetch_one(&mut options.connect().await?).await,
            Self::EventStore(store) => Box::pin(store.replica.count(sql)).await,
        }
    }
}

/// Opens the log at the address of a store, as any process may.
///
/// # Panics
/// When there is none.
pub async fn open_at(address: &str, clock: SharedClock) -> Arc<dyn EventLog> {
    if let [url, stream, replica] = address.splitn(3, ' ').collect::<Vec<_>>()[..]
        && url.starts_with("esdb")
    {
        let at = EventStoreAddress::new(url, stream).expect("the address of an EventStoreDB");
        let log = EventStoreLog::connect(&at, &OwnedPlace::at(replica).as_place(), clock).await;
        return Arc::new(log.expect("the log opens"));
    }
    if address.starts_with("postgres") {
        let options = PgConnectOptions::from_str(address).expect("the address of a database");
        return Arc::new(PostgresLog::connect(options, clock).await.expect("the log opens"));
    }
    let (log, keys) = (Path::new(address).join("log.db"), Path::new(address).join("keys.db"));
    Arc::new(SqliteLog::open(&log, &keys, clock).await.expect("the log opens"))
}

/// Opens the log at the address of a store with a command service on it.
pub async fn service_at(address: &str, clock: SharedClock) -> CommandService {
    let log = open_at(address, clock.clone()).await;
    let vault = Arc::new(Vault::new(log.clone(), key_material(), clock.clone()));
    CommandService::new(log, vault, clock)
}

/// Where a store is.
#[allow(clippy::large_enum_variant, reason = "a test has one or two of them")]
pub enum OwnedPlace {
    /// The log's file and the key vault's.
    Sqlite(PathBuf, PathBuf),
    /// A database.
    Postgres(PgConnectOptions),
}

impl OwnedPlace {
    /// The place at the address of a store in SQL.
    fn at(address: &str) -> Self {
        if address.starts_with("postgres") {
            return Self::Postgres(PgConnectOptions::from_str(address).expect("the address of a database"));
        }
        Self::Sqlite(Path::new(address).join("log.db"), Path::new(address).join("keys.db"))
    }

    /// The place as backup and restore take it.
    #[must_use]
    pub fn as_place(&self) -> Place<'_> {
        match self {
            Self::Sqlite(log, keys) => Place::Sqlite { log, keys },
            Self::Postgres(options) => Place::Postgres(options),
        }
    }
}

async fn migrate(file: &Path, migrator: &Migrator) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut connection: SqliteConnection = options.connect().await.expect("the file opens");
    migrator.run(&mut connection).await.expect("the schema");
}

/// Keys that are no secret.
#[must_use]
pub fn key_material() -> KeyMaterial {
    KeyMaterial { master: vec![MasterKey::new(1, &[7; 32])], pepper: Pepper { version: 1, secret: [9; 32] } }
}
