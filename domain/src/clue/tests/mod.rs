//! Given, when, then.

mod capture;
mod outcome;
mod ownership;
mod viewings;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Assignee, AssigneeStanding, Clue, ClueCommand as Command, ClueError as Error, ClueEvent as Event,
    CustomerStanding, FollowUp, FollowUpChannel, FollowUpOutcome, Lifecycle, Source,
};
use crate::business_line::{BusinessLine, FieldValue};
use crate::personal::Personal;
use crate::testing::{at, fold, given, id, line, read, then};
use crate::values::FieldKey;

/// The operator who owns the clue in most tests.
const OWNER: u128 = 1;
/// Another operator.
const OTHER: u128 = 2;

fn text(text: &str) -> Personal<String> {
    Personal::Clear(text.to_owned())
}

fn source() -> Source {
    Source { channel: read("website"), key: None, campaign: None }
}

fn capture(customer: CustomerStanding, line: Arc<BusinessLine>) -> Command {
    Command::Capture {
        customer_id: id(9),
        customer,
        line_key: read("used-car-sales"),
        line,
        source: source(),
        need: None,
        fields: BTreeMap::new(),
        at: at(0),
    }
}

fn assignee(operator: u128) -> Assignee {
    Assignee { operator_id: id(operator), team_id: Some(id(7)), standing: AssigneeStanding::Active }
}

/// Who may have no clues, and why.
fn unfit() -> [(Assignee, Error); 3] {
    [
        (AssigneeStanding::Unknown, Error::OperatorUnknown),
        (AssigneeStanding::Suspended, Error::OperatorSuspended),
        (AssigneeStanding::OutsideLine, Error::OperatorOutsideLine),
    ]
    .map(|(standing, refusal)| (Assignee { standing, ..assignee(OTHER) }, refusal))
}

fn assign(to: u128) -> Command {
    Command::Assign { to: assignee(to), at: at(2) }
}

fn claim(by: u128, minute: i64) -> Command {
    Command::Claim { by: assignee(by), line: line(), at: at(minute) }
}

fn release() -> Command {
    Command::Release { at: at(3), note: Some(text("客户出差")) }
}

fn transfer(to: u128) -> Command {
    Command::Transfer { to: assignee(to), at: at(4) }
}

/// An answered call of ten seconds.
fn call() -> FollowUp {
    FollowUp {
        id: id(20),
        channel: FollowUpChannel::Call,
        outcome: FollowUpOutcome::Connected,
        duration_seconds: Some(10),
        at: at(5),
        next_at: Some(at(65)),
        note: Some(text("周六看车")),
    }
}

fn follow_up(follow_up: FollowUp) -> Command {
    Command::LogFollowUp { follow_up, line: line() }
}

fn move_to(stage: &str) -> Command {
    Command::MoveStage { to: read(stage), line: line() }
}

fn set_fields(values: &[(&str, Option<FieldValue>)]) -> Command {
    let values = values.iter().map(|(key, value)| (read::<FieldKey>(key), value.clone())).collect();
    Command::SetFields { values, line: line() }
}

fn book(viewing: u128, minute: i64) -> Command {
    Command::BookViewing {
        viewing_id: id(viewing),
        at: at(minute),
        car: Some(read("奔驰GLB 2020款")),
        place: Some(text("朝阳店")),
        now: at(10),
    }
}

fn rebook(viewing: u128, minute: i64) -> Command {
    Command::RebookViewing { viewing_id: id(viewing), at: at(minute), now: at(10) }
}

fn cancel(viewing: u128) -> Command {
    Command::CancelViewing { viewing_id: id(viewing) }
}

fn complete(viewing: u128) -> Command {
    Command::CompleteViewing { viewing_id: id(viewing) }
}

fn no_show(viewing: u128) -> Command {
    Command::RecordNoShow { viewing_id: id(viewing) }
}

fn propose(by: u128, reason: &str) -> Command {
    Command::ProposeLoss { by: id(by), reason: read(reason), note: Some(text("太贵")), line: line() }
}

fn approve(by: u128) -> Command {
    Command::ApproveLoss { by: id(by), line: line() }
}

fn reject(by: u128) -> Command {
    Command::RejectLoss { by: id(by), note: None, line: line() }
}

fn win() -> Command {
    Command::Win { amount: None, line: line() }
}

fn invalidate() -> Command {
    Command::Invalidate { reason: read("test-data") }
}

fn reopen() -> Command {
    Command::Reopen { line: line() }
}

/// Every command but capture, each of which some state accepts.
fn later_commands() -> Vec<Command> {
    vec![
        Command::Pool,
        assign(OWNER),
        claim(OWNER, 2),
        release(),
        transfer(OTHER),
        follow_up(call()),
        move_to("contacted"),
        Command::SetNeed { need: need() },
        set_fields(&[("trade-in", Some(FieldValue::Flag(true)))]),
        book(30, 60),
        rebook(30, 61),
        cancel(30),
        complete(30),
        no_show(30),
        propose(OWNER, "price"),
        approve(OTHER),
        reject(OTHER),
        win(),
        invalidate(),
        reopen(),
    ]
}

fn need() -> super::Need {
    super::Need { intent: Some(super::Intent::Buy), ..super::Need::default() }
}

/// Nothing but captured.
fn captured() -> Vec<Event> {
    then::<Clue>(&[], capture(CustomerStanding::Registered, line()))
}

fn pooled() -> Vec<Event> {
    then::<Clue>(&captured(), Command::Pool)
}

/// Owned by [`OWNER`] since minute 2.
fn owned() -> Vec<Event> {
    then::<Clue>(&pooled(), claim(OWNER, 2))
}

/// Given back by [`OWNER`] at minute 3.
fn released() -> Vec<Event> {
    then::<Clue>(&owned(), release())
}

fn in_review() -> Vec<Event> {
    then::<Clue>(&owned(), propose(OWNER, "price"))
}

fn lost() -> Vec<Event> {
    then::<Clue>(&in_review(), approve(OTHER))
}

fn won() -> Vec<Event> {
    then::<Clue>(&owned(), win())
}

fn invalid() -> Vec<Event> {
    then::<Clue>(&owned(), invalidate())
}

/// Each way in which a clue ends, with the word for it.
fn ended() -> [(Vec<Event>, &'static str); 3] {
    [(won(), "won"), (lost(), "lost"), (invalid(), "invalid")]
}

fn accepted(past: &[Event], command: Command, events: &[Event]) {
    given::<Clue>(past).when(command).then_expect_events(events.to_vec());
}

fn refused(past: &[Event], command: Command, refusal: Error) {
    given::<Clue>(past).when(command).then_expect_error(refusal);
}

/// The command is refused in these states because nobody owns the clue.
fn refused_without_owner(command: &Command) {
    for past in [captured(), pooled()] {
        refused(&past, command.clone(), Error::NotOwned);
    }
}

/// The command is refused once the clue has ended.
fn refused_after_the_end(command: &Command) {
    for (past, lifecycle) in ended() {
        refused(&past, command.clone(), Error::Ended { lifecycle });
    }
}

#[test]
fn nothing_but_capture_can_be_asked_of_a_clue_that_is_not_there() {
    for command in later_commands() {
        refused(&[], command, Error::NotFound);
    }
}

#[test]
fn the_states_of_these_tests_are_what_they_are_called() {
    let lifecycle = |events: &[Event]| fold::<Clue>(events).lifecycle();
    assert_eq!(lifecycle(&[]), Lifecycle::Absent);
    assert_eq!(lifecycle(&captured()), Lifecycle::Captured);
    assert_eq!(lifecycle(&pooled()), Lifecycle::Pooled);
    assert_eq!(lifecycle(&owned()), Lifecycle::Owned);
    assert_eq!(lifecycle(&released()), Lifecycle::Pooled);
    assert_eq!(lifecycle(&in_review()), Lifecycle::LossReview);
    assert_eq!(lifecycle(&lost()), Lifecycle::Lost);
    assert_eq!(lifecycle(&won()), Lifecycle::Won);
    assert_eq!(lifecycle(&invalid()), Lifecycle::Invalid);
}
