//! The composition root: the one place that joins log, vault, commands, read models and directory.
//!
//! Guarantees: nothing opens on a database whose schema is missing, older or newer than the
//! program's, or under a master key that is not the database's; a database that is not there yet is
//! waited for, visibly and not for ever.
//!
//! Deliberately absent: rules, queries and HTTP; it only wires.

mod app_role;
mod location;
mod log;
mod ready;
mod schema;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use commands::CommandService;
use commands::clock::SharedClock;
use commands::event_log::{AddressError, EventLog, EventStoreError};
use commands::vault::{KeyMaterial, MasterKey, Pepper, Vault};
use domain::ports::{BlindIndex, ReadError};
use projections::{Consumers, Database, Directory, Projections, SqlError};
use tokio::sync::watch;

use crate::config::Config;
use crate::keys::Keys;

pub use app_role::{AppRoleError, grant};
pub use location::{Location, LocationError};
pub use ready::{Operators, Parts};
pub use schema::{Migrated, SchemaError, migrate};
#[cfg(test)]
pub(crate) use serve::services;
pub use serve::{Role, ServeError, Service, sealer};

/// How often an absent database is asked again, with a growing pause between.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How often results of old commands are forgotten.
const FORGET: Duration = Duration::from_secs(3_600);

/// How often the lag of consumers is measured.
const OBSERVE: Duration = Duration::from_secs(5);

/// Why the program cannot begin its work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The address of the database makes no sense.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The schema is not this program's.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The log does not open.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The address of EventStoreDB makes no sense.
    #[error("EVENT_STORE_URL and EVENT_STORE_STREAM: {0}")]
    EventStoreAddress(#[from] AddressError),
    /// The log in EventStoreDB does not open.
    #[error(transparent)]
    EventStore(#[from] EventStoreError),
    /// Nothing may be appended to a replica but through its log.
    #[error(
        "the database is the replica of the stream {0} in EventStoreDB: set EVENT_STORE_URL to the EventStoreDB \
         that keeps it"
    )]
    Replica(String),
    /// The key files are of another installation.
    #[error(
        "master.key is not the one that sealed the personal data in this database: put the right one in its \
         place, or restore it from its backup"
    )]
    MasterKey,
    /// The read models do not open.
    #[error("the read models: {0}")]
    Views(#[from] SqlError),
}

/// Everything that works on one database.
pub struct App {
    /// Where it is.
    pub location: Location,
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// Opens personal data.
    pub vault: Arc<Vault>,
    /// Runs use cases.
    pub commands: CommandService,
    /// Keeps and checks read models.
    pub projections: Projections,
    /// Lines, operators and teams.
    pub directory: Directory,
    /// Consumers of the log whose positions are kept here.
    pub consumers: Consumers,
    /// Hashes contacts.
    pub index: Arc<dyn BlindIndex>,
}

impl App {
    /// Opens the log and the read models.
    ///
    /// # Errors
    /// When the schema is not this program's, the master key is not the database's, or the database
    /// stays away.
    pub async fn open(config: &Config, keys: &Keys, clock: SharedClock) -> Result<Self, AppError> {
        let location = Location::of(&config.database_url)?;
        patiently(
            "the database",
            || schema::check(&location),
            |error| match error {
                SchemaError::Unavailable(reason) => Some(reason.clone()),
                _ => None,
            },
        )
        .await?;
        let log = log::open(config, &location, clock.clone()).await?;
        let vault = Arc::new(Vault::new(log.clone(), key_material(keys), clock.clone()));
        if !vault.opens().await? {
            return Err(AppError::MasterKey);
        }
        let index: Arc<dyn BlindIndex> = Arc::new(vault.blind_index());
        let commands = CommandService::new(log.clone(), vault.clone(), clock);
        let views = Database::connect(&location.views_url(&config.database_url)).await?;
        let ports = projections::Ports {
            reader: log.clone(),
            unsealer: vault.clone(),
            clock: Arc::new(projections::SystemClock),
            wake: Some(log.appended()),
        };
        let models = projections::read_models(&index);
        let projections = Projections::new(views.clone(), ports, projections::Config::default(), models);
        let consumers = Consumers::new(views.clone(), log.clone(), Arc::new(projections::SystemClock));
        let directory = Directory::open(views).await?;
        Ok(Self { location, log, vault, commands, projections, directory, consumers, index })
    }

    /// Forgets results of old commands now and then, until `stop` becomes true.
    pub async fn keep_house(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.commands.forget_old_commands().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "results of old commands were forgotten"),
                Err(error) => tracing::warn!(%error, "results of old commands stay"),
            }
            tokio::select! {
                () = tokio::time::sleep(FORGET) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Tells the metrics how far consumers are behind, until `stop` becomes true.
    pub async fn watch_consumers(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if let Err(error) = self.consumers.list().await {
                tracing::debug!(%error, "the lag of consumers is not known");
            }
            tokio::select! {
                () = tokio::time::sleep(OBSERVE) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Ends what is open, once the appends handed in are done.
    pub async fn close(&self) {
        self.log.close().await;
    }
}

fn key_material(keys: &Keys) -> KeyMaterial {
    let (version, secret) = keys.pepper().current();
    KeyMaterial {
        master: keys.master().versions().map(|(version, key)| MasterKey::new(version, key)).collect(),
        pepper: Pepper { version, secret: **secret },
    }
}

/// Tries again while a store does not answer, for which `away` gives the reason; any other failure is
/// final.
async fn patiently<F, T, E>(
    store: &str,
    mut attempt: impl FnMut() -> F,
    away: impl Fn(&E) -> Option<String>,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let (mut pause, mut number) = (FIRST_PAUSE, 1);
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(reason) = away(&error).filter(|_| number < ATTEMPTS) else { return Err(error) };
        let wait_ms = pause.as_millis();
        tracing::warn!(number, of = ATTEMPTS, wait_ms, reason, "{store} does not answer");
        tokio::time::sleep(pause).await;
        (pause, number) = (pause * 2, number + 1);
    }
}

#[cfg(test)]
mod tests {
    use commands::clock::{Clock, SystemClock};

    use super::*;
    use crate::config::DatabaseUrl;

    async fn open(config: &Config, keys: &Keys) -> Result<App, AppError> {
        App::open(config, keys, Arc::new(SystemClock)).await
    }

    fn config(folder: &tempfile::TempDir) -> Config {
        let file = folder.path().join("cluestream.db");
        let database_url = DatabaseUrl::new(&format!("sqlite://{}", file.display())).unwrap();
        Config { database_url, ..Config::default() }
    }

    #[tokio::test]
    async fn a_database_does_not_open_under_another_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let (config, keys, others) = (config(&folder), Keys::generate().unwrap(), Keys::generate().unwrap());
        migrate(&Location::of(&config.database_url).unwrap()).await.unwrap();
        open(&config, &others).await.expect("any key opens a log without people").close().await;
        let app = open(&config, &keys).await.unwrap();
        let line = include_str!("../../../docs/lines/used-car-sales.toml");
        let lines = [commands::line_file::parse(line).unwrap()];
        crate::demo::hire(&app.commands, &lines, SystemClock.now()).await.unwrap();
        app.close().await;
        open(&config, &keys).await.expect("its own key opens it").close().await;
        let refused = open(&config, &others).await.err().unwrap();
        assert!(matches!(refused, AppError::MasterKey), "{refused}");
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder);
        std::fs::write(folder.path().join("cluestream.db"), "this is a letter, not a database").unwrap();
        let refused = open(&config, &Keys::generate().unwrap()).await.err().unwrap();
        assert!(matches!(refused, AppError::Schema(SchemaError::Unusable(_))), "{refused}");
    }
}
