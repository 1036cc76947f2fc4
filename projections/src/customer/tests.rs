//! Customers: rows, timelines, and what an erasure leaves.

use std::sync::Arc;

use domain::clue_attempts::ClueAttemptsEvent;
use domain::codec::EventContract as _;
use domain::customer::CustomerEvent;
use domain::envelope::StreamId;
use domain::operator::Role;
use domain::personal::Personal;

use super::*;
use crate::read::{Paging, Shown, Viewer};
use crate::tests::*;

fn query(world: &World) -> CustomerQuery {
    CustomerQuery::new(world.db.clone(), Arc::new(FakeIndex))
}

#[tokio::test]
async fn a_customer_comes_with_contacts_consents_stars_links_and_clues() {
    on_each_database(|world| async move {
        world.busy();
        world.register(20, "sales", "李四", "+8613800138020");
        world.on_customer(2, CustomerEvent::ContactPointVerified { contact_point_id: contact(2) });
        world.on_customer(2, CustomerEvent::ConsentGiven { purpose: key("marketing") });
        world.on_customer(2, CustomerEvent::ConsentGiven { purpose: key("research") });
        world.on_customer(2, CustomerEvent::ConsentWithdrawn { purpose: key("research") });
        world.on_customer(2, CustomerEvent::Linked { other: customer(20) });
        world.on_customer(2, CustomerEvent::DoNotCallSet { do_not_call: true });
        world.on_customer(2, CustomerEvent::Renamed { name: Personal::Clear("王大明".into()) });
        world.catch_up().await;
        let item = query(&world).get(&Viewer::system(), customer(2)).await.unwrap().unwrap();
        assert_eq!(item.name, Some(Shown::Visible("王大明".into())));
        assert!(item.contacts[0].verified && item.customer.do_not_call);
        assert_eq!(item.consents.iter().map(|c| c.0.as_str()).collect::<Vec<_>>(), ["marketing"]);
        assert_eq!(item.stars[0].tier, 4);
        assert_eq!(item.links, [customer(20)]);
        assert_eq!(item.clues, [clue(2)]);
        let callers = query(&world).by_phone(&Viewer::system(), "+8613800138002").await.unwrap();
        assert_eq!(callers.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_timeline_has_one_row_an_event_last_first_and_of_visible_clues_only() {
    on_each_database(|world| async move {
        world.busy();
        world.capture(70, 1, "service");
        let refused = ClueAttemptsEvent::ClaimRefused {
            operator_id: operator(9),
            at: at(1),
            reason: key("not_pooled"),
            winner: Some(operator(1)),
            won_at: Some(at(0)),
        };
        let payload = serde_json::to_string(&refused).unwrap();
        let stream = StreamId::of::<domain::clue_attempts::ClueAttempts>(&clue(1));
        let name = refused.contract().name;
        world.append_raw(900, stream, Some(customer(1).into()), Some("sales"), name, "1", &payload);
        world.catch_up().await;
        let all = Viewer::system();
        let page = query(&world).timeline(&all, customer(1), None, &Paging::first(50)).await.unwrap();
        let kinds: Vec<&str> = page.nodes().map(|row| row.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "clue_attempts.claim_refused",
                "clue.captured",
                "clue.follow_up_logged",
                "clue.won",
                "clue.stage_moved",
                "clue.follow_up_logged",
                "clue.assigned",
                "clue.captured",
                "customer.contact_point_added",
                "customer.registered",
            ]
        );
        let call = page.nodes().nth(5).unwrap();
        assert_eq!(call.note, Some(Shown::Visible("喜欢红色".into())));
        assert_eq!((call.duration_seconds, call.clue_id), (Some(60), Some(clue(1))));
        let refusal = page.nodes().next().unwrap();
        assert_eq!(refusal.other_operator_id, Some(operator(1)));

        let two = Paging::Forward { first: 2, after: Some(page.edges[1].cursor.clone()) };
        let next = query(&world).timeline(&all, customer(1), None, &two).await.unwrap();
        assert_eq!(next.nodes().map(|row| row.kind.as_str()).collect::<Vec<_>>(), kinds[2..4]);

        let agent = viewer(1, Role::Agent, &["sales"], &[]);
        let own = query(&world).timeline(&agent, customer(1), None, &Paging::first(50)).await.unwrap();
        assert_eq!(own.edges.len(), kinds.len() - 1, "the clue of another line is not there");
        let bi = viewer(9, Role::Bi, &["sales"], &[]);
        let pseudonymous = query(&world).clue_timeline(&bi, clue(1), None, &Paging::first(50)).await.unwrap();
        let notes: Vec<_> = pseudonymous.nodes().filter_map(|row| row.note.clone()).collect();
        assert_eq!(notes, [Shown::Redacted, Shown::Redacted]);
        let rep = viewer(9, Role::ServiceRep, &["sales"], &[]);
        let served = query(&world).timeline(&rep, customer(1), None, &Paging::first(50)).await.unwrap();
        let won = served.nodes().find(|row| row.kind == "clue.won").unwrap();
        assert_eq!((won.amount_minor, &won.note), (None, &None), "no margin for service");
        let stranger = viewer(9, Role::Agent, &["sales"], &[]);
        assert!(
            query(&world)
                .timeline(&stranger, customer(1), None, &Paging::first(5))
                .await
                .unwrap()
                .edges
                .is_empty()
        );
        assert!(
            query(&world)
                .clue_timeline(&stranger, clue(1), None, &Paging::first(5))
                .await
                .unwrap()
                .edges
                .is_empty()
        );
    })
    .await;
}

/// Marks that occur in no other text.
const CANARIES: [&str; 4] = ["金丝雀", "+8613712345678", "秘密备注", "字段里的名字"];

fn plant(world: &World) {
    world.busy();
    world.register(30, "sales", CANARIES[0], CANARIES[1]);
    world.capture(30, 30, "sales");
    world.assign(30, 30, "sales", 1, None);
    world.follow(30, 30, "sales", CANARIES[2], None);
    let text = domain::business_line::FieldValue::Text(Personal::Clear(CANARIES[3].into()));
    let values = [(key("remark"), Some(text))].into();
    world.on_clue(30, 30, "sales", domain::clue::ClueEvent::FieldsSet { values });
}

/// Every byte that the database keeps, where it can be looked at.
async fn stored(world: &World) -> Vec<u8> {
    if world.db.is_postgres() {
        let mut out = Vec::new();
        let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
        for row in world.db.fetch(tables, &[]).await.unwrap() {
            let table: String = row.get(0).unwrap();
            let rows = world.db.fetch(&format!("SELECT t::text FROM {table} t"), &[]).await.unwrap();
            for row in rows {
                out.extend(row.get::<String>(0).unwrap_or_default().into_bytes());
            }
        }
        return out;
    }
    let file = world.url.trim_start_matches("sqlite://");
    let mut out = Vec::new();
    for path in [file.to_owned(), format!("{file}-wal")] {
        out.extend(std::fs::read(path).unwrap_or_default());
    }
    out
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn an_erasure_leaves_no_plaintext_in_rows_copies_free_pages_or_journal() {
    on_each_database(|world| async move {
        plant(&world);
        let projections = world.catch_up().await;
        for name in ["clue_list", "customer"] {
            projections.rebuild(name, &|_| {}).await.unwrap();
        }
        world.follow(30, 30, "sales", CANARIES[2], None);
        projections.catch_up().await.unwrap();
        let before = stored(&world).await;
        for canary in CANARIES {
            assert!(contains(&before, canary), "{canary} was never there");
        }

        world.erase(30);
        projections.catch_up().await.unwrap();
        let after = stored(&world).await;
        for canary in CANARIES {
            assert!(!contains(&after, canary), "{canary}");
        }
        // Grams are pieces of the name.
        assert!(!contains(&after, "丝雀"));
        assert_eq!(world.number("SELECT count(*) FROM clue_list__old WHERE erased = 1").await, 2);

        let all = Viewer::system();
        let item = query(&world).get(&all, customer(30)).await.unwrap().unwrap();
        assert_eq!(item.name, Some(Shown::Redacted));
        assert_eq!(item.contacts[0].value, Shown::Redacted);
        assert!(item.customer.erased_at.is_some());
        let rows = query(&world).clue_timeline(&all, clue(30), None, &Paging::first(50)).await.unwrap();
        let notes: Vec<_> = rows.nodes().filter_map(|row| row.note.clone()).collect();
        assert_eq!(notes, [Shown::Redacted, Shown::Redacted]);
        assert!(query(&world).by_phone(&all, CANARIES[1]).await.unwrap().is_empty());
        for name in projections.names() {
            let report = projections.verify(name, &|_| {}).await.unwrap();
            assert!(report.is_equal(), "what is left equals a replay without the key: {report:?}");
        }
    })
    .await;
}
