//! The clue list: rows, filters, pages, searches, and the plans of its queries.

use std::sync::Arc;

use domain::business_line::FieldValue;
use domain::clue::{ClueEvent, Lifecycle};
use domain::customer::{CustomerEvent, StarBasis};
use domain::envelope::Position;
use domain::operator::Role;
use domain::personal::Personal;
use domain::values::{Code, LocalDate};

use super::filter::parts;
use super::rows::{CLUE_LIST, NEVER};
use super::*;
use crate::read::{Listing, Paging, Predicate, QueryError, Shown, Viewer};
use crate::sql::{Database, Record as _, Suffix};
use crate::tests::*;

const ORDERS: [ClueOrder; 4] =
    [ClueOrder::Updated, ClueOrder::Captured, ClueOrder::NextFollowUp, ClueOrder::Star];

fn list(db: &Database) -> ClueListQuery {
    ClueListQuery::new(db.clone(), Arc::new(FakeIndex))
}

async fn found(world: &World, viewer: &Viewer, filter: ClueFilter) -> Vec<u128> {
    let page = list(&world.db).page(viewer, &filter, ClueOrder::Captured, &Paging::first(100)).await;
    let page = page.unwrap();
    let count = list(&world.db).count(viewer, &filter, 1_000).await.unwrap();
    assert_eq!(count, ClueCount { count: i64::try_from(page.edges.len()).unwrap(), exact: true });
    let mut ids: Vec<u128> = page.nodes().map(|item| item.clue.clue_id.uuid().as_u128() & 0xffff).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_clue_is_shown_as_its_events_left_it() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let everybody = Viewer::system();
        let ids = [clue(1), clue(2), clue(3), clue(6)];
        let items = list(&world.db).by_ids(&everybody, &ids).await.unwrap();
        let won = &items[&clue(1)];
        assert_eq!(won.clue.lifecycle, Lifecycle::Won);
        assert_eq!(won.clue.stage_category.as_str(), "won");
        assert_eq!((won.clue.amount_minor, won.clue.owner_id), (Some(9_900_000), Some(operator(1))));
        assert_eq!(won.clue.next_follow_up_at, NEVER);
        assert_eq!(won.customer_name, Some(Shown::Visible("王小明1".into())));
        let lost = &items[&clue(2)].clue;
        assert_eq!((lost.star, lost.loss_reason.as_ref().map(Code::as_str)), (4, Some("price")));
        let released = &items[&clue(3)].clue;
        assert_eq!((released.lifecycle, released.owner_id), (Lifecycle::Pooled, None));
        assert_eq!(released.stage.as_str(), "talking");
        assert_eq!(items[&clue(6)].customer_name, Some(Shown::Redacted), "erased");
    })
    .await;
}

#[tokio::test]
async fn filters_find_what_they_ask_for_and_combine() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let all = Viewer::system();
        let any = ClueFilter::default;
        assert_eq!(found(&world, &all, any()).await, [1, 2, 3, 4, 5, 6, 7, 17]);
        assert_eq!(found(&world, &all, ClueFilter { lines: vec![key("service")], ..any() }).await, [17]);
        let stages = vec![key("talking"), key("won")];
        assert_eq!(found(&world, &all, ClueFilter { stages, ..any() }).await, [1, 3]);
        let lifecycles = vec![Lifecycle::Pooled];
        assert_eq!(found(&world, &all, ClueFilter { lifecycles, ..any() }).await, [3, 4, 5, 6]);
        assert_eq!(found(&world, &all, ClueFilter { owner: Some(operator(2)), ..any() }).await, [2]);
        assert_eq!(found(&world, &all, ClueFilter { team: Some(team(1)), ..any() }).await, [1, 2]);
        assert_eq!(found(&world, &all, ClueFilter { stars_at_least: Some(4), ..any() }).await, [2]);
        assert_eq!(found(&world, &all, ClueFilter { customer: Some(customer(7)), ..any() }).await, [7, 17]);
        let first = list(&world.db).by_ids(&all, &[clue(2)]).await.unwrap()[&clue(2)].clue.captured_at;
        let captured = Span { from: Some(first), until: Some(at(20)) };
        let early = found(&world, &all, ClueFilter { captured, ..any() }).await;
        assert!(early.starts_with(&[2]) && !early.contains(&1) && !early.contains(&7), "{early:?}");
        let both = ClueFilter { lifecycles: vec![Lifecycle::Pooled], stages: vec![key("talking")], ..any() };
        assert_eq!(found(&world, &all, both).await, [3]);
    })
    .await;
}

#[tokio::test]
async fn a_customer_is_found_by_part_of_the_name_and_by_whole_or_end_of_the_number() {
    on_each_database(|world| async move {
        world.define_line("sales");
        for (n, name, phone) in [
            (1, "欧阳小明", "+8613800138001"),
            (2, "王小明", "+8613800138002"),
            (3, "Anna Li", "+14155552671"),
            (4, "100%_ok", "+8613912348001"),
        ] {
            world.register(n, "sales", name, phone);
            world.capture(n, n, "sales");
        }
        world.catch_up().await;
        let all = Viewer::system();
        let name = |part: &str| ClueFilter { name: Some(part.into()), ..ClueFilter::default() };
        for (part, expected) in [
            ("明", vec![1, 2]),
            ("小明", vec![1, 2]),
            ("阳小", vec![1]),
            ("anna l", vec![3]),
            ("ANNA", vec![3]),
            ("0%_o", vec![4]),
            ("1%", vec![]),
            ("张", vec![]),
        ] {
            assert_eq!(found(&world, &all, name(part)).await, expected, "{part}");
        }
        let phone = |phone| ClueFilter { phone: Some(phone), ..ClueFilter::default() };
        let exact = |number: &str| PhoneFilter::Exact(number.into());
        let suffix = |digits: &str| PhoneFilter::Suffix(digits.into());
        assert_eq!(found(&world, &all, phone(exact("+14155552671"))).await, [3]);
        assert_eq!(found(&world, &all, phone(suffix("8001"))).await, [1, 4]);
        assert_eq!(found(&world, &all, phone(suffix("00138001"))).await, [1]);
        assert_eq!(found(&world, &all, phone(suffix("9999"))).await, [] as [u128; 0]);
        let bad =
            list(&world.db).page(&all, &phone(suffix("801")), ClueOrder::Updated, &Paging::first(5)).await;
        assert!(matches!(bad, Err(QueryError::Invalid(_))));

        world.on_customer(2, CustomerEvent::Renamed { name: Personal::Clear("张三".into()) });
        world.on_customer(1, CustomerEvent::ContactPointRemoved { contact_point_id: contact(1) });
        world.catch_up().await;
        assert_eq!(found(&world, &all, name("小明")).await, [1]);
        assert_eq!(found(&world, &all, name("张")).await, [2]);
        assert_eq!(found(&world, &all, phone(suffix("8001"))).await, [4]);
    })
    .await;
}

#[tokio::test]
async fn who_sees_no_personal_data_cannot_search_by_it() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        for role in [Role::Bi, Role::Admin, Role::ServiceRep, Role::CallSupervisor] {
            let who = viewer(1, role, &["sales"], &[1]);
            for filter in [
                ClueFilter { name: Some("王".into()), ..ClueFilter::default() },
                ClueFilter { phone: Some(PhoneFilter::Suffix("8001".into())), ..ClueFilter::default() },
            ] {
                let refused =
                    list(&world.db).page(&who, &filter, ClueOrder::Updated, &Paging::first(5)).await;
                assert!(matches!(refused, Err(QueryError::Forbidden(_))), "{role:?}");
                assert!(list(&world.db).count(&who, &filter, 5).await.is_err());
            }
        }
        // An agent who is also an administrator searches among the own clues only.
        let mut both = viewer(1, Role::Agent, &["sales"], &[]);
        both.roles.insert(Role::Admin);
        let name = ClueFilter { name: Some("王".into()), ..ClueFilter::default() };
        assert_eq!(found(&world, &both, name).await, [1]);
    })
    .await;
}

#[tokio::test]
async fn custom_fields_are_typed_rows_that_filters_find() {
    on_each_database(|world| async move {
        world.define_line("sales");
        for n in 1..=3 {
            world.register(n, "sales", "王", &format!("+861380013800{n}"));
            world.capture(n, n, "sales");
            let day: LocalDate = key(&format!("2026-05-0{n}"));
            let values = [
                ("colour", Some(FieldValue::Choice(key(if n == 1 { "red" } else { "blue" })))),
                (
                    "doors",
                    Some(FieldValue::Number(rust_decimal::Decimal::new(i64::try_from(n).unwrap() * 15, 1))),
                ),
                ("trade-in", Some(FieldValue::Flag(n == 2))),
                ("wanted-by", Some(FieldValue::Date(day))),
                ("remark", Some(FieldValue::Text(Personal::Clear(format!("找{n}"))))),
            ];
            let values = values.into_iter().map(|(k, v)| (key(k), v)).collect();
            world.on_clue(n, n, "sales", ClueEvent::FieldsSet { values });
        }
        let values = [(key("colour"), None)].into();
        world.on_clue(3, 3, "sales", ClueEvent::FieldsSet { values });
        world.catch_up().await;
        let by = |field: &str, matches| ClueFilter {
            fields: vec![FieldFilter { field: key(field), matches }],
            ..ClueFilter::default()
        };
        let all = Viewer::system();
        assert_eq!(found(&world, &all, by("colour", FieldMatch::Choice(vec!["blue".into()]))).await, [2]);
        assert_eq!(found(&world, &all, by("doors", FieldMatch::Number(Some(2.0), Some(4.5)))).await, [2, 3]);
        assert_eq!(found(&world, &all, by("trade-in", FieldMatch::Flag(true))).await, [2]);
        let until = FieldMatch::Date(None, Some("2026-05-02".into()));
        assert_eq!(found(&world, &all, by("wanted-by", until)).await, [1, 2]);
        let text = FieldMatch::Choice(vec!["找1".into()]);
        assert_eq!(found(&world, &all, by("remark", text)).await, [] as [u128; 0], "free text is personal");

        let shown = |fields: &[FieldItem], name: &str| {
            fields.iter().find(|item| item.field.as_str() == name).map(|item| item.value.clone())
        };
        let fields = list(&world.db).fields(&all, &[clue(1)]).await.unwrap();
        assert_eq!(shown(&fields[&clue(1)], "doors"), Some(FieldShown::Number("1.5".into())));
        let remark = Shown::Visible("找1".into());
        assert_eq!(shown(&fields[&clue(1)], "remark"), Some(FieldShown::Text(remark)));
        let bi = viewer(9, Role::Bi, &["sales"], &[]);
        let fields = list(&world.db).fields(&bi, &[clue(1)]).await.unwrap();
        assert_eq!(shown(&fields[&clue(1)], "remark"), Some(FieldShown::Text(Shown::Redacted)));
        let stranger = viewer(9, Role::Agent, &["sales"], &[]);
        assert!(list(&world.db).fields(&stranger, &[clue(1)]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn pages_forward_and_backward_cover_the_list_once_in_one_order() {
    on_each_database(|world| async move {
        fill(&world.db, 257).await;
        // Three overlapping parts: two teams and the own clues.
        let mut who = viewer(3, Role::TeamLead, &["sales"], &[0, 1]);
        who.roles.insert(Role::Agent);
        for order in ORDERS {
            let whole = list(&world.db).page(&who, &ClueFilter::default(), order, &Paging::first(200)).await;
            let whole: Vec<_> = whole.unwrap().edges.into_iter().map(|edge| edge.cursor).collect();
            assert!(whole.len() > 100 && whole.len() < 200, "{}", whole.len());
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let paging = Paging::Forward { first: 7, after: after.clone() };
                let page = list(&world.db).page(&who, &ClueFilter::default(), order, &paging).await.unwrap();
                assert_eq!(page.has_previous, after.is_some());
                after = page.edges.last().map(|edge| edge.cursor.clone());
                seen.extend(page.edges.into_iter().map(|edge| edge.cursor));
                if !page.has_next {
                    break;
                }
            }
            assert_eq!(seen, whole);
            let mut seen = Vec::new();
            let mut before = None;
            loop {
                let paging = Paging::Backward { last: 7, before };
                let page = list(&world.db).page(&who, &ClueFilter::default(), order, &paging).await.unwrap();
                before = page.edges.first().map(|edge| edge.cursor.to_string().parse().unwrap());
                seen.splice(0..0, page.edges.into_iter().map(|edge| edge.cursor));
                if !page.has_previous {
                    break;
                }
            }
            assert_eq!(seen, whole);
        }
        let paging = Paging::Forward { first: 5, after: Some("captured_at:1,:x".parse().unwrap()) };
        let foreign = list(&world.db).page(&who, &ClueFilter::default(), ClueOrder::Star, &paging).await;
        assert!(matches!(foreign, Err(QueryError::Invalid(_))));
    })
    .await;
}

/// Rows as a shop of some size has them.
async fn fill(db: &Database, count: u128) {
    let mut rows = Vec::new();
    for n in 0..count {
        let number = i64::try_from(n).unwrap();
        let row = ClueRow {
            clue_id: clue(n),
            customer_id: customer(n / 2),
            line: key(if n % 4 == 3 { "service" } else { "sales" }),
            lifecycle: Lifecycle::Owned,
            stage: key(if n % 3 == 0 { "talking" } else { "new" }),
            stage_category: domain::business_line::StageCategory::Open,
            graph_version: 1,
            owner_id: Some(operator(n % 10)),
            team_id: Some(team(n % 5)),
            source_channel: key("website"),
            source_key: None,
            campaign: None,
            captured_at: at(number * 11 % 1_000),
            updated_at: at(number * 7 % 1_000),
            pooled_at: None,
            owned_since: None,
            first_response_at: None,
            next_follow_up_at: if n % 2 == 0 { NEVER } else { at(number * 3 % 500) },
            last_follow_up_at: None,
            won_at: None,
            lost_at: None,
            amount_minor: None,
            currency: None,
            loss_reason: None,
            intent: None,
            budget_min: None,
            budget_max: None,
            budget_currency: None,
            star: number % 6,
            customer_name: Some("王".into()),
            erased: false,
            position: domain::Position::new(number + 1),
        };
        rows.push(row.to_values());
    }
    let mut tx = db.begin().await.unwrap();
    CLUE_LIST.upsert(&mut tx, Suffix::Live, rows).await.unwrap();
    tx.commit().await.unwrap();
    db.run("ANALYZE").await.unwrap();
}

#[tokio::test]
async fn no_offered_order_sorts_or_scans_the_table() {
    on_each_database(|world| async move {
        fill(&world.db, 20_000).await;
        let any = ClueFilter::default;
        let sales = vec![key("sales")];
        let viewers = [
            ("all", Viewer::system()),
            ("line", viewer(1, Role::Manager, &["sales"], &[])),
            ("lines", viewer(1, Role::Manager, &["sales", "service"], &[])),
            ("team", viewer(1, Role::TeamLead, &[], &[1])),
            ("owner", viewer(1, Role::Agent, &[], &[])),
        ];
        let filters = [
            ("", any()),
            ("line", ClueFilter { lines: sales.clone(), ..any() }),
            ("owner", ClueFilter { owner: Some(operator(1)), ..any() }),
            ("team", ClueFilter { team: Some(team(1)), ..any() }),
            ("stage", ClueFilter { lines: sales.clone(), stages: vec![key("talking")], ..any() }),
            ("lifecycle", ClueFilter { lifecycles: vec![Lifecycle::Owned], ..any() }),
            ("stars", ClueFilter { stars_at_least: Some(1), ..any() }),
            ("dates", ClueFilter { captured: Span { from: Some(at(10)), until: None }, ..any() }),
        ];
        for (who, viewer) in &viewers {
            for (what, filter) in &filters {
                for order in ORDERS {
                    for backward in [false, true] {
                        let plan = plan(&world.db, viewer, filter, order, backward).await;
                        let case = format!("{who} by {what}, {order:?}, backward {backward}: {plan:#?}");
                        for step in &plan {
                            let scans = step.contains("Seq Scan") || step.contains("SCAN c");
                            let by_index = step.contains("USING INDEX") || step.contains("COVERING INDEX");
                            assert!(!scans || by_index, "{case}");
                            assert!(!step.contains("Sort") && !step.contains("TEMP B-TREE"), "{case}");
                            assert!(!step.contains("Bitmap"), "{case}");
                        }
                    }
                }
            }
        }
    })
    .await;
}

async fn plan(
    db: &Database,
    viewer: &Viewer,
    filter: &ClueFilter,
    order: ClueOrder,
    backward: bool,
) -> Vec<String> {
    let select = CLUE_LIST.columns_of("c");
    let column = format!("c.{}", order.column());
    let listing = Listing {
        order: order.column().into(),
        select: &select,
        from: "clue_list c",
        sort: &[&column],
        id: Some("c.clue_id"),
        descending: order.descending(),
        short: false,
    };
    let parts = parts(viewer, filter, &[], order, db.is_postgres());
    let predicates: Vec<Predicate<'_>> =
        parts.iter().map(|part| -> Predicate<'_> { Box::new(move |sql| part.push(sql)) }).collect();
    // In the middle of the list, where a page is asked for.
    let middle = if order == ClueOrder::Star { 3 } else { at(400).micros() };
    let cursor = crate::Cursor { order: order.column().into(), keys: vec![middle], id: clue(5).to_string() };
    let paging = if backward {
        Paging::Backward { last: 20, before: Some(cursor) }
    } else {
        Paging::Forward { first: 20, after: Some(cursor) }
    };
    explain(db, &listing, &predicates, &paging).await
}

#[tokio::test]
async fn stars_reach_the_clues_of_their_line_whenever_they_were_captured() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.define_line("service");
        world.register(1, "sales", "王", "+8613800138001");
        world.capture(1, 1, "sales");
        let granted = CustomerEvent::StarGranted {
            line: key("sales"),
            tier: 3.try_into().unwrap(),
            basis: StarBasis::Score,
            expires_at: None,
        };
        world.on_customer(1, granted);
        world.capture(2, 1, "sales");
        world.capture(3, 1, "service");
        world.catch_up().await;
        let starred = ClueFilter { stars_at_least: Some(3), ..ClueFilter::default() };
        assert_eq!(found(&world, &Viewer::system(), starred.clone()).await, [1, 2]);
        world.on_customer(1, CustomerEvent::StarRevoked { line: key("sales") });
        world.catch_up().await;
        assert_eq!(found(&world, &Viewer::system(), starred).await, [] as [u128; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_watcher_that_lagged_reads_on_from_its_position() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let me = viewer(1, Role::Agent, &["sales"], &[]);
        let since = async |viewer: &Viewer, after, limit| {
            list(&world.db).changed_since(viewer, after, limit).await.unwrap()
        };
        let all = since(&me, Position::ZERO, 100).await;
        assert_eq!(all.items.iter().filter(|item| item.clue.owner_id == Some(operator(1))).count(), 1);
        assert!(since(&me, all.covered, 100).await.items.is_empty());
        world.follow(1, 1, "sales", "又打", None);
        world.catch_up().await;
        let one = since(&me, all.covered, 100).await;
        assert_eq!(one.items.len(), 1);
        // One event that changes several clues is on one page, however small that is.
        let everybody = Viewer::system();
        world.capture(21, 1, "sales");
        world.catch_up().await;
        let end = since(&everybody, one.covered, 100).await.covered;
        world.erase(1);
        world.catch_up().await;
        let both = since(&everybody, end, 1).await;
        let at = both.covered;
        assert!(both.items.len() > 1 && both.items.iter().all(|item| item.clue.position == at), "{both:?}");
    })
    .await;
}

#[tokio::test]
async fn a_watcher_that_lagged_reads_what_left_whoever_had_it_on_pages_of_any_size() {
    on_each_database(|world| async move {
        world.define_line("sales");
        for n in 1..=3 {
            world.register(n, "sales", "王", &format!("+861380013800{n}"));
            world.capture(n, n, "sales");
            world.on_clue(n, n, "sales", ClueEvent::Pooled {});
        }
        let taken = world.assign(1, 1, "sales", 1, Some(1));
        world.assign(2, 2, "sales", 2, Some(1));
        // From one to the other within a team; then out of the team; then back to the pool, twice.
        let handed_on = world.assign(1, 1, "sales", 2, Some(1));
        let out = world.assign(1, 1, "sales", 3, Some(2));
        world.follow(1, 1, "sales", "打", None);
        let released = |by| ClueEvent::Released { operator_id: operator(by), at: at(1_000), note: None };
        let back = world.on_clue(1, 1, "sales", released(3));
        let again = world.assign(1, 1, "sales", 1, Some(1));
        let last = world.on_clue(1, 1, "sales", released(1));
        world.catch_up().await;

        let told = async |viewer: Viewer, limit| {
            let (mut told, mut after) = (Vec::new(), Position::ZERO);
            loop {
                let since = list(&world.db).changed_since(&viewer, after, limit).await.unwrap();
                let within = |at: Position| after < at && at <= since.covered;
                assert!(since.items.iter().all(|item| within(item.clue.position)), "{since:?}");
                assert!(since.departures.iter().all(|left| within(left.position)), "{since:?}");
                told.extend(since.departures.into_iter().map(|left| (left.position, left.pooled)));
                if since.covered == after {
                    return told;
                }
                after = since.covered;
            }
        };
        let pool = [(taken, true), (taken.next(), true), (again, true)];
        for limit in [1, 2, 3, 100] {
            let agent = |n| viewer(n, Role::Agent, &["sales"], &[]);
            let lead = |team| viewer(9, Role::TeamLead, &["sales"], &[team]);
            let with = |more: &[(Position, bool)]| {
                let mut all = [&pool[..], more].concat();
                all.sort();
                all
            };
            assert_eq!(told(agent(1), limit).await, with(&[(handed_on, false), (last, false)]), "{limit}");
            assert_eq!(told(agent(2), limit).await, with(&[(out, false)]));
            assert_eq!(told(agent(3), limit).await, with(&[(back, false)]));
            assert_eq!(told(agent(4), limit).await, pool);
            assert_eq!(told(lead(1), limit).await, with(&[(out, false), (last, false)]));
            assert_eq!(told(lead(2), limit).await, with(&[(back, false)]));
            let elsewhere = viewer(1, Role::TeamLead, &["service"], &[3]);
            assert_eq!(told(elsewhere, limit).await, []);
        }
    })
    .await;
}
