//! Given, when, then.

use super::{ClueAttempts, ClueAttemptsCommand as Command, ClueAttemptsEvent as Event};
use crate::testing::{at, fold, given, id, read};

fn record(minute: i64, winner: Option<u128>) -> Command {
    Command::RecordRefusedClaim {
        operator_id: id(1),
        at: at(minute),
        reason: read("clue_not_pooled"),
        winner: winner.map(id),
        won_at: winner.map(|_| at(0)),
    }
}

fn refused(minute: i64, winner: Option<u128>) -> Event {
    Event::ClaimRefused {
        operator_id: id(1),
        at: at(minute),
        reason: read("clue_not_pooled"),
        winner: winner.map(id),
        won_at: winner.map(|_| at(0)),
    }
}

#[test]
fn a_refused_claim_is_recorded_with_who_had_won_and_when() {
    given::<ClueAttempts>(&[]).when(record(1, Some(2))).then_expect_events(vec![refused(1, Some(2))]);
}

#[test]
fn a_refused_claim_is_recorded_when_nobody_had_won() {
    given::<ClueAttempts>(&[]).when(record(1, None)).then_expect_events(vec![refused(1, None)]);
}

#[test]
fn every_attempt_is_a_fact_of_its_own_even_the_same_one_twice() {
    let past = [refused(1, Some(2))];
    given::<ClueAttempts>(&past).when(record(1, Some(2))).then_expect_events(vec![refused(1, Some(2))]);
    assert_eq!(fold::<ClueAttempts>(&[refused(1, None), refused(1, None)]).refused(), 2);
}
