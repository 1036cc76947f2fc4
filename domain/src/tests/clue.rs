//! Clues.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Step, Walk, each_event_says_something, reaches_every_event};
use crate::business_line::{
    BusinessLine, BusinessLineCommand, FieldValue, LossPolicy, Policy, StageCategory,
};
use crate::clue::{
    Assignee, AssigneeStanding, Clue, ClueCommand as Command, ClueEvent as Event, CustomerStanding, FollowUp,
    FollowUpChannel, FollowUpOutcome, Intent, Lifecycle, Need, Source,
};
use crate::testing::{at, id, line, line_after, read};
use crate::values::{FieldKey, Instant, Money};

/// The line whose losses another person reviews, and one whose losses are final.
fn lines() -> [Arc<BusinessLine>; 2] {
    let policy = Policy::Loss(LossPolicy::default());
    [line(), line_after(BusinessLineCommand::PublishPolicy { policy })]
}

fn minute() -> impl Strategy<Value = Instant> {
    (0..200_i64).prop_map(at)
}

fn assignee() -> impl Strategy<Value = Assignee> {
    let standing = prop_oneof![
        8 => Just(AssigneeStanding::Active),
        1 => Just(AssigneeStanding::Suspended),
        1 => Just(AssigneeStanding::OutsideLine),
    ];
    (0..2_u128, standing).prop_map(|(operator, standing)| Assignee {
        operator_id: id(operator),
        team_id: Some(id(7)),
        standing,
    })
}

fn follow_up() -> impl Strategy<Value = FollowUp> {
    let channel = prop_oneof![
        Just(FollowUpChannel::Call),
        Just(FollowUpChannel::Message),
        Just(FollowUpChannel::Visit)
    ];
    let outcome = prop_oneof![
        Just(FollowUpOutcome::Connected),
        Just(FollowUpOutcome::Replied),
        Just(FollowUpOutcome::NoAnswer)
    ];
    let next = prop::option::of(minute());
    (channel, outcome, prop::option::of(0..20_u32), minute(), next).prop_map(
        |(channel, outcome, duration_seconds, at, next_at)| FollowUp {
            id: id(20),
            channel,
            outcome,
            duration_seconds,
            at,
            next_at,
            note: None,
        },
    )
}

fn need() -> impl Strategy<Value = Need> {
    let intent = prop_oneof![Just(Intent::Buy), Just(Intent::Sell)];
    (prop::option::of(intent), prop::option::of(-1..3_i64)).prop_map(|(intent, minor)| Need {
        intent,
        budget_max: minor.map(|minor| Money { minor, currency: read("CNY") }),
        ..Need::default()
    })
}

fn values() -> impl Strategy<Value = std::collections::BTreeMap<FieldKey, Option<FieldValue>>> {
    let entry = prop_oneof![
        4 => Just(("budget-source", Some(FieldValue::Choice(read("loan"))))),
        2 => Just(("budget-source", None)),
        1 => Just(("budget-source", Some(FieldValue::Flag(true)))),
        2 => (0..11_i64).prop_map(|owners| ("owners", Some(FieldValue::Number(owners.into())))),
        1 => Just(("nothing", None)),
    ];
    prop::collection::vec(entry, 0..3)
        .prop_map(|entries| entries.into_iter().map(|(key, value)| (read(key), value)).collect())
}

fn capture(line: Arc<BusinessLine>) -> impl Strategy<Value = Command> {
    let customer = prop_oneof![9 => Just(CustomerStanding::Registered), 1 => Just(CustomerStanding::Erased)];
    (customer, prop::option::of(need()), minute()).prop_map(move |(customer, need, at)| Command::Capture {
        customer_id: id(9),
        customer,
        line_key: read("used-car-sales"),
        line: line.clone(),
        source: Source { channel: read("website"), key: None, campaign: None },
        need,
        fields: std::collections::BTreeMap::new(),
        at,
    })
}

fn ownership(line: Arc<BusinessLine>) -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => Just(Command::Pool),
        2 => (assignee(), minute()).prop_map(|(to, at)| Command::Assign { to, at }),
        3 => (assignee(), minute()).prop_map(move |(by, at)| Command::Claim { by, line: line.clone(), at }),
        3 => minute().prop_map(|at| Command::Release { at, note: None }),
        1 => (assignee(), minute()).prop_map(|(to, at)| Command::Transfer { to, at }),
    ]
}

fn work(line: &Arc<BusinessLine>) -> impl Strategy<Value = Command> + use<> {
    let (logs, moves, sets) = (line.clone(), line.clone(), line.clone());
    let stage = prop_oneof![
        3 => Just("contacted"), 3 => Just("visiting"), 2 => Just("parked"),
        1 => Just("new"), 1 => Just("won"), 1 => Just("nowhere")
    ];
    prop_oneof![
        2 => follow_up().prop_map(move |follow_up| Command::LogFollowUp { follow_up, line: logs.clone() }),
        4 => stage.prop_map(move |to| Command::MoveStage { to: read(to), line: moves.clone() }),
        1 => need().prop_map(|need| Command::SetNeed { need }),
        2 => values().prop_map(move |values| Command::SetFields { values, line: sets.clone() }),
    ]
}

fn viewing() -> impl Strategy<Value = Command> {
    (0..5_u8, 0..2_u128, minute(), 0..60_i64).prop_map(|(what, viewing, at, now)| {
        let (viewing_id, now) = (id(viewing), crate::testing::at(now));
        match what {
            0 => Command::BookViewing { viewing_id, at, car: None, place: None, now },
            1 => Command::RebookViewing { viewing_id, at, now },
            2 => Command::CancelViewing { viewing_id },
            3 => Command::CompleteViewing { viewing_id },
            _ => Command::RecordNoShow { viewing_id },
        }
    })
}

fn outcome(line: Arc<BusinessLine>) -> impl Strategy<Value = Command> {
    (0..24_u8, 0..3_u128).prop_map(move |(what, operator)| {
        let (by, line) = (id(operator), line.clone());
        match what {
            0..5 => Command::ProposeLoss { by, reason: read("price"), note: None, line },
            5..8 => Command::ApproveLoss { by, line },
            8..12 => Command::RejectLoss { by, note: None, line },
            12 => Command::Win { amount: None, line },
            13 => Command::Invalidate { reason: read("test-data") },
            _ => Command::Reopen { line },
        }
    })
}

/// A line and commands that use it.
fn commands() -> impl Strategy<Value = (Arc<BusinessLine>, Vec<Command>)> {
    (0..2_usize).prop_flat_map(|which| {
        let line = lines()[which].clone();
        let command = prop_oneof![
            1 => capture(line.clone()),
            5 => ownership(line.clone()),
            5 => work(&line),
            8 => viewing(),
            2 => outcome(line.clone()),
        ];
        let rest = prop::collection::vec(command, 1..60);
        (Just(line.clone()), capture(line), rest)
            .prop_map(|(line, first, rest)| (line, [vec![first], rest].concat()))
    })
}

/// The state machine of the module's documentation, and staying where one is.
fn leads_to(from: Lifecycle, to: Lifecycle) -> bool {
    use Lifecycle::{Absent, Captured, Invalid, LossReview, Lost, Owned, Pooled, Won};
    match from {
        Absent => to == Captured,
        Captured => matches!(to, Captured | Pooled | Owned | Won | Invalid),
        Pooled => matches!(to, Pooled | Owned | Invalid),
        Owned => matches!(to, Owned | Pooled | Won | LossReview | Lost | Invalid),
        LossReview => matches!(to, LossReview | Owned | Lost),
        Lost | Invalid => to == Pooled,
        Won => false,
    }
}

fn an_owner_exactly_when_in_work(clue: &Clue) {
    match clue.lifecycle() {
        Lifecycle::Owned | Lifecycle::LossReview => assert!(clue.owner().is_some()),
        Lifecycle::Absent | Lifecycle::Captured | Lifecycle::Pooled => assert!(clue.owner().is_none()),
        Lifecycle::Won | Lifecycle::Lost | Lifecycle::Invalid => {}
    }
}

/// It stands in the graph, in an outcome exactly when it has that outcome.
fn a_stage_that_fits(clue: &Clue, line: &BusinessLine) {
    let stage = line.graph().stage(clue.stage().unwrap()).expect("the stage is in the graph");
    let category = stage.category;
    assert_eq!(category == StageCategory::Won, clue.lifecycle() == Lifecycle::Won);
    assert_eq!(category == StageCategory::Lost, clue.lifecycle() == Lifecycle::Lost);
}

/// What each event says of an operator is true.
fn true_of_owners(step: &Step<'_, Clue>, line: &BusinessLine) {
    let owner = step.before.owner().map(|owner| owner.operator_id);
    for event in step.events {
        match event {
            Event::Released { operator_id, .. } => assert_eq!(owner, Some(*operator_id)),
            Event::Transferred { from, to, .. } => {
                assert_eq!(owner, Some(*from));
                assert_ne!(from, to);
            }
            Event::Claimed { .. } => assert_eq!(step.before.lifecycle(), Lifecycle::Pooled),
            Event::Lost { by, approved_by, .. } => {
                assert_eq!(approved_by.is_some(), line.loss().review);
                assert!(!line.loss().other_approver || *approved_by != Some(*by));
            }
            _ => {}
        }
    }
}

/// Who gave it back last and claims it now has waited long enough.
fn the_cooldown_was_kept(history: &[Event], step: &Step<'_, Clue>, line: &BusinessLine) {
    let given_back = history.iter().rev().find_map(|event| match event {
        Event::Released { operator_id, at, .. } => Some((*operator_id, *at)),
        _ => None,
    });
    if let (Some((former, since)), [Event::Claimed { operator_id, at, .. }]) = (given_back, step.events) {
        assert!(former != *operator_id || *at >= since + line.pool().former_owner_cooldown());
    }
}

fn count(history: &[Event], what: fn(&Event) -> bool) -> usize {
    history.iter().filter(|event| what(event)).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_clue_keeps_to_its_state_machine((line, commands) in commands()) {
        let walk = Walk::<Clue>::take(&commands, |history, step| {
            each_event_says_something(&step, &["clue.follow_up_logged", "clue.fields_set"]);
            let (from, to) = (step.before.lifecycle(), step.after.lifecycle());
            assert!(leads_to(from, to), "{from:?} -> {to:?}");
            if from.has_ended() {
                assert!(matches!(step.events, [Event::Reopened { .. }]), "{:?}", step.events);
            }
            an_owner_exactly_when_in_work(step.after);
            a_stage_that_fits(step.after, &line);
            true_of_owners(&step, &line);
            the_cooldown_was_kept(history, &step, &line);
        });
        let responses = count(&walk.history, |event| matches!(event, Event::FirstResponseRecorded { .. }));
        prop_assert_eq!(responses, usize::from(walk.state.has_first_response()));
        let captures = count(&walk.history, |event| matches!(event, Event::Captured { .. }));
        prop_assert_eq!(captures, usize::from(!walk.history.is_empty()));
    }

    #[test]
    fn a_clue_moves_along_the_graph_with_what_each_stage_requires((line, commands) in commands()) {
        Walk::<Clue>::take(&commands, |history, step| {
            let [Event::StageMoved { from, to, graph_version }] = step.events else { return };
            assert_eq!(step.before.stage(), Some(from));
            assert!(line.graph().allows(from, to));
            assert_eq!(*graph_version, line.graph_version());
            let budget: FieldKey = read("budget-source");
            let value = history.iter().rev().find_map(|event| match event {
                Event::FieldsSet { values } => values.get(&budget),
                _ => None,
            });
            assert!(*to != read("visiting") || value.is_some_and(Option::is_some));
        });
    }

    #[test]
    fn a_viewing_is_booked_once_and_ends_once((_, commands) in commands()) {
        let walk = Walk::<Clue>::take(&commands, |_, _| ());
        let mut open = std::collections::BTreeMap::new();
        for event in &walk.history {
            match event {
                Event::ViewingBooked { viewing_id, .. } => {
                    prop_assert_eq!(open.insert(*viewing_id, true), None);
                }
                Event::ViewingRebooked { viewing_id, .. } => {
                    prop_assert_eq!(open.get(viewing_id), Some(&true));
                }
                Event::ViewingCancelled { viewing_id }
                | Event::ViewingCompleted { viewing_id }
                | Event::ViewingNoShowed { viewing_id } => {
                    prop_assert_eq!(open.insert(*viewing_id, false), Some(true));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn these_commands_lead_to_every_event() {
    reaches_every_event::<Clue>(&commands().prop_map(|(_, commands)| commands));
}
