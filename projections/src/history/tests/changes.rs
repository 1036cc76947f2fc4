//! Changes: what every event changed, who, and because of what.

use std::collections::BTreeSet;

use domain::business_line::FieldValue;
use domain::clue::*;
use domain::codec::EventContract as _;
use domain::customer::{CustomerEvent, StarBasis};
use domain::ids::{EventId, ViewingId};
use domain::operator::Role;
use domain::personal::Personal;
use domain::values::{ContactKind, Money};
use uuid::Uuid;

use super::*;
use crate::read::Shown;

async fn of_clue(world: &World, n: u128, first: usize) -> Page<Change> {
    history(&world.db).of_clue(&Viewer::system(), clue(n), None, &Paging::first(first)).await.unwrap()
}

fn field<'a>(change: &'a Change, name: &str) -> (Option<&'a Seen>, Option<&'a Seen>) {
    let found = change.fields.iter().find(|field| field.field == name);
    let found = found.unwrap_or_else(|| panic!("{name} in {change:?}"));
    (found.before.as_ref(), found.after.as_ref())
}

fn word(word: &str) -> Seen {
    Seen::Word(word.into())
}

/// One of every event of a clue, in an order that makes sense.
fn clue_events() -> Vec<ClueEvent> {
    let viewing_id = ViewingId::new(Uuid::from_u128(77));
    let money = |minor| Money { minor, currency: key("CNY") };
    let need = Need {
        intent: Some(Intent::Buy),
        budget_max: Some(money(100)),
        brands: vec![key("Toyota")],
        note: Personal::text("red"),
        ..Need::default()
    };
    let follow_up = FollowUp {
        id: follow_up(1),
        channel: FollowUpChannel::Call,
        outcome: FollowUpOutcome::Connected,
        duration_seconds: Some(60),
        at: at(40),
        next_at: Some(at(400)),
        note: Personal::text("likes red"),
    };
    let (stage, reason, note) = (|name: &str| key(name), || key("price"), || Personal::text("words"));
    let (one, two) = (operator(1), operator(2));
    vec![
        ClueEvent::Pooled {},
        ClueEvent::Claimed { operator_id: one, team_id: Some(team(1)), at: at(30) },
        ClueEvent::Released { operator_id: one, at: at(31), note: note() },
        ClueEvent::Assigned { operator_id: one, team_id: None, at: at(32) },
        ClueEvent::Transferred { from: one, to: two, team_id: None, at: at(33) },
        ClueEvent::FollowUpLogged { follow_up },
        ClueEvent::FirstResponseRecorded { follow_up_id: follow_up_id(), at: at(40) },
        ClueEvent::StageMoved { from: stage("new"), to: stage("talking"), graph_version: 1 },
        ClueEvent::NeedUpdated { need },
        ClueEvent::FieldsSet { values: [(key("colour"), Some(FieldValue::Choice(key("red"))))].into() },
        ClueEvent::ViewingBooked { viewing_id, at: at(90), car: Some(key("Camry")), place: note() },
        ClueEvent::ViewingRebooked { viewing_id, at: at(95) },
        ClueEvent::ViewingCancelled { viewing_id },
        ClueEvent::ViewingCompleted { viewing_id },
        ClueEvent::ViewingNoShowed { viewing_id },
        ClueEvent::LossProposed { by: two, reason: reason(), note: note() },
        ClueEvent::LossRejected { by: one, note: note() },
        ClueEvent::Lost {
            by: two,
            approved_by: Some(one),
            reason: reason(),
            stage: key("lost"),
            note: note(),
        },
        ClueEvent::Reopened { stage: key("new"), graph_version: 1 },
        ClueEvent::Won { stage: key("won"), amount: Some(money(500)) },
        ClueEvent::Invalidated { reason: key("fake") },
    ]
}

fn follow_up_id() -> domain::ids::FollowUpId {
    follow_up(1)
}

fn customer_events() -> Vec<CustomerEvent> {
    let (contact_point_id, kind) = (contact(9), ContactKind::Email);
    let (line, tier) = (|| key("sales"), 3.try_into().unwrap());
    let star =
        || CustomerEvent::StarGranted { line: line(), tier, basis: StarBasis::Score, expires_at: None };
    vec![
        CustomerEvent::Renamed { name: Personal::Clear("张三".into()) },
        CustomerEvent::ContactPointAdded { contact_point_id, kind, value: Personal::Clear("a@b.cn".into()) },
        CustomerEvent::ContactPointVerified { contact_point_id },
        CustomerEvent::ContactPointRemoved { contact_point_id },
        CustomerEvent::Linked { other: customer(8) },
        CustomerEvent::Unlinked { other: customer(8) },
        star(),
        CustomerEvent::StarExpired { line: line() },
        star(),
        CustomerEvent::StarRevoked { line: line() },
        CustomerEvent::ConsentGiven { purpose: key("marketing") },
        CustomerEvent::ConsentWithdrawn { purpose: key("marketing") },
        CustomerEvent::DoNotCallSet { do_not_call: true },
        CustomerEvent::Erased { ground: key("asked") },
    ]
}

#[tokio::test]
async fn every_event_of_a_clue_and_a_customer_shows_what_it_changed() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "欧阳一", "+8613800138001");
        world.capture(1, 1, "sales");
        for event in clue_events() {
            world.on_clue(1, 1, "sales", event);
        }
        world.register(2, "sales", "欧阳二", "+8613800138002");
        for event in customer_events() {
            world.on_customer(2, event);
        }
        world.catch_up().await;
        let query = history(&world.db);
        let all = Viewer::system();
        let clue_page = of_clue(&world, 1, 100).await;
        let customer_page = query.of_customer(&all, customer(2), None, &Paging::first(100)).await.unwrap();
        for (page, known) in [(&clue_page, ClueEvent::TYPES), (&customer_page, CustomerEvent::TYPES)] {
            let shown: BTreeSet<&str> = page.nodes().map(|change| change.kind.as_str()).collect();
            let known: BTreeSet<&str> = known.iter().map(|known| known.name).collect();
            assert_eq!(shown, known, "the test appends one of every event");
            for change in page.nodes() {
                assert!(!change.fields.is_empty(), "{} changed nothing", change.kind);
                let same = change.fields.iter().filter(|field| field.before == field.after);
                let redacted = Some(Seen::Personal(Shown::Redacted));
                assert!(same.into_iter().all(|field| field.after == redacted), "{change:?}");
            }
        }
        let of = |kind: &str| clue_page.nodes().find(|change| change.kind == kind).unwrap();
        let owner = |n| Seen::Word(operator(n).to_string());
        assert_eq!(field(of("clue.transferred"), "ownerId"), (Some(&owner(1)), Some(&owner(2))));
        assert_eq!(field(of("clue.stage_moved"), "stage"), (Some(&word("new")), Some(&word("talking"))));
        assert_eq!(
            field(of("clue.stage_moved"), "stageCategory"),
            (Some(&word("open")), Some(&word("ongoing")))
        );
        let red = Seen::Choice("red".into());
        assert_eq!(field(of("clue.fields_set"), "fields.colour"), (None, Some(&red)));
        assert_eq!(field(of("clue.won"), "amount"), (None, Some(&Seen::Money(500, "CNY".into()))));
        assert_eq!(
            field(of("clue.follow_up_logged"), "nextFollowUpAt"),
            (None, Some(&Seen::Instant(at(400))))
        );
        let note = Seen::Personal(Shown::Visible("likes red".into()));
        assert_eq!(field(of("clue.follow_up_logged"), "followUp.note"), (None, Some(&note)));
        assert_eq!(field(of("clue.captured"), "lifecycle"), (None, Some(&word("captured"))));
        let bi = viewer(5, Role::Bi, &["sales"], &[]);
        let masked = query.of_clue(&bi, clue(1), None, &Paging::first(100)).await.unwrap();
        let logged = masked.nodes().find(|change| change.kind == "clue.follow_up_logged").unwrap();
        assert_eq!(field(logged, "followUp.note"), (None, Some(&Seen::Personal(Shown::Redacted))));

        // Pages, and the same up to a position.
        let all_ids: Vec<EventId> = clue_page.nodes().map(|change| change.event_id).collect();
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let paging = Paging::Forward { first: 4, after };
            let page = query.of_clue(&all, clue(1), None, &paging).await.unwrap();
            after = page.edges.last().map(|edge| edge.cursor.clone());
            let known = &clue_page.edges[paged.len()..];
            for (edge, known) in page.edges.iter().zip(known) {
                assert_eq!(edge.node, known.node, "a page shows what the whole shows");
            }
            paged.extend(page.nodes().map(|change| change.event_id));
            if !page.has_next {
                break;
            }
        }
        assert_eq!(paged, all_ids);
        let until = clue_page.edges[5].node.position;
        let page = query.of_clue(&all, clue(1), Some(until), &Paging::first(100)).await.unwrap();
        assert_eq!(page.edges.len(), all_ids.len() - 5);
    })
    .await;
}

#[tokio::test]
async fn causes_lead_to_the_original_command_and_no_further_than_stated() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "欧阳一", "+8613800138001");
        let captured = world.capture(1, 1, "sales");
        let caused_by = |position: Position, cause: Option<EventId>| {
            let mut events = world.log.events.lock().unwrap();
            let event = &mut events[usize::try_from(position.get() - 1).unwrap()];
            event.metadata.causation_id = cause;
            (event.metadata.event_id, event.metadata.command_id)
        };
        let (mut last, original) = caused_by(captured, None);
        let mut positions = Vec::new();
        for _ in 0..MAX_CAUSES + 2 {
            let position = world.follow(1, 1, "sales", "note", None);
            (last, _) = caused_by(position, Some(last));
            positions.push(position);
        }
        let unknown = world.follow(1, 1, "sales", "note", None);
        caused_by(unknown, Some(EventId::new(Uuid::from_u128(4_711))));
        world.catch_up().await;
        let page = of_clue(&world, 1, 100).await;
        let at = |position| page.nodes().find(|change| change.position == position).unwrap();
        let third = at(positions[2]);
        let causes: Vec<Position> = third.causes.iter().map(|cause| cause.position).collect();
        assert_eq!(causes, [positions[1], positions[0], captured]);
        assert_eq!((third.causes[2].command_id, third.causes_cut), (original, false));
        assert_eq!(third.causes[2].kind, "clue.captured");
        assert!(at(captured).causes.is_empty() && !at(captured).causes_cut);
        let long = at(*positions.last().unwrap());
        assert_eq!((long.causes.len(), long.causes_cut), (MAX_CAUSES, true));
        assert!(at(unknown).causes.is_empty() && at(unknown).causes_cut);
    })
    .await;
}
