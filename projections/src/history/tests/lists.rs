//! Lists as of a position: cursors, bounds, searches.

use domain::clue::ClueEvent;
use domain::customer::CustomerEvent;
use domain::personal::Personal;

use super::*;
use crate::clue_list::PhoneFilter;

#[tokio::test]
async fn before_the_first_event_there_is_nothing() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let all = Viewer::system();
        assert_eq!(clue_at(&world, &all, 1, Position::ZERO).await, None);
        assert_eq!(listed(&world, &all, &ClueFilter::default(), Position::ZERO).await, [] as [u128; 0]);
        let customers = history(&world.db).customers_at(&all, &[customer(1)], Position::ZERO).await.unwrap();
        assert!(customers.is_empty());
        let head = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        assert_eq!(listed(&world, &all, &ClueFilter::default(), head).await, [1, 2, 3, 4, 5, 6, 7, 17]);
    })
    .await;
}

#[tokio::test]
async fn names_and_phones_are_searched_as_they_were_then() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "欧阳小明", "+8613800138001");
        let captured = world.capture(1, 1, "sales");
        world.on_customer(1, CustomerEvent::Renamed { name: Personal::Clear("张三".into()) });
        let renamed =
            world.on_customer(1, CustomerEvent::ContactPointRemoved { contact_point_id: contact(1) });
        world.catch_up().await;
        let all = Viewer::system();
        let name = |part: &str| ClueFilter { name: Some(part.into()), ..ClueFilter::default() };
        let phone = |phone| ClueFilter { phone: Some(phone), ..ClueFilter::default() };
        let suffix = || phone(PhoneFilter::Suffix("8001".into()));
        let none = [] as [u128; 0];
        assert_eq!(listed(&world, &all, &name("小明"), captured).await, [1]);
        assert_eq!(listed(&world, &all, &name("张"), captured).await, none);
        assert_eq!(listed(&world, &all, &name("小明"), renamed).await, none);
        assert_eq!(listed(&world, &all, &name("张"), renamed).await, [1]);
        assert_eq!(listed(&world, &all, &suffix(), captured).await, [1]);
        assert_eq!(
            listed(&world, &all, &phone(PhoneFilter::Exact("+8613800138001".into())), captured).await,
            [1]
        );
        assert_eq!(listed(&world, &all, &suffix(), renamed).await, none);
        for bad in [name(""), name(&"长".repeat(41)), phone(PhoneFilter::Suffix("801".into()))] {
            let refused = page_at(&world, &all, &bad, renamed).await;
            assert!(matches!(refused, Err(QueryError::Invalid(_))), "{bad:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_moment_and_order_only() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let head = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        let all = Viewer::system();
        let any = ClueFilter::default();
        let query = history(&world.db);
        let now = moment(&world, head);
        let page = query.page(&all, &any, ClueOrder::Captured, &now, &Paging::first(2)).await.unwrap();
        assert!(page.has_next);
        let after = || Paging::Forward { first: 2, after: page.edges.last().map(|edge| edge.cursor.clone()) };
        assert!(query.page(&all, &any, ClueOrder::Captured, &now, &after()).await.is_ok());
        let before = moment(&world, Position::new(head.get() - 1));
        for (order, moment) in [(ClueOrder::Captured, &before), (ClueOrder::Updated, &now)] {
            let refused = query.page(&all, &any, order, moment, &after()).await;
            assert!(matches!(refused, Err(QueryError::Invalid(_))), "{refused:?}");
        }
        let live = crate::clue_list::ClueListQuery::new(world.db.clone(), Arc::new(FakeIndex));
        let refused = live.page(&all, &any, ClueOrder::Captured, &after()).await;
        assert!(matches!(refused, Err(QueryError::Invalid(_))), "the present list is another");
    })
    .await;
}

#[tokio::test]
async fn what_changes_between_the_asking_and_the_reading_is_listed_as_it_was() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let head = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        let now = moment(&world, head);
        for n in 4..=5 {
            world.assign(n, n, "sales", 1, Some(1));
        }
        world.catch_up().await;
        let query = history(&world.db);
        let any = ClueFilter::default();
        let page = query.page(&Viewer::system(), &any, ClueOrder::Captured, &now, &Paging::first(100)).await;
        let page = page.unwrap();
        let mut ids: Vec<u128> = page.nodes().map(|item| short(item.clue.clue_id)).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 17]);
        assert!(page.nodes().all(|item| item.clue.position <= head), "as they were");
    })
    .await;
}

#[tokio::test]
async fn whoever_has_more_than_a_few_clues_is_listed_along_the_order() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "王", "+8613800138001");
        let count = u128::try_from(crate::clue_list::FEW + 5).unwrap();
        for n in 1..=count {
            world.capture(n, 1, "sales");
            world.assign(n, 1, "sales", 1, Some(1));
        }
        let then = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        for n in 1..=3 {
            world.on_clue(n, 1, "sales", ClueEvent::Pooled {});
        }
        world.catch_up().await;
        let me = viewer(1, domain::operator::Role::Agent, &["sales"], &[]);
        for viewer in [&me, &viewer(8, domain::operator::Role::TeamLead, &[], &[1]), &Viewer::system()] {
            let query = history(&world.db);
            let last = Paging::Backward { last: 3, before: None };
            let any = ClueFilter::default();
            let page =
                query.page(viewer, &any, ClueOrder::Captured, &moment(&world, then), &last).await.unwrap();
            let oldest: Vec<u128> = page.nodes().map(|item| short(item.clue.clue_id)).collect();
            // The first three are another's now, or nobody's: only who sees everything sees them then.
            let expected = if *viewer == Viewer::system() { [3, 2, 1] } else { [6, 5, 4] };
            assert_eq!(oldest, expected);
        }
    })
    .await;
}
