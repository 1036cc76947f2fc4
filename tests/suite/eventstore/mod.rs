//! What can go wrong between the log and EventStoreDB. Most of it is made to happen on the double:
//! whatever is said here about the server is said about its double.

mod faults;
mod live;
mod product;
mod replicas;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use commands::clock::{Clock, SharedClock};
use commands::event_log::{
    Append, Appended, EventLog, EventStoreAddress, EventStoreError, EventStoreLog, LogFault, append, verify,
};
use domain::Instant;
use tests::eventstore_double::EventStoreDouble;
use tests::stores::{Backend, EventStoreStore, Store};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs each scenario with either database as the replica.
macro_rules! on_either_replica {
    ($($scenario:ident),+ $(,)?) => {
        on_replica!(sqlite, Sqlite, $($scenario),+);
        on_replica!(postgres, Postgres, $($scenario),+);
    };
}

macro_rules! on_replica {
    ($module:ident, $backend:ident, $($scenario:ident),+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                let scenario = super::$scenario(tests::stores::Backend::$backend);
                tokio::time::timeout(super::super::PATIENCE, scenario).await.expect("nobody hangs");
            })+
        }
    };
}

use {on_either_replica, on_replica};

/// A clock that goes on with every look at it, so that an append tried again would be recorded later.
struct Ticking(AtomicI64);

impl Ticking {
    fn clock() -> SharedClock {
        Arc::new(Self(AtomicI64::new(1_777_636_800_000_000)))
    }
}

impl Clock for Ticking {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.fetch_add(1_000, Ordering::SeqCst))
    }
}

/// A stream on a double of one node, with an empty replica.
async fn on_double(backend: Backend) -> EventStoreStore {
    on(EventStoreDouble::start().await, backend).await
}

async fn on(double: EventStoreDouble, backend: Backend) -> EventStoreStore {
    EventStoreStore::on(double, Store::fresh(backend).await)
}

fn double(store: &EventStoreStore) -> &EventStoreDouble {
    store.double.as_ref().expect("these stand on the double")
}

/// Opens the log of a stream with a replica.
async fn open(store: &EventStoreStore, replica: &Store) -> Result<Arc<dyn EventLog>, EventStoreError> {
    open_at(&store.event_store(), replica).await
}

async fn open_at(address: &EventStoreAddress, replica: &Store) -> Result<Arc<dyn EventLog>, EventStoreError> {
    let place = replica.place();
    Ok(Arc::new(EventStoreLog::connect(address, &place.as_place(), Ticking::clock()).await?))
}

/// Opens the log with its replica.
async fn opened(store: &EventStoreStore) -> Arc<dyn EventLog> {
    open(store, &store.replica).await.expect("the log opens")
}

/// Why a replica is refused.
async fn refused(store: &EventStoreStore, replica: &Store) -> EventStoreError {
    match open(store, replica).await {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}

async fn done(log: &Arc<dyn EventLog>, new: Append) -> Appended {
    append(log.as_ref(), new).await.expect("the append is done")
}

/// What is wrong with a log, but for the contents of events, which the suite makes up.
async fn faults(log: &Arc<dyn EventLog>) -> Vec<LogFault> {
    let report = verify(log, &mut |_, _| {}).await.expect("the log answers");
    report.faults.into_iter().filter(|fault| !matches!(fault, LogFault::Decode { .. })).collect()
}

/// Waits for what comes by itself.
async fn until(mut come: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !come().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes");
}
