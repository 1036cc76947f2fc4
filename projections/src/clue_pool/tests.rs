//! The pool's order and facts.

use domain::business_line::PoolPolicy;
use domain::clue::ClueEvent;
use domain::customer::{CustomerEvent, StarBasis};
use domain::operator::Role;

use super::*;
use crate::read::{Paging, Viewer};
use crate::testing::*;

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
