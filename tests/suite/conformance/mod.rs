//! What every event log guarantees, run against each backend.

/// Runs each named scenario once on every backend. Where no live EventStoreDB is named, its double
/// stands in for it.
macro_rules! on_every_backend {
    ($($scenario:ident),+ $(,)?) => {
        on_backend!(sqlite, Sqlite, $($scenario),+);
        on_backend!(postgres, Postgres, $($scenario),+);
        on_backend!(eventstore_on_sqlite, EventStoreOnSqlite, $($scenario),+);
        on_backend!(eventstore_on_postgres, EventStoreOnPostgres, $($scenario),+);
    };
}

macro_rules! on_backend {
    ($module:ident, $backend:ident, $($scenario:ident),+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(tests::stores::Store::fresh(tests::stores::Backend::$backend).await).await;
            })+
        }
    };
}

mod chains;
mod data_keys;
pub(crate) mod event_log;
mod processes;
