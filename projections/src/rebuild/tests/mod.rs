//! Rebuilding beside, comparing, swapping, going back.

mod copies;
mod erasure;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::business_line::Signal;
use domain::envelope::RecordedEvent;

use crate::clue_pool::CluePool;
use crate::runner::{Batch, Config, Projector, RunError};
use crate::sql::TableDef;
use crate::tests::*;

#[tokio::test]
async fn every_model_equals_its_replay_and_a_rebuild_changes_no_row() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        let before = world.dump_all().await;
        for name in projections.names() {
            let last = AtomicI64::new(0);
            let phases = std::sync::Mutex::new(Vec::new());
            let note = |p: super::Progress| {
                last.store(p.position.get(), Ordering::SeqCst);
                phases.lock().unwrap().push(p.phase);
            };
            let report = projections.verify(name, &note).await.unwrap();
            assert_eq!(phases.lock().unwrap().last(), Some(&super::Phase::Comparing), "{name}");
            assert!(report.is_equal() && !report.swapped && report.parked == 0, "{report:?}");
            assert_eq!(last.load(Ordering::SeqCst), report.position.get());
        }
        for _ in 0..2 {
            for name in projections.names() {
                let report = projections.rebuild(name, &|_| {}).await.unwrap();
                assert!(report.is_equal() && report.swapped, "{report:?}");
            }
        }
        assert_eq!(world.dump_all().await, before);
        world.capture(50, 1, "sales");
        world.assign(50, 1, "sales", 1, None);
        projections.catch_up().await.unwrap();
        for name in projections.names() {
            assert!(projections.verify(name, &|_| {}).await.unwrap().is_equal(), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rebuilt_table_has_every_index_of_the_one_before() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        let sql = if world.db.is_postgres() {
            "SELECT count(*) FROM pg_indexes WHERE tablename = 'clue_list'"
        } else {
            "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'clue_list'"
        };
        let indexes = world.number(sql).await;
        assert!(indexes >= 19, "{indexes}");
        for _ in 0..2 {
            projections.rebuild("clue_list", &|_| {}).await.unwrap();
            assert_eq!(world.number(sql).await, indexes);
        }
    })
    .await;
}

#[tokio::test]
async fn rows_that_were_tampered_with_are_found_and_a_rebuild_heals_them() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        let before = world.dump_all().await;
        world.db.run("UPDATE clue_list SET star = 5").await.unwrap();
        world.db.run(&format!("DELETE FROM clue_list WHERE clue_id = '{}'", clue(3))).await.unwrap();
        let report = projections.verify("clue_list", &|_| {}).await.unwrap();
        let table = &report.tables[0];
        assert!(!report.is_equal());
        assert_eq!((table.live, table.replayed, table.only_live, table.only_replayed), (7, 8, 7, 8));
        assert_eq!(table.samples.len(), 8);
        let report = projections.rebuild("clue_list", &|_| {}).await.unwrap();
        assert!(!report.is_equal() && report.swapped);
        assert_eq!(world.dump_all().await, before);
    })
    .await;
}

/// A copy of the clue list, as a rebuild leaves it that was killed after its first commit.
async fn begun(projections: &crate::runner::Projections) {
    let (inner, model) = projections.rebuild_parts();
    let guard = super::guard::Guard::take(&inner, &model, "rebuild").await.unwrap();
    super::replay::Replay::begin(&guard, &inner, &model, crate::sql::Suffix::Next, 1, 1).await.unwrap();
}

/// The pool by code of another version.
struct Versioned(i64);

#[async_trait]
impl Projector for Versioned {
    fn name(&self) -> &'static str {
        "clue_pool"
    }

    fn version(&self) -> i64 {
        self.0
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        CluePool.tables()
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        CluePool.key(event)
    }

    fn batch(&self) -> Box<dyn Batch> {
        CluePool.batch()
    }
}

#[tokio::test]
async fn code_of_a_higher_version_rebuilds_beside_and_older_code_refuses_newer_tables() {
    on_each_database(|world| async move {
        world.busy();
        let of = |version| world.with(Config::default(), vec![Arc::new(Versioned(version)) as _]);
        of(1).catch_up().await.unwrap();
        let before = world.dump(CluePool.tables()).await;
        world.db.run("UPDATE clue_pool SET times_pooled = 77").await.unwrap();
        of(2).catch_up().await.unwrap();
        assert_eq!(world.dump(CluePool.tables()).await, before, "rows are folded anew");
        assert_eq!(world.number("SELECT count(*) FROM clue_pool__old WHERE times_pooled = 77").await, 7 + 1);
        let refused = of(1).catch_up().await;
        assert!(matches!(refused, Err(RunError::NewerModel { found: 2, known: 1, .. })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn the_former_copy_serves_again_after_a_rollback_and_catches_up() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        assert!(matches!(projections.roll_back("clue_pool").await, Err(RunError::NoFormer(_))));
        world.db.run("UPDATE clue_pool SET times_pooled = 77").await.unwrap();
        projections.rebuild("clue_pool", &|_| {}).await.unwrap();
        world.capture(60, 1, "sales");
        projections.catch_up().await.unwrap();
        projections.roll_back("clue_pool").await.unwrap();
        let marked = "SELECT count(*) FROM clue_pool WHERE times_pooled = 77";
        assert_eq!(world.number(marked).await, 8);
        projections.catch_up().await.unwrap();
        assert_eq!(world.number("SELECT count(*) FROM clue_pool").await, 9);
        assert_eq!(world.number(marked).await, 8);
    })
    .await;
}

#[tokio::test]
async fn what_a_killed_rebuild_left_is_dropped_by_the_next_start() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        // As a rebuild leaves it that was killed after its first commit.
        begun(&projections).await;
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(world.number("SELECT count(*) FROM clue_list__next").await, 0);
        projections.catch_up().await.unwrap();
        assert!(world.db.fetch("SELECT count(*) FROM clue_list__next", &[]).await.is_err());
        assert!(projections.rebuild("clue_list", &|_| {}).await.unwrap().is_equal());
    })
    .await;
}

#[tokio::test]
async fn several_workers_make_the_rows_that_one_makes() {
    on_each_database(|world| async move {
        world.busy();
        // Many people beside, lines that change between their events, and one event that is poison.
        for round in 0..3 {
            for n in 0..150 {
                let clue = 1_000 + round * 1_000 + n;
                if round == 0 {
                    world.register(1_000 + n, "sales", "Li Wei", &format!("+86138{n:08}"));
                }
                world.capture(clue, 1_000 + n, "sales");
                world.assign(clue, 1_000 + n, "sales", 1, None);
            }
            world.publish_score("sales", u32::try_from(round).unwrap() + 7, 24, &[(Signal::ContactMade, 3)]);
        }
        // Captured a second time: parks, and its successors of the same person.
        world.capture(1_000, 1_000, "sales");
        world.capture(9_999, 1_000, "sales");
        world.projections().catch_up().await.unwrap();
        let projections = world.projections();
        for name in projections.names() {
            projections.rebuild(name, &|_| {}).await.unwrap();
        }
        let one = projections.clone().with_workers(1);
        let (mut before, mut parked) = (Vec::new(), Vec::new());
        for workers in [1, 2, 3, 8] {
            let several = one.clone().with_workers(workers);
            for name in several.names() {
                let report = several.rebuild(name, &|_| {}).await.unwrap();
                assert!(report.is_equal() && report.swapped, "{workers}: {report:?}");
            }
            let rows = world.dump_all().await;
            let waiting = several.parked(None, 100).await.unwrap();
            let waiting: Vec<_> =
                waiting.into_iter().map(|event| (event.projector, event.position, event.reason)).collect();
            if workers == 1 {
                let of = |model: &str| waiting.iter().filter(|(name, ..)| *name == model).count();
                // Whoever shows what a clue became parks both.
                assert_eq!((of("clue_list"), of("history"), waiting.len()), (2, 2, 4), "{waiting:?}");
                (before, parked) = (rows, waiting);
            } else {
                assert_eq!(rows, before, "{workers} workers");
                assert_eq!(waiting, parked, "{workers} workers");
            }
        }
    })
    .await;
}
