//! However often an import is interrupted, it ends with the state of one that was not; and once it
//! has ended, it appends nothing any more.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use commands::import::{Options, import};
use tests::clock::ManualClock;
use tests::generator::PLAIN;
use tests::process::{child, told};
use tests::stores::{Backend, Store, service_at};
use tokio::sync::oneshot;

use super::{Amounts, SALES, SOME, counts, expected, generated, head, map, run, sales, service, state};

/// Enough for several commits, and customers that depend on the order of rows.
const TANGLED: Amounts = Amounts { people: 400, again: 100, repeated: 50, broken: 3, tangled: 60 };

on_every_backend! {
    a_second_run_appends_nothing,
    a_dropped_import_started_again_ends_like_one_that_was_not,
    a_killed_import_started_again_ends_like_one_that_was_not,
}

async fn a_second_run_appends_nothing(store: Store) {
    let service = service(&store, SALES).await;
    let (_folder, path, generated) = generated(1, PLAIN, SOME);
    run(&service, &path).await.unwrap();
    let before = head(&service).await;
    // By another process, which has nothing in memory.
    let other = store.service(ManualClock::new()).await;
    for service in [&service, &other] {
        let summary = run(service, &path).await.unwrap();
        let (rows, accepted, won, known, rejected) = counts(&summary);
        assert_eq!((accepted, won, known), (0, 0, generated.accepted + generated.known));
        assert_eq!((rows, rejected), (generated.rows, generated.rejected.clone()));
    }
    assert_eq!(head(&other).await, before);
}

async fn a_dropped_import_started_again_ends_like_one_that_was_not(store: Store) {
    let (_folder, path, generated) = generated(2, PLAIN, TANGLED);
    service(&store, SALES).await;
    let mut interrupted = 0;
    for rows in [1, 80, 220, 221, 450] {
        let service = store.service(ManualClock::new()).await;
        let (stop, stopped) = oneshot::channel();
        let mut stop = Some(stop);
        let mut progress = |progress: commands::import::Progress| {
            if progress.rows >= rows
                && let Some(stop) = stop.take()
            {
                let _ = stop.send(());
            }
        };
        let (map, line) = (map(true), sales());
        let work = import(&service, &map, &line, &path, Options::default(), &mut progress);
        let dropped = tokio::select! {
            biased;
            _ = stopped => true,
            done = work => { done.unwrap(); false }
        };
        if dropped {
            interrupted += 1;
            assert!(!path.with_extension("csv.rejected.csv").exists(), "no half file looks whole");
        }
    }
    // A later one may come to its end, when little is left to do.
    assert!(interrupted >= 3, "{interrupted}");
    assert_ends_like_one_in_one_go(&store, &path, &generated).await;
}

async fn assert_ends_like_one_in_one_go(store: &Store, path: &Path, generated: &tests::generator::Generated) {
    let last = store.service(ManualClock::new()).await;
    let summary = run(&last, path).await.unwrap();
    assert_eq!(summary.rows, generated.rows);
    assert_eq!(summary.accepted + summary.known, generated.accepted + generated.known);
    let whole = Store::fresh(Backend::Sqlite).await;
    let whole = service(&whole, SALES).await;
    let (_folder, fresh) = super::file(&generated.bytes);
    assert_eq!(counts(&run(&whole, &fresh).await.unwrap()), expected(generated));
    assert_eq!(head(&last).await, head(&whole).await, "not one event more or less");
    let (found, wanted) = (state(&last).await, state(&whole).await);
    for (key, clue) in &wanted.clues {
        assert_eq!(found.clues.get(key), Some(clue), "{key}");
    }
    assert!(found == wanted, "customers differ");
}

async fn a_killed_import_started_again_ends_like_one_that_was_not(store: Store) {
    let (_folder, path, generated) = generated(3, PLAIN, TANGLED);
    let before = head(&service(&store, SALES).await).await;
    for events in [1, 170, 500] {
        let mut child = spawn(&store, &path);
        let patience = Instant::now() + Duration::from_secs(120);
        while store.count("SELECT position FROM log_head").await.unwrap() < before + events {
            assert!(Instant::now() < patience, "the child does not import");
            assert_eq!(child.try_wait().unwrap(), None, "the child ended before it was killed");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // SIGKILL.
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!path.with_extension("csv.rejected.csv").exists(), "no half file looks whole");
    }
    assert_ends_like_one_in_one_go(&store, &path, &generated).await;
}

fn spawn(store: &Store, path: &Path) -> Child {
    let name = "import::interrupted::a_child_process_imports_what_its_parent_names";
    let mut child = child(name, &format!("{}\t{}", path.display(), store.address()));
    child.stdout(Stdio::null()).spawn().unwrap()
}

/// The body of the child process. Without a parent it names a file and a store of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_process_imports_what_its_parent_names() {
    let (_folder, small, _) = generated(4, PLAIN, SOME);
    let store = Store::fresh(Backend::Sqlite).await;
    let (service, path) = match told().as_deref().and_then(|told| told.split_once('\t')) {
        Some((path, address)) => (service_at(address, ManualClock::new()).await, PathBuf::from(path)),
        None => (service(&store, SALES).await, small),
    };
    let summary = run(&service, &path).await.unwrap();
    assert!(summary.accepted + summary.known > 0);
}
