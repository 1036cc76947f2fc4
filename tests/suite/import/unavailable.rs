//! A store that does not answer is waited for; if it stays away the import fails, and no row is
//! rejected for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use commands::event_log::{
    Appender, EventLog, KeyHolder, Outside, StoredCommand, StreamRepository, UniqueKey, WrappedKey,
};
use commands::import::{ImportError, Options, Patience, Summary, import};
use commands::service::CommandService;
use commands::vault::Vault;
use domain::envelope::{Position, RecordedEvent, Revision, StreamId};
use domain::ids::{CommandId, SubjectId};
use domain::ports::{EventReader, Head, ReadError};
use domain::proof::StoredEvent;
use tests::clock::ManualClock;
use tests::generator::{Generated, PLAIN};
use tests::stores::{Backend, Store, key_material};

use super::{SALES, SOME, counts, expected, generated, map, run, sales, service, state};

/// A log whose look-ups of unique keys work `good` times and then fail `bad` times.
struct Flaky {
    log: Arc<dyn EventLog>,
    good: AtomicI64,
    bad: AtomicI64,
}

#[async_trait]
impl EventReader for Flaky {
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.log.read(after, limit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.log.read_stream(stream, after, limit).await
    }

    async fn read_stored(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        self.log.read_stored(after, limit).await
    }

    async fn head(&self) -> Result<Head, ReadError> {
        self.log.head().await
    }
}

#[async_trait]
impl EventLog for Flaky {
    fn appender(&self) -> &Appender {
        self.log.appender()
    }

    fn streams(&self) -> &StreamRepository {
        self.log.streams()
    }

    async fn command(&self, id: CommandId) -> Result<Option<StoredCommand>, ReadError> {
        self.log.command(id).await
    }

    async fn holders(&self, keys: &[UniqueKey]) -> Result<Vec<Option<KeyHolder>>, ReadError> {
        if self.good.fetch_sub(1, Ordering::SeqCst) <= 0 && self.bad.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Err(ReadError::Unavailable("gone for a while".to_owned()));
        }
        self.log.holders(keys).await
    }

    async fn data_keys(&self, subjects: &[SubjectId]) -> Result<Vec<WrappedKey>, ReadError> {
        self.log.data_keys(subjects).await
    }

    async fn any_data_key(&self) -> Result<Option<WrappedKey>, ReadError> {
        self.log.any_data_key().await
    }

    async fn fence(&self) -> Result<i64, ReadError> {
        self.log.fence().await
    }

    async fn forget_commands(&self, before: domain::Instant) -> Result<u64, ReadError> {
        self.log.forget_commands(before).await
    }

    async fn outside(&self, limit: usize) -> Result<Vec<Outside>, ReadError> {
        self.log.outside(limit).await
    }

    async fn broken_streams(&self, limit: usize) -> Result<Vec<StreamId>, ReadError> {
        self.log.broken_streams(limit).await
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

struct Tried {
    store: Store,
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
    generated: Generated,
    result: Result<Summary, ImportError>,
    waited: usize,
}

async fn try_with(good: i64, bad: i64, first_pause: Duration) -> Tried {
    let store = Store::fresh(Backend::Sqlite).await;
    service(&store, SALES).await;
    let clock = ManualClock::new();
    let (good, bad) = (AtomicI64::new(good), AtomicI64::new(bad));
    let log: Arc<dyn EventLog> = Arc::new(Flaky { log: store.open(clock.clone()).await, good, bad });
    let vault = Arc::new(Vault::new(log.clone(), key_material(), clock.clone()));
    let flaky = CommandService::new(log, vault, clock);
    let (_folder, path, generated) = generated(31, PLAIN, SOME);
    let mut waited = 0;
    let patience = Patience { attempts: 4, first_pause };
    let options = Options { patience, ..Options::default() };
    let result = import(&flaky, &map(true), &sales(), &path, options, &mut |progress| {
        waited = waited.max(progress.waiting);
    })
    .await;
    Tried { store, path, _folder, generated, result, waited }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_comes_back_costs_time_and_nothing_else() {
    let tried = try_with(20, 3, Duration::from_millis(300)).await;
    assert_eq!(counts(&tried.result.unwrap()), expected(&tried.generated));
    assert!(tried.waited > 0, "waiting shows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stays_away_fails_the_import_and_the_next_one_finishes_it() {
    let tried = try_with(40, i64::MAX, Duration::from_millis(1)).await;
    let failed = tried.result.unwrap_err();
    assert!(matches!(failed, ImportError::Unavailable { attempts: 4, .. }), "{failed}");
    assert!(!tried.path.with_extension("csv.rejected.csv").exists(), "no row is to blame");
    assert!(!tried.path.with_extension("csv.rejected.csv.partial").exists());
    let next = tried.store.service(ManualClock::new()).await;
    let summary = run(&next, &tried.path).await.unwrap();
    assert!(summary.known > tried.generated.known, "some were taken in before");
    assert_eq!(summary.accepted + summary.known, tried.generated.accepted + tried.generated.known);
    assert_eq!(state(&next).await.clues.len() as u64, tried.generated.accepted);
}
