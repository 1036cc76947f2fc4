//! Opening the log where it is kept: in the database, or in EventStoreDB with the database as its
//! replica.

use std::sync::Arc;

use commands::clock::SharedClock;
use commands::event_log::{
    EventLog, EventStoreAddress, EventStoreError, EventStoreLog, PostgresLog, SqliteLog,
};
use domain::ports::ReadError;

use super::{AppError, Location, patiently};
use crate::config::Config;

/// Opens the log that is configured. The database must have its schema.
///
/// # Errors
/// When it does not answer, or the database and EventStoreDB do not belong together.
pub(super) async fn open(
    config: &Config,
    location: &Location,
    clock: SharedClock,
) -> Result<Arc<dyn EventLog>, AppError> {
    if let Some(url) = &config.event_store_url {
        let address = EventStoreAddress::new(url.expose(), &config.event_store_stream)?;
        let place = location.place();
        let connect = || EventStoreLog::connect(&address, &place, clock.clone());
        let log = patiently("EventStoreDB", connect, |error| match error {
            EventStoreError::Read(ReadError::Unavailable(reason)) => Some(reason.clone()),
            _ => None,
        });
        return Ok(Arc::new(log.await?));
    }
    let log: Arc<dyn EventLog> = match location {
        Location::Sqlite { log, keys, .. } => Arc::new(SqliteLog::open(log, keys, clock).await?),
        Location::Postgres(options) => Arc::new(PostgresLog::connect((**options).clone(), clock).await?),
    };
    match log.replica_of().await? {
        Some(stream) => Err(AppError::Replica(stream)),
        None => Ok(log),
    }
}
