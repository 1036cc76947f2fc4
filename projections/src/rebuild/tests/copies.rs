//! Whose a copy is, what goes with it, and who may read it.

use super::*;
use crate::rebuild::guard::Guard;
use crate::rebuild::replay::Replay;
use crate::rebuild::swap;
use crate::sql::Suffix;

const COPIED: &str = "SELECT count(*) FROM clue_list__next";

fn head(world: &World) -> domain::Position {
    domain::Position::ZERO.plus(world.log.events.lock().unwrap().len())
}

#[tokio::test]
async fn a_rebuild_whose_lease_another_took_neither_writes_into_a_copy_nor_swaps_one() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        let before = world.dump_all().await;
        let (inner, model) = projections.rebuild_parts();
        let silent = |_: super::super::Progress| {};
        let guard = Guard::take(&inner, &model, "rebuild").await.unwrap();
        let mut late = Replay::begin(&guard, &inner, &model, Suffix::Next, 1, 1).await.unwrap();
        assert!(matches!(Guard::take(&inner, &model, "rebuild").await, Err(RunError::Held(_))));
        world.clock.advance(Duration::from_secs(60));

        let other = Guard::take(&inner, &model, "rebuild").await.unwrap();
        let mut replay = Replay::begin(&other, &inner, &model, Suffix::Next, 1, 1).await.unwrap();
        assert!(matches!(guard.check().await, Err(RunError::Fenced)));
        let mark = late.mark();
        assert!(matches!(late.advance(head(&world), &silent).await, Err(RunError::Fenced)));
        // Also when it looked a moment too early.
        let tx = world.db.begin().await.unwrap();
        assert!(matches!(late.finish_alone(tx, head(&world)).await, Err(RunError::Fenced)));
        late.go_back(mark);
        assert!(matches!(late.index().await, Err(RunError::Fenced)));
        assert_eq!(world.number(COPIED).await, 0, "the copy is as the other one left it");
        let mut tx = world.db.begin().await.unwrap();
        assert!(matches!(guard.fence(&mut tx).await, Err(RunError::Fenced)));
        drop(tx);
        assert!(matches!(swap::swap(&inner, &model, late, None).await, Err(RunError::Fenced)));
        let discarded = crate::rebuild::replay::discard(&inner, &model, Suffix::Next, &guard).await;
        assert!(matches!(discarded, Err(RunError::Fenced)));
        assert_eq!(world.number(COPIED).await, 0, "neither swapped nor dropped");

        replay.advance(head(&world), &silent).await.unwrap();
        assert_eq!(world.number(COPIED).await, 8);
        replay.index().await.unwrap();
        swap::swap(&inner, &model, replay, None).await.unwrap();
        other.release().await.unwrap();
        assert_eq!(world.dump_all().await, before);
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_kept_up_whatever_the_work_waits_for() {
    on_each_database(|world| async move {
        let config = Config { lease: Duration::from_millis(30), ..Config::default() };
        let projections = world.with(config, vec![Arc::new(CluePool) as _]);
        let (inner, model) = projections.rebuild_parts();
        let guard = Guard::take(&inner, &model, "rebuild").await.unwrap();
        let ends = "SELECT expires_at FROM leases WHERE name = 'rebuild:clue_pool'";
        let before = world.number(ends).await;
        world.clock.advance(Duration::from_millis(20));
        while world.number(ends).await == before {
            tokio::task::yield_now().await;
        }
        guard.release().await.unwrap();
        assert_eq!(world.number(ends).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_rebuild_that_fails_leaves_no_copy_and_no_lease() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        for suffix in ["__check", "__next"] {
            world.log.reads_left.store(0, Ordering::SeqCst);
            let failed = match suffix {
                "__check" => projections.verify("clue_list", &|_| {}).await,
                _ => projections.rebuild("clue_list", &|_| {}).await,
            };
            assert!(matches!(failed, Err(RunError::Read(_))), "{failed:?}");
            world.log.reads_left.store(-1, Ordering::SeqCst);
            let gone = world.db.fetch(&format!("SELECT count(*) FROM clue_list{suffix}"), &[]).await;
            assert!(gone.is_err(), "{suffix}");
        }
        assert!(projections.rebuild("clue_list", &|_| {}).await.unwrap().is_equal(), "at once");
    })
    .await;
}

#[tokio::test]
async fn a_copy_that_nobody_builds_any_more_is_swept_and_no_other() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        let (inner, _) = projections.rebuild_parts();
        begun(&projections).await;
        crate::rebuild::sweep(&inner).await.unwrap();
        assert_eq!(world.number(COPIED).await, 0, "its lease lasts still");
        world.clock.advance(Duration::from_secs(60));
        crate::rebuild::sweep(&inner).await.unwrap();
        assert!(world.db.fetch(COPIED, &[]).await.is_err());
        assert!(projections.rebuild("clue_list", &|_| {}).await.unwrap().is_equal(), "the lease is free");
    })
    .await;
}

async fn parked(projections: &crate::runner::Projections) -> Vec<i64> {
    let parked = projections.parked(None, 100).await.unwrap();
    parked
        .into_iter()
        .filter(|event| event.projector == "clue_list")
        .map(|event| event.position.get())
        .collect()
}

#[tokio::test]
async fn a_rollback_takes_along_what_each_copy_has_parked() {
    on_each_database(|world| async move {
        world.busy();
        // Captured a second time: no copy folds that.
        let first = world.capture(1, 1, "sales").get();
        let projections = world.projections();
        projections.catch_up().await.unwrap();
        projections.rebuild("clue_list", &|_| {}).await.unwrap();
        assert_eq!(parked(&projections).await, [first], "once, although both copies have it");
        world.assign(5, 5, "sales", 3, None);
        let second = world.capture(5, 5, "sales").get();
        projections.catch_up().await.unwrap();
        assert_eq!(parked(&projections).await, [first, second]);
        let rows = world.dump_all().await;

        projections.roll_back("clue_list").await.unwrap();
        assert_eq!(parked(&projections).await, [first], "the former copy has not come to the second");
        projections.catch_up().await.unwrap();
        assert_eq!(parked(&projections).await, [first, second]);
        assert_eq!(world.dump_all().await, rows, "what came before the second was not held back by it");
        projections.roll_back("clue_list").await.unwrap();
        assert_eq!(parked(&projections).await, [first, second], "and back");
        let report = projections.verify("clue_list", &|_| {}).await.unwrap();
        assert!(report.is_equal() && report.parked == 2, "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn what_the_database_refuses_in_the_last_moment_parks_alone_too() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        let (inner, model) = projections.rebuild_parts();
        let guard = Guard::take(&inner, &model, "rebuild").await.unwrap();
        let mut replay = Replay::begin(&guard, &inner, &model, Suffix::Next, 1, 1).await.unwrap();
        // A row of this key is one too many for the copy.
        let third = clue(3);
        let refuse = if world.db.is_postgres() {
            format!("ALTER TABLE clue_list__next ADD CHECK (clue_id <> '{third}')")
        } else {
            format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON clue_list__next WHEN new.clue_id = '{third}' \
                 BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        };
        world.db.run(&refuse).await.unwrap();
        replay.finish_alone(world.db.begin().await.unwrap(), head(&world)).await.unwrap();
        assert_eq!(world.number(COPIED).await, 7);
        assert!(
            replay.parked.iter().all(|event| event.key == customer(3).to_string()),
            "{:?}",
            replay.parked
        );
        assert!(replay.parked.len() > 1, "with its successors");
        guard.release().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn whoever_may_read_a_table_may_read_the_one_in_its_place() {
    on_each_database(|world| async move {
        if !world.db.is_postgres() {
            return;
        }
        world.busy();
        let projections = world.catch_up().await;
        let role = format!("bi_{}", std::process::id());
        world.db.run(&format!("CREATE ROLE {role}")).await.unwrap();
        world.db.run(&format!("GRANT SELECT ON clue_list TO {role} WITH GRANT OPTION")).await.unwrap();
        world.db.run(&format!("GRANT UPDATE (star) ON clue_list TO {role}")).await.unwrap();
        let may = |what: String| {
            let (db, sql) = (world.db.clone(), format!("SELECT count(*) FROM (SELECT 1) AS x WHERE {what}"));
            async move { db.fetch(&sql, &[]).await.unwrap()[0].get::<i64>(0).unwrap() == 1 }
        };
        let reads = format!("has_table_privilege('{role}', 'clue_list', 'SELECT WITH GRANT OPTION')");
        let writes = format!("has_column_privilege('{role}', 'clue_list', 'star', 'UPDATE')");
        let all = format!("has_table_privilege('{role}', 'clue_list', 'UPDATE')");
        projections.rebuild("clue_list", &|_| {}).await.unwrap();
        assert!(may(reads.clone()).await && may(writes.clone()).await && !may(all).await);
        // What was granted since the rebuild goes along when the former copy comes back.
        let later = format!("has_table_privilege('{role}', 'clue_list', 'DELETE')");
        world.db.run(&format!("GRANT DELETE ON clue_list TO {role}")).await.unwrap();
        projections.roll_back("clue_list").await.unwrap();
        assert!(may(reads).await && may(writes).await && may(later).await);
        world.db.run(&format!("DROP OWNED BY {role}")).await.unwrap();
        world.db.run(&format!("DROP ROLE {role}")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_view_on_the_tables_is_named_before_the_replay_begins() {
    on_each_database(|world| async move {
        world.busy();
        let projections = world.catch_up().await;
        world.db.run("CREATE VIEW of_bi AS SELECT star FROM clue_list").await.unwrap();
        let rebuilt = projections.rebuild("clue_list", &|_| {}).await;
        if !world.db.is_postgres() {
            assert!(rebuilt.unwrap().is_equal(), "a view of SQLite follows the name");
            return;
        }
        assert!(rebuilt.as_ref().is_err_and(|error| error.to_string().contains("of_bi")), "{rebuilt:?}");
        assert!(projections.verify("clue_list", &|_| {}).await.unwrap().is_equal(), "it swaps nothing");
        world.db.run("DROP VIEW of_bi").await.unwrap();
        projections.rebuild("clue_list", &|_| {}).await.unwrap();
        world.db.run("CREATE VIEW of_bi AS SELECT star FROM clue_list__old").await.unwrap();
        assert!(matches!(projections.roll_back("clue_list").await, Err(RunError::Dependents { .. })));
        world.db.run("DROP VIEW of_bi").await.unwrap();
        projections.roll_back("clue_list").await.unwrap();
    })
    .await;
}
