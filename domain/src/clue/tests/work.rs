//! Follow-ups, stages, needs and fields of a clue that somebody works.

use super::*;
use crate::business_line::{BusinessLineCommand, FieldValueError};
use crate::clue::{Need, NeedError};
use crate::testing::{graph, line_after};
use crate::values::{Label, Money};

fn logged(follow_up: FollowUp) -> Event {
    Event::FollowUpLogged { follow_up }
}

fn responded(follow_up: &FollowUp) -> Event {
    Event::FirstResponseRecorded { follow_up_id: follow_up.id, at: follow_up.at }
}

fn attempt(channel: FollowUpChannel, outcome: FollowUpOutcome) -> FollowUp {
    FollowUp { channel, outcome, duration_seconds: None, ..call() }
}

#[test]
fn the_first_contact_that_reaches_the_customer_is_the_first_response() {
    accepted(&owned(), follow_up(call()), &[logged(call()), responded(&call())]);
    for reached in [
        attempt(FollowUpChannel::Visit, FollowUpOutcome::Connected),
        attempt(FollowUpChannel::Message, FollowUpOutcome::Replied),
        attempt(FollowUpChannel::Email, FollowUpOutcome::Replied),
    ] {
        let events = [logged(reached.clone()), responded(&reached)];
        accepted(&owned(), follow_up(reached), &events);
    }
}

#[test]
fn an_attempt_is_no_first_response() {
    let short = FollowUp { duration_seconds: Some(9), ..call() };
    for attempt in [
        short,
        attempt(FollowUpChannel::Call, FollowUpOutcome::Connected),
        attempt(FollowUpChannel::Call, FollowUpOutcome::NoAnswer),
        attempt(FollowUpChannel::Call, FollowUpOutcome::Declined),
        attempt(FollowUpChannel::Call, FollowUpOutcome::WrongNumber),
        attempt(FollowUpChannel::Message, FollowUpOutcome::Sent),
        attempt(FollowUpChannel::Email, FollowUpOutcome::Sent),
    ] {
        accepted(&owned(), follow_up(attempt.clone()), &[logged(attempt)]);
    }
}

#[test]
fn the_first_response_is_recorded_once_even_after_reopening() {
    let reached = then::<Clue>(&owned(), follow_up(call()));
    accepted(&reached, follow_up(call()), &[logged(call())]);
    assert!(fold::<Clue>(&reached).has_first_response() && !fold::<Clue>(&owned()).has_first_response());
    let reopened = [invalidate(), reopen(), assign(OTHER)]
        .into_iter()
        .fold(reached, |past, command| then::<Clue>(&past, command));
    accepted(&reopened, follow_up(call()), &[logged(call())]);
}

#[test]
fn the_next_contact_does_not_lie_before_this_one() {
    let backwards = FollowUp { next_at: Some(at(4)), ..call() };
    refused(&owned(), follow_up(backwards), Error::NextFollowUpInPast);
    let open_ended = FollowUp { next_at: None, ..call() };
    accepted(&owned(), follow_up(open_ended.clone()), &[logged(open_ended.clone()), responded(&open_ended)]);
}

#[test]
fn contacts_are_logged_while_somebody_owns_the_clue() {
    accepted(&in_review(), follow_up(call()), &[logged(call()), responded(&call())]);
    refused_without_owner(&follow_up(call()));
    refused_after_the_end(&follow_up(call()));
}

#[test]
fn a_clue_moves_along_the_graph_and_says_nothing_twice() {
    let moved = Event::StageMoved { from: read("new"), to: read("contacted"), graph_version: 1 };
    accepted(&owned(), move_to("contacted"), &[moved]);
    let contacted = then::<Clue>(&owned(), move_to("contacted"));
    assert_eq!(fold::<Clue>(&contacted).stage(), Some(&read("contacted")));
    accepted(&contacted, move_to("contacted"), &[]);
}

#[test]
fn a_clue_moves_only_where_the_graph_allows() {
    refused(&owned(), move_to("nowhere"), Error::StageUnknown { stage: read("nowhere") });
    refused(&owned(), move_to("won"), Error::StageIsOutcome { stage: read("won") });
    refused(&owned(), move_to("lost"), Error::StageIsOutcome { stage: read("lost") });
    refused(
        &owned(),
        move_to("parked"),
        Error::StageMoveNotAllowed { from: read("new"), to: read("parked") },
    );
}

#[test]
fn a_stage_is_entered_with_what_it_requires() {
    let contacted = then::<Clue>(&owned(), move_to("contacted"));
    let missing = Error::FieldRequired { field: read("budget-source"), stage: read("visiting") };
    refused(&contacted, move_to("visiting"), missing.clone());
    let value = Some(FieldValue::Choice(read("loan")));
    let filled = then::<Clue>(&contacted, set_fields(&[("budget-source", value)]));
    let moved = Event::StageMoved { from: read("contacted"), to: read("visiting"), graph_version: 1 };
    accepted(&filled, move_to("visiting"), &[moved]);
    let cleared = then::<Clue>(&filled, set_fields(&[("budget-source", None)]));
    refused(&cleared, move_to("visiting"), missing);
}

#[test]
fn a_clue_whose_stage_left_the_graph_may_enter_any_stage_that_is_worked() {
    let contacted = then::<Clue>(&owned(), move_to("contacted"));
    let parked = then::<Clue>(&contacted, move_to("parked"));
    let mut shorter = graph();
    shorter.stages.retain(|stage| stage.key != read("parked"));
    shorter.moves.truncate(2);
    let line = line_after(BusinessLineCommand::PublishStageGraph { graph: shorter });
    let moved = Event::StageMoved { from: read("parked"), to: read("new"), graph_version: 2 };
    accepted(&parked, Command::MoveStage { to: read("new"), line: line.clone() }, &[moved]);
    refused(
        &parked,
        Command::MoveStage { to: read("won"), line },
        Error::StageIsOutcome { stage: read("won") },
    );
}

#[test]
fn only_a_clue_in_work_moves() {
    refused_without_owner(&move_to("contacted"));
    refused(&in_review(), move_to("contacted"), Error::InLossReview);
    refused_after_the_end(&move_to("contacted"));
}

#[test]
fn a_need_is_recorded_while_the_clue_lives_and_says_nothing_twice() {
    let set = || Command::SetNeed { need: need() };
    for past in [captured(), pooled(), owned(), in_review()] {
        accepted(&past, set(), &[Event::NeedUpdated { need: need() }]);
        accepted(&then::<Clue>(&past, set()), set(), &[]);
    }
    refused_after_the_end(&set());
}

#[test]
fn a_need_that_makes_no_sense_is_refused() {
    let money = |minor, currency| Some(Money { minor, currency: read(currency) });
    let names = |count| vec![Label::new("宝马").unwrap(); count];
    let cases = [
        (Need::default(), NeedError::Empty),
        (Need { budget_min: money(2, "CNY"), budget_max: money(1, "CNY"), ..need() }, NeedError::Budget),
        (Need { budget_min: money(1, "CNY"), budget_max: money(2, "USD"), ..need() }, NeedError::Budget),
        (Need { budget_max: money(-1, "CNY"), ..need() }, NeedError::Budget),
        (Need { brands: names(21), ..need() }, NeedError::TooMany),
        (Need { models: names(21), ..need() }, NeedError::TooMany),
        (Need { body_styles: vec![read("suv"); 21], ..need() }, NeedError::TooMany),
        (Need { registered_since: Some(1949), ..need() }, NeedError::Year),
        (Need { registered_since: Some(2101), ..need() }, NeedError::Year),
    ];
    for (need, reason) in cases {
        refused(&owned(), Command::SetNeed { need }, Error::Need { reason });
    }
    let fullest = Need {
        budget_min: money(0, "CNY"),
        budget_max: money(0, "CNY"),
        brands: names(20),
        registered_since: Some(1950),
        ..need()
    };
    accepted(&owned(), Command::SetNeed { need: fullest.clone() }, &[Event::NeedUpdated { need: fullest }]);
}

#[test]
fn fields_are_set_while_the_clue_lives() {
    let set = || set_fields(&[("owners", Some(FieldValue::Number(2.into())))]);
    let event = Event::FieldsSet { values: [(read("owners"), Some(FieldValue::Number(2.into())))].into() };
    for past in [captured(), pooled(), owned(), in_review()] {
        accepted(&past, set(), std::slice::from_ref(&event));
    }
    refused_after_the_end(&set());
}

#[test]
fn clearing_a_field_without_a_value_says_nothing() {
    let clear = || set_fields(&[("owners", None)]);
    accepted(&owned(), clear(), &[]);
    accepted(&owned(), set_fields(&[]), &[]);
    let set = then::<Clue>(&owned(), set_fields(&[("owners", Some(FieldValue::Number(2.into())))]));
    accepted(&set, clear(), &[Event::FieldsSet { values: [(read("owners"), None)].into() }]);
    accepted(&then::<Clue>(&set, clear()), clear(), &[]);
}

#[test]
fn a_field_takes_only_what_its_line_describes() {
    let flag = || Some(FieldValue::Flag(true));
    for value in [flag(), None] {
        refused(
            &owned(),
            set_fields(&[("nothing", value), ("trade-in", flag())]),
            Error::FieldUnknown { field: read("nothing") },
        );
    }
    let reason = FieldValueError::Range { min: Some(0.into()), max: Some(9.into()) };
    refused(
        &owned(),
        set_fields(&[("owners", Some(FieldValue::Number(10.into()))), ("trade-in", flag())]),
        Error::FieldValue { field: read("owners"), reason },
    );
}
