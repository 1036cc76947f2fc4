//! Who sees what, through every query at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::clue::ClueEvent;
use domain::operator::Role;
use domain::values::ContactKind;

use super::*;
use crate::clue_list::{ClueFilter, ClueListQuery, ClueOrder};
use crate::clue_pool::{PoolFilter, PoolQuery};
use crate::customer::CustomerQuery;
use crate::fact_clue_stage::FactClueStageQuery;
use crate::star_customers::{StarOrder, StarQuery};
use crate::tests::*;

/// What one viewer sees of five clues: (1) own, (2) of the team, (3) of another team in the line,
/// (4) pooled in the line, (5) of another line.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    listed: Vec<u128>,
    by_id: Vec<(u128, Sight)>,
    pool: Vec<u128>,
    customers: Vec<(u128, Sight)>,
    starred: Vec<u128>,
    facts: bool,
}

async fn world_of_five(world: &World) {
    world.define_line("sales");
    world.define_line("service");
    for n in 1..=5_u128 {
        let line = if n == 5 { "service" } else { "sales" };
        world.register(n, line, &format!("欧阳{n}"), &format!("+861380013800{n}"));
        world.capture(n, n, line);
        match n {
            1 => drop(world.assign(1, 1, line, 1, None)),
            2 => drop(world.assign(2, 2, line, 2, Some(1))),
            3 => drop(world.assign(3, 3, line, 3, Some(2))),
            4 => drop(world.on_clue(4, 4, line, ClueEvent::Pooled {})),
            _ => drop(world.assign(5, 5, line, 4, Some(3))),
        }
    }
    world.catch_up().await;
}

async fn seen(world: &World, viewer: &Viewer) -> Seen {
    let index: Arc<dyn domain::ports::BlindIndex> = Arc::new(FakeIndex);
    let list = ClueListQuery::new(world.db.clone(), Arc::clone(&index));
    let short = |id: uuid::Uuid| id.as_u128() & 0xff;
    let first = Paging::first(50);
    let page = list.page(viewer, &ClueFilter::default(), ClueOrder::Captured, &first).await.unwrap();
    let mut listed: Vec<u128> = page.nodes().map(|item| short(item.clue.clue_id.uuid())).collect();
    listed.sort_unstable();
    let ids: Vec<_> = (1..=5).map(clue).collect();
    let items = list.by_ids(viewer, &ids).await.unwrap();
    let mut by_id: Vec<_> = items.values().map(|i| (short(i.clue.clue_id.uuid()), i.sight)).collect();
    by_id.sort_unstable();
    let pool = PoolQuery::new(world.db.clone());
    let pool = pool.page(viewer, &PoolFilter::default(), &first).await.unwrap();
    let pool = pool.nodes().map(|item| short(item.clue_id.uuid())).collect();
    let query = CustomerQuery::new(world.db.clone(), index);
    let ids: Vec<_> = (1..=5).map(customer).collect();
    let items = query.by_ids(viewer, &ids).await.unwrap();
    let mut customers: Vec<_> =
        items.values().map(|i| (short(i.customer.customer_id.uuid()), i.sight)).collect();
    customers.sort_unstable();
    for item in items.values() {
        let n = short(item.customer.customer_id.uuid());
        let contact = match item.sight {
            Sight::Clear => Shown::Visible(format!("+861380013800{n}")),
            Sight::Masked => Shown::Masked(format!("138****800{n}")),
            Sight::Redacted => Shown::Redacted,
        };
        assert_eq!(item.contacts[0].value, contact);
        let name = match item.sight {
            Sight::Clear => Shown::Visible(format!("欧阳{n}")),
            Sight::Masked => Shown::Masked("欧**".to_owned()),
            Sight::Redacted => Shown::Redacted,
        };
        assert_eq!(item.name, Some(name));
        assert_eq!(item.customer.name, None, "the plain name never leaves");
        let rows = query.timeline(viewer, item.customer.customer_id, None, &first).await.unwrap();
        assert!(!rows.edges.is_empty());
        let called = query.by_phone(viewer, &format!("+861380013800{n}")).await;
        let found = called.map_or(0, |found| found.len());
        assert_eq!(found, usize::from(item.sight > Sight::Redacted));
    }
    let stars = StarQuery::new(world.db.clone());
    let stars = stars.page(viewer, &key("sales"), StarOrder::Score, &first).await.unwrap();
    let mut starred: Vec<u128> = stars.nodes().map(|item| short(item.customer_id.uuid())).collect();
    starred.sort_unstable();
    let facts = FactClueStageQuery::new(world.db.clone());
    let facts = facts.page(viewer, &key("sales"), &first).await.is_ok();
    Seen { listed, by_id, pool, customers, starred, facts }
}

const NOTHING: Seen =
    Seen { listed: vec![], by_id: vec![], pool: vec![], customers: vec![], starred: vec![], facts: false };

fn each(ids: &[u128], sight: Sight) -> Vec<(u128, Sight)> {
    ids.iter().map(|n| (*n, sight)).collect()
}

/// Everything about some clues, at one sight.
fn whole(ids: &[u128], sight: Sight) -> Seen {
    let starred = ids.iter().copied().filter(|n| *n < 5).collect();
    let (by_id, customers) = (each(ids, sight), each(ids, sight));
    Seen { listed: ids.to_vec(), by_id, pool: vec![4], customers, starred, facts: true }
}

/// The work on one clue, and the pool of the line masked.
fn work_and_pool(n: u128) -> Seen {
    let seen = vec![(n, Sight::Clear), (4, Sight::Masked)];
    Seen {
        listed: vec![n],
        by_id: seen.clone(),
        pool: vec![4],
        customers: seen,
        starred: vec![n],
        facts: false,
    }
}

#[tokio::test]
async fn each_role_sees_its_scope_and_nothing_beyond_in_every_query() {
    use Sight::{Clear, Masked, Redacted};
    on_each_database(|world| async move {
        world_of_five(&world).await;
        let line = [1, 2, 3, 4];
        let all = [1, 2, 3, 4, 5];
        let own = each(&[1], Clear);
        let served = Seen { customers: each(&line, Clear), ..NOTHING };
        let poolless =
            Seen { listed: vec![1], by_id: own.clone(), customers: own, starred: vec![1], ..NOTHING };
        for (role, lines, teams, expected) in [
            (Role::Agent, vec!["sales"], vec![], work_and_pool(1)),
            (Role::Agent, vec![], vec![1], poolless),
            (Role::TeamLead, vec!["sales"], vec![1], work_and_pool(2)),
            (Role::Manager, vec!["sales"], vec![], whole(&line, Clear)),
            (Role::ServiceRep, vec!["sales"], vec![], served),
            (Role::Bi, vec!["sales"], vec![], whole(&line, Redacted)),
            (Role::Auditor, vec![], vec![], whole(&all, Clear)),
            (Role::Admin, vec![], vec![], whole(&all, Redacted)),
            (Role::CallSupervisor, vec!["sales"], vec![1], NOTHING),
            (Role::Manager, vec![], vec![1], NOTHING),
            (Role::TeamLead, vec![], vec![], NOTHING),
            (Role::Bi, vec![], vec![], NOTHING),
        ] {
            let who = viewer(1, role, &lines, &teams);
            assert_eq!(seen(&world, &who).await, expected, "{role:?} in {lines:?} {teams:?}");
        }
        assert_eq!(seen(&world, &Viewer::default()).await, NOTHING, "no role, no rows");
        let mut two = viewer(1, Role::Agent, &["sales"], &[]);
        two.roles = BTreeSet::from([Role::Agent, Role::Bi]);
        let both = seen(&world, &two).await;
        assert_eq!(both.listed, line);
        assert_eq!(both.by_id, [(1, Clear), (2, Redacted), (3, Redacted), (4, Masked)]);
    })
    .await;
}

#[test]
fn masks_keep_the_ends_only() {
    for (kind, value, masked) in [
        (ContactKind::Phone, "+8613800138000", "138****8000"),
        (ContactKind::Phone, "+14155552671", "+14****2671"),
        (ContactKind::Phone, "+4912345", "****45"),
        (ContactKind::Email, "li.wei@example.com", "l***@example.com"),
        (ContactKind::Wechat, "wei_88", "we***"),
    ] {
        assert_eq!(mask_contact(kind, value), masked);
    }
    assert_eq!(mask_name("王小明"), "王**");
    assert_eq!(mask_name("李"), "李*");
    assert_eq!(format!("{:?}", Shown::Visible("13800138000".into())), "Shown(visible)");
}

#[test]
fn cursors_survive_their_text_and_nonsense_is_refused() {
    for keys in [vec![], vec![-5], vec![1, i64::MAX]] {
        let cursor = Cursor { order: "star".into(), keys, id: "a:b".into() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    for text in ["", "star", "star:1", "star:x,:id"] {
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
    }
    assert!(Paging::from_relay(Some(1), None, Some(1), None).is_err());
    assert!(Paging::from_relay(Some(201), None, None, None).is_err());
    assert!(Paging::from_relay(None, None, None, None).is_err());
}
