//! The pool's order and facts.

use domain::business_line::PoolPolicy;
use domain::clue::ClueEvent;
use domain::customer::{CustomerEvent, StarBasis};
use domain::operator::Role;

use super::*;
use crate::read::{Cursor, Paging, Predicate, Viewer};
use crate::sql::{Record as _, Suffix};
use crate::tests::*;

async fn pool(world: &World, viewer: &Viewer, filter: &PoolFilter) -> Vec<PoolItem> {
    let page = PoolQuery::new(world.db.clone()).page(viewer, filter, &Paging::first(50)).await.unwrap();
    page.nodes().cloned().collect()
}

fn ids(items: &[PoolItem]) -> Vec<u128> {
    items.iter().map(|item| item.clue_id.uuid().as_u128() & 0xff).collect()
}

#[tokio::test]
async fn best_customers_come_first_then_those_that_waited_longest() {
    on_each_database(|world| async move {
        world.define_line("sales");
        for n in 1..=4 {
            world.register(n, "sales", "王", &format!("+861380013800{n}"));
            world.capture(n, n, "sales");
            world.on_clue(n, n, "sales", ClueEvent::Pooled {});
        }
        let tier = |n: u8| n.try_into().unwrap();
        for (n, stars) in [(3, 2), (4, 5)] {
            world.on_customer(
                n,
                CustomerEvent::StarGranted {
                    line: key("sales"),
                    tier: tier(stars),
                    basis: StarBasis::Person,
                    expires_at: None,
                },
            );
        }
        world.catch_up().await;
        let me = viewer(1, Role::Agent, &["sales"], &[]);
        let items = pool(&world, &me, &PoolFilter::default()).await;
        assert_eq!(ids(&items), [4, 3, 1, 2]);
        assert_eq!(items.iter().map(|item| item.stars).collect::<Vec<_>>(), [5, 2, 0, 0]);
        let starred = PoolFilter { stars_at_least: Some(2), ..PoolFilter::default() };
        assert_eq!(ids(&pool(&world, &me, &starred).await), [4, 3]);
        assert_eq!(PoolQuery::new(world.db.clone()).count(&me, &starred, 1).await.unwrap(), 1);
        let query = PoolQuery::new(world.db.clone());
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let page =
                query.page(&me, &PoolFilter::default(), &Paging::Forward { first: 1, after }).await.unwrap();
            after = page.edges.last().map(|edge| edge.cursor.clone());
            walked.extend(page.nodes().cloned());
            if !page.has_next {
                break;
            }
        }
        assert_eq!(walked, items);
    })
    .await;
}

#[tokio::test]
async fn a_clue_leaves_the_pool_with_its_claim_and_comes_back_with_its_former_owner() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "王", "+8613800138001");
        world.capture(1, 1, "sales");
        world.on_clue(1, 1, "sales", ClueEvent::Pooled {});
        world.assign(1, 1, "sales", 1, None);
        world.catch_up().await;
        let me = viewer(1, Role::Agent, &["sales"], &[]);
        assert!(pool(&world, &me, &PoolFilter::default()).await.is_empty());
        assert!(PoolQuery::new(world.db.clone()).by_ids(&me, &[clue(1)]).await.unwrap().is_empty());
        world.on_clue(
            1,
            1,
            "sales",
            ClueEvent::Released { operator_id: operator(1), at: at(100), note: None },
        );
        world.catch_up().await;
        let items = pool(&world, &me, &PoolFilter::default()).await;
        assert_eq!((items[0].times_pooled, items[0].former_owner_id), (2, Some(operator(1))));
        let policy = PoolPolicy { former_owner_cooldown_minutes: 10 };
        assert_eq!(items[0].cooldown_until(operator(1), &policy), Some(at(700)));
        assert_eq!(items[0].cooldown_until(operator(2), &policy), None);
    })
    .await;
}

#[tokio::test]
async fn the_order_of_the_pool_neither_sorts_nor_scans() {
    on_each_database(|world| async move {
        let mut rows = Vec::new();
        for n in 0..5_000_u128 {
            let number = i64::try_from(n).unwrap();
            let row = PoolRow {
                clue_id: clue(n),
                customer_id: customer(n),
                line: key(if n % 3 == 0 { "service" } else { "sales" }),
                stage: key("new"),
                source_channel: key("website"),
                campaign: None,
                captured_at: at(number),
                pooled: n % 4 > 0,
                pooled_at: Some(at(number * 7 % 5_000)),
                star_rank: number % 6,
                former_owner_id: None,
                released_at: None,
                times_pooled: 1,
                first_response: false,
                position: domain::Position::new(number + 1),
            };
            rows.push(row.to_values());
        }
        let mut tx = world.db.begin().await.unwrap();
        PoolRow::TABLE.upsert(&mut tx, Suffix::Live, rows).await.unwrap();
        tx.commit().await.unwrap();
        world.db.run("ANALYZE").await.unwrap();
        let sales = key("sales");
        let select = PoolRow::TABLE.columns_of("p");
        for line in [None, Some(&sales)] {
            let filter = PoolFilter::default();
            let part: Predicate<'_> = Box::new(|sql| super::query::push(sql, line, &filter));
            let cursor =
                Cursor { order: "pool".into(), keys: vec![3, at(2_000).micros()], id: clue(7).to_string() };
            for paging in [
                Paging::first(20),
                Paging::Forward { first: 20, after: Some(cursor.clone()) },
                Paging::Backward { last: 20, before: Some(cursor) },
            ] {
                let plan =
                    explain(&world.db, &super::query::listing(&select), std::slice::from_ref(&part), &paging)
                        .await;
                let text = plan.join("\n");
                assert!(text.contains("clue_pool_"), "{text}");
                assert!(
                    !text.contains("Sort") && !text.contains("TEMP B-TREE") && !text.contains("Seq Scan"),
                    "{text}"
                );
            }
        }
    })
    .await;
}
