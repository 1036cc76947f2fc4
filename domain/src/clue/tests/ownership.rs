//! Who has a clue: of many claims one wins, and a live clue in work has one owner.

use std::sync::Arc;

use super::*;

fn assigned() -> Event {
    Event::Assigned { operator_id: id(OWNER), team_id: Some(id(7)), at: at(2) }
}

fn claimed(by: u128, minute: i64) -> Event {
    Event::Claimed { operator_id: id(by), team_id: Some(id(7)), at: at(minute) }
}

fn not_pooled(owner: Option<u128>, minute: i64) -> Error {
    Error::NotPooled { owner: owner.map(id), since: owner.map(|_| at(minute)) }
}

#[test]
fn a_captured_or_pooled_clue_is_assigned_once() {
    for past in [captured(), pooled(), released()] {
        accepted(&past, assign(OWNER), &[assigned()]);
        let assigned = then::<Clue>(&past, assign(OWNER));
        accepted(&assigned, assign(OWNER), &[]);
        let owner = fold::<Clue>(&assigned).owner().unwrap();
        assert_eq!((owner.operator_id, owner.team_id, owner.since), (id(OWNER), Some(id(7)), at(2)));
    }
}

#[test]
fn a_clue_that_somebody_owns_is_not_assigned() {
    refused(&owned(), assign(OTHER), Error::AlreadyOwned { owner: id(OWNER) });
    for operator in [OWNER, OTHER] {
        refused(&in_review(), assign(operator), Error::AlreadyOwned { owner: id(OWNER) });
    }
    refused_after_the_end(&assign(OWNER));
}

#[test]
fn a_pooled_clue_is_claimed_once() {
    accepted(&pooled(), claim(OWNER, 2), &[claimed(OWNER, 2)]);
    accepted(&owned(), claim(OWNER, 3), &[]);
}

#[test]
fn the_loser_of_a_claim_learns_who_won_and_when() {
    refused(&owned(), claim(OTHER, 2), not_pooled(Some(OWNER), 2));
    refused(&in_review(), claim(OTHER, 5), not_pooled(Some(OWNER), 2));
    let transferred = then::<Clue>(&owned(), transfer(OTHER));
    refused(&transferred, claim(OWNER, 5), not_pooled(Some(OTHER), 4));
}

#[test]
fn only_a_pooled_clue_is_claimed() {
    refused(&captured(), claim(OWNER, 2), not_pooled(None, 0));
    refused(&in_review(), claim(OWNER, 5), not_pooled(Some(OWNER), 2));
    refused_after_the_end(&claim(OTHER, 5));
}

#[test]
fn a_former_owner_waits_and_nobody_else_does() {
    let until = at(63);
    for minute in [3, 62] {
        refused(&released(), claim(OWNER, minute), Error::Cooldown { until });
        accepted(&released(), claim(OTHER, minute), &[claimed(OTHER, minute)]);
    }
    accepted(&released(), claim(OWNER, 63), &[claimed(OWNER, 63)]);
}

#[test]
fn without_a_cooldown_a_former_owner_claims_at_once() {
    let line = Arc::new(fold::<BusinessLine>(&crate::testing::line_events()[..2]));
    let command = Command::Claim { by: assignee(OWNER), line, at: at(3) };
    accepted(&released(), command, &[claimed(OWNER, 3)]);
}

#[test]
fn a_cooldown_does_not_keep_a_lead_from_assigning_to_the_former_owner() {
    accepted(&released(), assign(OWNER), &[assigned()]);
}

#[test]
fn operators_who_may_have_no_clues_get_none() {
    for (to, refusal) in unfit() {
        refused(&pooled(), Command::Assign { to, at: at(2) }, refusal.clone());
        refused(&pooled(), Command::Claim { by: to, line: line(), at: at(2) }, refusal.clone());
        refused(&owned(), Command::Transfer { to, at: at(4) }, refusal);
    }
}

#[test]
fn an_owner_gives_a_clue_back_once() {
    let event = Event::Released { operator_id: id(OWNER), at: at(3), note: Some(text("客户出差")) };
    accepted(&owned(), release(), &[event]);
    assert_eq!(fold::<Clue>(&released()).owner(), None);
    refused(&released(), release(), Error::AlreadyPooled);
}

#[test]
fn a_clue_that_nobody_works_is_not_given_back() {
    refused(&captured(), release(), Error::NotOwned);
    refused(&pooled(), release(), Error::AlreadyPooled);
    refused(&in_review(), release(), Error::InLossReview);
    refused_after_the_end(&release());
}

#[test]
fn a_clue_goes_from_one_operator_to_another_once() {
    let event = Event::Transferred { from: id(OWNER), to: id(OTHER), team_id: Some(id(7)), at: at(4) };
    accepted(&owned(), transfer(OTHER), &[event]);
    let transferred = then::<Clue>(&owned(), transfer(OTHER));
    accepted(&transferred, transfer(OTHER), &[]);
    let owner = fold::<Clue>(&transferred).owner().unwrap();
    assert_eq!((owner.operator_id, owner.since), (id(OTHER), at(4)));
}

#[test]
fn only_a_clue_in_work_is_transferred() {
    refused_without_owner(&transfer(OTHER));
    refused(&in_review(), transfer(OTHER), Error::InLossReview);
    refused_after_the_end(&transfer(OTHER));
}

#[test]
fn a_transfer_does_not_make_the_cooldown_of_the_new_owner() {
    let transferred = then::<Clue>(&owned(), transfer(OTHER));
    let given_back = then::<Clue>(&transferred, Command::Release { at: at(5), note: None });
    accepted(&given_back, claim(OWNER, 6), &[claimed(OWNER, 6)]);
    refused(&given_back, claim(OTHER, 6), Error::Cooldown { until: at(65) });
}
