//! The command service on real stores: races, permission, erasure.

mod repeats;

use std::time::Duration;

use commands::event_log::EventLog;
use commands::service::CommandContext;
use commands::use_cases::clue::{AssignClue, ClaimClue, ClueStep, ReleaseClue, Route, WorkClue};
use commands::use_cases::customer::{ChangeCustomer, ContactInput, CustomerChange, EraseCustomer};
use commands::use_cases::operator::{ChangeOperator, OperatorChange};
use commands::vault::Vault;
use domain::clue::ClueEvent;
use domain::clue_attempts::ClueAttemptsEvent;
use domain::customer::CustomerEvent;
use domain::envelope::{Position, Revision};
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::operator::Role;
use domain::personal::Personal;
use domain::ports::Unsealer;
use domain::values::ContactKind;
use domain::{Event, RecordedEvent};
use futures::future::join_all;
use tests::clock::ManualClock;
use tests::given::{Person, World, id, parse};
use tests::stores::{Backend, Store, key_material};

on_every_backend! {
    of_many_concurrent_claims_one_wins_and_every_loser_is_recorded_with_the_winner,
    phone_variants_of_one_number_are_one_customer,
    a_source_record_is_taken_in_once,
    concurrent_captures_of_one_phone_make_one_customer,
    two_processes_working_one_clue_lose_no_update,
    a_decision_rests_on_what_another_process_did_before,
    nobody_works_clues_of_others_and_the_suspended_do_nothing,
    a_former_owner_waits_for_the_cooldown,
    an_erased_customer_cannot_be_read_nor_changed_and_frees_the_phone,
    a_capture_beside_the_erasure_of_the_person_makes_a_new_customer,
    whoever_still_has_a_data_key_seals_nothing_for_whom_another_process_erased,
    a_removed_contact_point_frees_the_phone,
    no_plaintext_of_a_person_is_in_the_log,
    a_customer_changes_only_in_the_course_of_a_clue_of_theirs,
}

async fn world(store: &Store) -> World {
    World::new(store.service(ManualClock::new()).await).await
}

async fn all(log: &std::sync::Arc<dyn EventLog>) -> Vec<RecordedEvent> {
    log.read(Position::ZERO, 100_000).await.expect("the log reads without a hole")
}

fn note(text: &str) -> Option<Personal<String>> {
    Personal::text(text)
}

fn log_call(clue_id: ClueId, note: Option<Personal<String>>) -> WorkClue {
    let step = ClueStep::LogFollowUp {
        channel: domain::clue::FollowUpChannel::Call,
        outcome: domain::clue::FollowUpOutcome::Connected,
        duration_seconds: Some(60),
        next_at: None,
        note,
    };
    WorkClue { clue_id, step }
}

async fn of_many_concurrent_claims_one_wins_and_every_loser_is_recorded_with_the_winner(store: Store) {
    let world = world(&store).await;
    let (clue_id, _) = world.pooled_clue("13800138000").await;
    let hired = join_all((0..30).map(|_| world.hire(&[Role::Agent]))).await;
    // More claims at once than attempts that one of them has. The winner's own repeat is no refusal.
    let agents = hired.repeat(10);
    let claims = agents.iter().map(|agent| {
        let context = world.operator(*agent);
        let service = world.service.clone();
        tokio::spawn(async move { service.execute(&context, &ClaimClue { clue_id }).await })
    });
    let results = join_all(claims.collect::<Vec<_>>()).await;
    let mut won: Vec<OperatorId> = agents
        .iter()
        .zip(&results)
        .filter(|(_, result)| result.as_ref().expect("no panic").is_ok())
        .map(|(agent, _)| *agent)
        .collect();
    won.dedup();
    assert_eq!(won.len(), 1);
    for result in &results {
        if let Err(error) = result.as_ref().expect("no panic") {
            assert_eq!(error.code(), "clue_not_pooled");
        }
    }
    let mut losers = 0;
    for event in all(world.service.log()).await {
        if let Event::ClueAttempts(ClueAttemptsEvent::ClaimRefused { winner, won_at, reason, .. }) =
            event.decode().unwrap()
        {
            assert_eq!((winner, won_at.is_some(), reason.as_str()), (Some(won[0]), true, "clue_not_pooled"));
            losers += 1;
        }
    }
    assert_eq!(losers, (hired.len() - 1) * 10);
}

async fn phone_variants_of_one_number_are_one_customer(store: Store) {
    let world = world(&store).await;
    let mut customers = Vec::new();
    for phone in ["0086-138 0013 8000", "+86 13800138000", "１３８００１３８０００", "138-0013-8000"]
    {
        customers.push(world.pooled_clue(phone).await.1);
    }
    customers.dedup();
    assert_eq!(customers.len(), 1);
    assert_ne!(world.pooled_clue("13900139000").await.1, customers[0]);
}

async fn a_source_record_is_taken_in_once(store: Store) {
    let world = world(&store).await;
    let person = Person { name: "Li Wei", phone: "13800138000" };
    let capture = world.capture(&person, Some("row-1"), Route::Pool);
    world.done(&world.system(), &capture).await;
    let head = world.service.log().head().await.unwrap();
    assert_eq!(world.refused(&world.system(), &capture).await, "source_already_known");
    assert_eq!(world.service.log().head().await.unwrap(), head, "a second capture appends nothing");
}

async fn concurrent_captures_of_one_phone_make_one_customer(store: Store) {
    let one = world(&store).await;
    let other = store.service(ManualClock::new()).await;
    let captures = (0..20).map(|n| {
        let service = if n % 2 == 0 { one.service.clone() } else { other.clone() };
        let person = Person { name: "Li Wei", phone: "13800138000" };
        let (context, capture) = (one.system(), one.capture(&person, None, Route::Pool));
        tokio::spawn(async move { service.execute(&context, &capture).await })
    });
    let customers = join_all(captures.collect::<Vec<_>>()).await;
    let customers: std::collections::BTreeSet<CustomerId> =
        customers.into_iter().map(|receipt| id(&receipt.unwrap().unwrap(), "customer_id")).collect();
    assert_eq!(customers.len(), 1);
}

async fn two_processes_working_one_clue_lose_no_update(store: Store) {
    let world = world(&store).await;
    let other = store.service(ManualClock::new()).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.owned_clue("13800138000", agent).await;
    let calls = (0..40).map(|n| {
        let service = if n % 2 == 0 { world.service.clone() } else { other.clone() };
        let context = world.operator(agent);
        let log_call = log_call(clue_id, None);
        tokio::spawn(async move { service.execute(&context, &log_call).await })
    });
    for result in join_all(calls.collect::<Vec<_>>()).await {
        result.unwrap().unwrap();
    }
    let events: Vec<Event> =
        all(world.service.log()).await.iter().map(|event| event.decode().unwrap()).collect();
    let count = |wanted: fn(&ClueEvent) -> bool| {
        events.iter().filter(|event| matches!(event, Event::Clue(event) if wanted(event))).count()
    };
    assert_eq!(count(|event| matches!(event, ClueEvent::FollowUpLogged { .. })), 40);
    assert_eq!(count(|event| matches!(event, ClueEvent::FirstResponseRecorded { .. })), 1);
}

async fn a_decision_rests_on_what_another_process_did_before(store: Store) {
    let world = world(&store).await;
    let other = store.service(ManualClock::new()).await;
    let (first, second) = (world.hire(&[Role::Agent]).await, world.hire(&[Role::Agent]).await);
    let (clue_id, _) = world.owned_clue("13800138000", first).await;
    let step = |to: &str| WorkClue { clue_id, step: ClueStep::MoveStage(parse(to)) };
    // Both processes know the clue and both agents now.
    let claim = ClaimClue { clue_id };
    assert_eq!(world.refused(&world.operator(second), &claim).await, "clue_not_pooled");
    other.execute(&world.operator(first), &step("contacted")).await.unwrap();

    // What would have been refused is not any more.
    other.execute(&world.operator(first), &ReleaseClue { clue_id, note: None }).await.unwrap();
    world.done(&world.operator(second), &claim).await;
    // What would have been forbidden is not, and a revision that the other process told is not stale.
    let mut pinned = world.operator(second);
    pinned.expected_revision = Some(Revision::new(5));
    other.execute(&pinned, &step("negotiating")).await.unwrap();
    // What would have been allowed is not: the operator was suspended.
    let suspend = ChangeOperator { operator_id: second, change: OperatorChange::Suspend };
    other.execute(&world.system(), &suspend).await.unwrap();
    assert_eq!(world.refused(&world.operator(second), &step("contacted")).await, "forbidden");
}

async fn nobody_works_clues_of_others_and_the_suspended_do_nothing(store: Store) {
    let world = world(&store).await;
    let (owner, other) = (world.hire(&[Role::Agent]).await, world.hire(&[Role::Agent]).await);
    let (lead, admin) = (world.hire(&[Role::TeamLead]).await, world.hire(&[Role::Admin]).await);
    let auditor = world.hire(&[Role::Auditor, Role::Bi]).await;
    let (clue_id, customer_id) = world.owned_clue("13800138000", owner).await;
    let step = WorkClue { clue_id, step: ClueStep::MoveStage(parse("contacted")) };
    for stranger in [other, admin, auditor, OperatorId::new(uuid::Uuid::from_u128(1))] {
        assert_eq!(world.refused(&world.operator(stranger), &step).await, "forbidden");
    }
    world.done(&world.operator(owner), &step).await;
    let next = WorkClue { clue_id, step: ClueStep::MoveStage(parse("negotiating")) };
    world.done(&world.operator(lead), &next).await;
    let erase = EraseCustomer { customer_id, ground: parse("request") };
    assert_eq!(world.refused(&world.operator(owner), &erase).await, "forbidden");
    let assign = AssignClue { clue_id, operator_id: other };
    assert_eq!(world.refused(&world.operator(owner), &assign).await, "forbidden");
    let suspend = ChangeOperator { operator_id: owner, change: OperatorChange::Suspend };
    assert_eq!(world.refused(&world.operator(lead), &suspend).await, "forbidden");
    world.done(&world.operator(admin), &suspend).await;
    let back = WorkClue { clue_id, step: ClueStep::MoveStage(parse("contacted")) };
    assert_eq!(world.refused(&world.operator(owner), &back).await, "forbidden");
}

async fn a_former_owner_waits_for_the_cooldown(store: Store) {
    let clock = ManualClock::new();
    let world = World::new(store.service(clock.clone()).await).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.owned_clue("13800138000", agent).await;
    world.done(&world.operator(agent), &ReleaseClue { clue_id, note: note("no time") }).await;
    assert_eq!(world.refused(&world.operator(agent), &ClaimClue { clue_id }).await, "claim_cooldown");
    clock.advance(Duration::from_secs(3_601));
    world.done(&world.operator(agent), &ClaimClue { clue_id }).await;
}

async fn an_erased_customer_cannot_be_read_nor_changed_and_frees_the_phone(store: Store) {
    let clock = ManualClock::new();
    let world = World::new(store.service(clock.clone()).await).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, customer_id) = world.owned_clue("13800138000", agent).await;
    let vault = Vault::new(world.service.log().clone(), key_material(), clock);
    assert_eq!(name_of(&world, &vault, customer_id).await, Personal::Clear("Li Wei".to_owned()));
    let erase = EraseCustomer { customer_id, ground: parse("request") };
    world.done(&world.system(), &erase).await;
    let vault = Vault::new(world.service.log().clone(), key_material(), world.clock.clone());
    assert_eq!(name_of(&world, &vault, customer_id).await, Personal::Redacted);
    assert_eq!(world.refused(&world.system(), &erase).await, "customer_erased");
    let noted = WorkClue { clue_id, step: ClueStep::ProposeLoss { reason: parse("price"), note: note("x") } };
    assert_eq!(world.refused(&world.operator(agent), &noted).await, "customer_erased");
    let (_, other) = world.pooled_clue("+86 138 0013 8000").await;
    assert_ne!(other, customer_id);
}

async fn a_capture_beside_the_erasure_of_the_person_makes_a_new_customer(store: Store) {
    let world = world(&store).await;
    let (_, erased) = world.pooled_clue("13800138000").await;
    let context = || CommandContext { bulk: true, ..world.system() };
    let (erases, captures) = (context(), context());
    let gathering = world.service.log().appender().gather();
    let erase = EraseCustomer { customer_id: erased, ground: parse("request") };
    let mut erasure = Box::pin(world.service.execute(&erases, &erase));
    assert!(futures::poll!(&mut erasure).is_pending());
    // The log still says who has the number; that this is nobody any more is on its way.
    let person = Person { name: "Li Wei", phone: "138 0013 8000" };
    let capture = world.capture(&person, Some("row-1"), Route::Pool);
    let captured = world.service.execute(&captures, &capture);
    let committed = async {
        for _ in 0..20 {
            world.service.log().head().await.unwrap();
        }
        drop(gathering);
    };
    let (captured, ()) = tokio::join!(captured, committed);
    erasure.await.unwrap();
    assert_ne!(id::<CustomerId>(&captured.unwrap(), "customer_id"), erased);
}

async fn whoever_still_has_a_data_key_seals_nothing_for_whom_another_process_erased(store: Store) {
    let world = world(&store).await;
    let other = store.service(ManualClock::new()).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, customer_id) = world.owned_clue("13800138000", agent).await;
    let call = |note| log_call(clue_id, note);
    world.done(&world.operator(agent), &call(note("wants a red one"))).await;
    let erase = EraseCustomer { customer_id, ground: parse("request") };
    other.execute(&world.system(), &erase).await.unwrap();
    let before = all(world.service.log()).await.len();
    assert_eq!(world.refused(&world.operator(agent), &call(note("or a blue one"))).await, "customer_erased");
    assert_eq!(all(world.service.log()).await.len(), before);
    world.done(&world.operator(agent), &call(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_is_refused_while_a_data_key_on_sqlite_waits_to_be_destroyed() {
    let store = Store::fresh(Backend::Sqlite).await;
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, customer_id) = world.owned_clue("13800138000", agent).await;
    let waits = format!("INSERT INTO key_destructions (subject_id) VALUES ('{customer_id}')");
    store.execute(&waits).await.unwrap();
    let step = ClueStep::ProposeLoss { reason: parse("price"), note: note("too dear") };
    let noted = WorkClue { clue_id, step };
    assert_eq!(world.refused(&world.operator(agent), &noted).await, "customer_erased");
}

async fn name_of(world: &World, vault: &Vault, customer: CustomerId) -> Personal<String> {
    let keys = vault.keys(&[customer.into()]).await.unwrap();
    for event in all(world.service.log()).await {
        if event.stream.id() == customer.to_string()
            && let Event::Customer(CustomerEvent::Registered { name, .. }) =
                event.decode_clear(keys.as_ref()).unwrap()
        {
            return name.expect("a name was given");
        }
    }
    panic!("the customer was registered");
}

async fn a_removed_contact_point_frees_the_phone(store: Store) {
    let world = world(&store).await;
    let (_, customer_id) = world.pooled_clue("13800138000").await;
    let contact =
        ContactInput { kind: ContactKind::Phone, text: Personal::Clear("139 0013 9000".to_owned()) };
    let add = CustomerChange::AddContactPoint { line: world.line.clone(), contact };
    let change = |change| ChangeCustomer { customer_id, clue_id: None, change };
    let added = world.done(&world.system(), &change(add.clone())).await;
    let again = world.done(&world.system(), &change(add)).await;
    assert_eq!(added.id("contact_point_id"), again.id("contact_point_id"), "known already, so nothing new");
    assert_eq!(world.pooled_clue("13900139000").await.1, customer_id);
    let remove = CustomerChange::RemoveContactPoint(id(&added, "contact_point_id"));
    world.done(&world.system(), &change(remove)).await;
    assert_ne!(world.pooled_clue("13900139000").await.1, customer_id);
}

async fn no_plaintext_of_a_person_is_in_the_log(store: Store) {
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let person = Person { name: "Canary Zhang", phone: "13712345678" };
    let receipt = world.done(&world.system(), &world.capture(&person, None, Route::Assign(agent))).await;
    let clue_id: ClueId = id(&receipt, "clue_id");
    let values =
        [(parse("remark"), Some(domain::business_line::FieldValue::Text("canary remark".to_owned().into())))];
    let fields = WorkClue { clue_id, step: ClueStep::SetFields(values.into()) };
    world.done(&world.operator(agent), &fields).await;
    world.done(&world.operator(agent), &ReleaseClue { clue_id, note: note("canary note") }).await;
    for canary in ["Canary Zhang", "13712345678", "canary remark", "canary note", "Wang Fang"] {
        for table in [
            "events WHERE payload || metadata",
            "commands WHERE result",
            "unique_keys WHERE key || owner || item",
        ] {
            let table =
                table.replace("payload || metadata", "CAST(payload AS text) || CAST(metadata AS text)");
            let found =
                store.count(&format!("SELECT count(*) FROM {table} LIKE '%{canary}%'")).await.unwrap();
            assert_eq!(found, 0, "{canary} in {table}");
        }
    }
}

async fn a_customer_changes_only_in_the_course_of_a_clue_of_theirs(store: Store) {
    let world = world(&store).await;
    let (agent, rep) = (world.hire(&[Role::Agent]).await, world.hire(&[Role::ServiceRep]).await);
    let (mine, customer_id) = world.owned_clue("13800138000", agent).await;
    let (_, stranger) = world.owned_clue("13900139000", world.hire(&[Role::Agent]).await).await;
    let change = |customer_id, clue_id| ChangeCustomer {
        customer_id,
        clue_id,
        change: CustomerChange::SetDoNotCall(true),
    };
    assert_eq!(world.refused(&world.operator(agent), &change(customer_id, None)).await, "forbidden");
    let elsewhere = world.refused(&world.operator(agent), &change(stranger, Some(mine))).await;
    assert_eq!(elsewhere, "clue_of_other_customer");
    world.done(&world.operator(agent), &change(customer_id, Some(mine))).await;
    world.done(&world.operator(rep), &change(stranger, None)).await;
}
