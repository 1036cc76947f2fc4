//! What every event log guarantees, run against each backend.

/// Runs each named scenario once on every backend.
macro_rules! on_every_backend {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(tests::stores::Store::fresh(tests::stores::Backend::Sqlite).await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $scenario() {
                super::$scenario(tests::stores::Store::fresh(tests::stores::Backend::Postgres).await).await;
            })+
        }
    };
}

pub(crate) mod event_log;
mod processes;
