//! Erased people and copies of read models.

use super::*;
use crate::rebuild::guard::Guard;
use crate::rebuild::replay::Replay;
use crate::sql::Suffix;

async fn named(world: &World, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE customer_name LIKE '%anarienvogel%'");
    world.number(&sql).await
}

#[tokio::test]
async fn an_erasure_that_has_to_be_parked_reaches_the_copy_under_construction() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "Kanarienvogel", "+8613712345678");
        world.capture(1, 1, "sales");
        // Captured a second time: parks, and its successors of the same person.
        world.capture(1, 1, "sales");
        let projections = world.projections();
        projections.catch_up().await.unwrap();
        let (inner, model) = projections.rebuild_parts();
        let silent = |_: super::super::Progress| {};
        let head = || domain::Position::ZERO.plus(world.log.events.lock().unwrap().len());
        for by_workers in [true, false] {
            let guard = Guard::take(&inner, &model, "rebuild").await.unwrap();
            let mut replay = Replay::begin(&guard, &inner, &model, Suffix::Next, 1, 2).await.unwrap();
            // Before the key goes, at least the first time.
            replay.advance(domain::Position::new(head().get().min(5)), &silent).await.unwrap();
            if by_workers {
                assert_eq!(named(&world, "clue_list__next").await, 1);
                world.erase(1);
                replay.advance(head(), &silent).await.unwrap();
            } else {
                replay.finish_alone(world.db.begin().await.unwrap(), head()).await.unwrap();
            }
            assert_eq!(world.number("SELECT count(*) FROM clue_list__next").await, 0);
            guard.release().await.unwrap();
        }
        projections.catch_up().await.unwrap();
        let report = projections.verify("clue_list", &|_| {}).await.unwrap();
        assert!(report.is_equal(), "the live rows went as well: {report:?}");
    })
    .await;
}

#[tokio::test]
async fn an_erasure_reaches_whoever_waits_in_the_retired_copy() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "Kanarienvogel", "+8613712345678");
        world.capture(1, 1, "sales");
        let projections = world.catch_up().await;
        // As former code may have parked what that of now folds.
        let parked = "INSERT INTO parked_events (projector, position, key, reason, attempts, parked_at) \
                      VALUES ('clue_list', 5, '{}', 'former code', 1, 0)";
        world.db.run(&parked.replace("{}", &customer(1).to_string())).await.unwrap();
        projections.rebuild("clue_list", &|_| {}).await.unwrap();
        assert_eq!(projections.parked(None, 10).await.unwrap(), []);
        assert_eq!(named(&world, "clue_list__old").await, 1);
        world.erase(1);
        projections.catch_up().await.unwrap();
        assert_eq!(named(&world, "clue_list").await, 0);
        assert_eq!(world.number("SELECT count(*) FROM clue_list").await, 1);
        assert_eq!(world.number("SELECT count(*) FROM clue_list__old").await, 0, "it went altogether");
    })
    .await;
}
