//! Scores over whole logs.

use domain::business_line::Signal;
use domain::clue::ClueEvent;
use domain::operator::Role;

use super::rows::*;
use super::*;
use crate::read::{Paging, Viewer};
use crate::tests::*;

fn query(world: &World) -> StarQuery {
    StarQuery::new(world.db.clone())
}

async fn order(world: &World, viewer: &Viewer) -> Vec<u128> {
    let page = query(world).page(viewer, &key("sales"), StarOrder::Score, &Paging::first(50)).await.unwrap();
    page.nodes().map(|item| item.customer_id.uuid().as_u128() & 0xff).collect()
}

#[tokio::test]
async fn recent_signals_outweigh_old_ones_and_the_strongest_three_are_the_reasons() {
    on_each_database(|world| async move {
        world.define_line("sales");
        let weights = [
            (Signal::ClueCaptured, 4),
            (Signal::ContactMade, 10),
            (Signal::NeedStated, 1),
            (Signal::DealLost, -30),
        ];
        world.publish_score("sales", 1, 1, &weights);
        for n in 1..=3 {
            world.register(n, "sales", "王", &format!("+861380013800{n}"));
            world.capture(n, n, "sales");
            world.assign(n, n, "sales", n, None);
        }
        // Two talks long ago against one now; and a loss.
        world.follow(1, 1, "sales", "", None);
        world.follow(1, 1, "sales", "", None);
        world.seconds.fetch_add(10 * 3_600, std::sync::atomic::Ordering::SeqCst);
        world.follow(2, 2, "sales", "", None);
        let last = world.on_clue(
            3,
            3,
            "sales",
            ClueEvent::Lost {
                by: operator(3),
                approved_by: None,
                reason: key("price"),
                stage: key("lost"),
                note: None,
            },
        );
        world.catch_up().await;
        let all = Viewer::system();
        assert_eq!(order(&world, &all).await, [2, 1, 3]);
        let items = query(&world).by_ids(&all, &[customer(1), customer(3)]).await.unwrap();
        let now = at(world.seconds.load(std::sync::atomic::Ordering::SeqCst));
        let first = items[&customer(1)][0].score.value_at(now, 1);
        assert!((first - 24.0 / 1_024.0).abs() < 0.001, "{first}");
        assert!(items[&customer(3)][0].score.value_at(now, 1) < -29.0);
        let reasons = query(&world).reasons(&all, &[customer(1), customer(3)]).await.unwrap();
        let own = &reasons[&(customer(1), key("sales"))];
        assert_eq!(
            own.iter().map(|r| (r.rank, r.signal)).collect::<Vec<_>>(),
            [(1, Signal::ContactMade), (2, Signal::ContactMade), (3, Signal::ClueCaptured),]
        );
        let lost = &reasons[&(customer(3), key("sales"))][0];
        assert_eq!((lost.signal, lost.points, lost.position), (Signal::DealLost, -30, last));
        // An agent sees the scores of worked customers only, in the same order.
        assert_eq!(order(&world, &viewer(2, Role::Agent, &["sales"], &[])).await, [2]);
        assert_eq!(order(&world, &viewer(3, Role::Agent, &["sales"], &[])).await, [] as [u128; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_new_policy_scores_the_past_as_if_it_had_always_held() {
    on_each_database(|world| async move {
        let policies: [(u32, &[(Signal, i32)]); 2] = [
            (24, &[(Signal::ClueCaptured, 5), (Signal::ContactMade, 10)]),
            (6, &[(Signal::ContactMade, 3), (Signal::DealWon, 50)]),
        ];
        // Once published in the middle, once known from the beginning.
        let mut scores = Vec::new();
        for late in [true, false] {
            for model in ["star_customers"] {
                world.db.run(&format!("DELETE FROM {model}")).await.unwrap();
            }
            for table in ["star_reason", "star_signal", "star_policy", "checkpoints", "leases"] {
                world.db.run(&format!("DELETE FROM {table}")).await.unwrap();
            }
            world.log.events.lock().unwrap().clear();
            world.seconds.store(0, std::sync::atomic::Ordering::SeqCst);
            world.define_line("sales");
            let first = if late { policies[0] } else { policies[1] };
            world.publish_score("sales", 1, first.0, first.1);
            for n in 1..=4 {
                world.register(n, "sales", "王", &format!("+861380013800{n}"));
                world.capture(n, n, "sales");
                world.assign(n, n, "sales", n, None);
                world.follow(n, n, "sales", "", None);
            }
            world.on_clue(2, 2, "sales", ClueEvent::Won { stage: key("won"), amount: None });
            world.publish_score("sales", 2, policies[1].0, policies[1].1);
            world.follow(3, 3, "sales", "", None);
            world
                .with(crate::Config::default(), vec![std::sync::Arc::new(StarCustomers)])
                .catch_up()
                .await
                .unwrap();
            scores.push(world.dump(&[STAR_CUSTOMERS, STAR_REASON, STAR_POLICY]).await);
        }
        assert_eq!(scores[0], scores[1]);
        assert!(scores[0].len() > 10);
    })
    .await;
}

#[tokio::test]
async fn stars_change_by_events_alone_and_order_before_scores_when_asked() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let all = Viewer::system();
        let page = query(&world).page(&all, &key("sales"), StarOrder::Tier, &Paging::first(3)).await.unwrap();
        let first = page.nodes().next().unwrap();
        assert_eq!((first.customer_id, first.tier), (customer(2), 4));
        assert!(page.nodes().skip(1).all(|item| item.tier == 0));
        let erased = query(&world).by_ids(&all, &[customer(6)]).await.unwrap();
        assert!(erased.is_empty(), "an erased person has no profile");
    })
    .await;
}
