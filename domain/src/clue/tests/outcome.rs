//! How a clue ends, and how it begins again.

use std::sync::Arc;

use super::*;
use crate::business_line::{BusinessLineCommand, LossPolicy, Policy};
use crate::testing::{line_after, line_requiring};
use crate::values::Money;

/// The small line under another loss policy.
fn line_losing(review: bool, other_approver: bool) -> Arc<BusinessLine> {
    let policy = Policy::Loss(LossPolicy { review, other_approver, reasons: vec![] });
    line_after(BusinessLineCommand::PublishPolicy { policy })
}

fn propose_in(line: Arc<BusinessLine>) -> Command {
    Command::ProposeLoss { by: id(OWNER), reason: read("any-reason"), note: None, line }
}

fn lost_event(approved_by: Option<u128>) -> Event {
    Event::Lost {
        by: id(OWNER),
        approved_by: approved_by.map(id),
        reason: read("price"),
        stage: read("lost"),
        note: None,
    }
}

#[test]
fn a_loss_waits_for_review_when_the_line_demands_one() {
    let proposed = Event::LossProposed { by: id(OWNER), reason: read("price"), note: Some(text("太贵")) };
    accepted(&owned(), propose(OWNER, "price"), &[proposed]);
    assert_eq!(fold::<Clue>(&in_review()).owner().unwrap().operator_id, id(OWNER));
    refused(&in_review(), propose(OWNER, "price"), Error::InLossReview);
}

#[test]
fn a_loss_is_final_at_once_when_the_line_demands_no_review() {
    let lost = Event::Lost {
        by: id(OWNER),
        approved_by: None,
        reason: read("any-reason"),
        stage: read("lost"),
        note: None,
    };
    accepted(&owned(), propose_in(line_losing(false, false)), &[lost]);
}

#[test]
fn a_loss_has_a_reason_from_the_list_when_there_is_one() {
    refused(&owned(), propose(OWNER, "weather"), Error::LossReasonUnknown { reason: read("weather") });
    let proposed = Event::LossProposed { by: id(OWNER), reason: read("any-reason"), note: None };
    accepted(&owned(), propose_in(line_losing(true, true)), &[proposed]);
}

#[test]
fn only_a_clue_in_work_is_proposed_as_lost() {
    refused_without_owner(&propose(OWNER, "price"));
    refused_after_the_end(&propose(OWNER, "price"));
}

#[test]
fn an_approved_loss_ends_the_clue() {
    accepted(&in_review(), approve(OTHER), &[lost_event(Some(OTHER))]);
    let clue = fold::<Clue>(&lost());
    assert_eq!(clue.lifecycle(), Lifecycle::Lost);
    assert_eq!(clue.stage(), Some(&read("lost")));
    refused(&lost(), approve(OTHER), Error::Ended { lifecycle: "lost" });
}

#[test]
fn a_rejected_loss_gives_the_clue_back_to_its_owner() {
    accepted(&in_review(), reject(OTHER), &[Event::LossRejected { by: id(OTHER), note: None }]);
    let rejected = then::<Clue>(&in_review(), reject(OTHER));
    let clue = fold::<Clue>(&rejected);
    assert_eq!((clue.lifecycle(), clue.owner().unwrap().operator_id), (Lifecycle::Owned, id(OWNER)));
    for command in [reject(OTHER), approve(OTHER)] {
        refused(&rejected, command, Error::NotInLossReview);
    }
}

#[test]
fn nobody_decides_on_an_own_proposal_when_the_line_forbids_it() {
    for command in [approve(OWNER), reject(OWNER)] {
        refused(&in_review(), command, Error::ApproverIsProposer);
    }
    let command = Command::ApproveLoss { by: id(OWNER), line: line_losing(true, false) };
    accepted(&in_review(), command, &[lost_event(Some(OWNER))]);
}

#[test]
fn there_is_no_decision_without_a_proposal() {
    for command in [approve(OTHER), reject(OTHER)] {
        for past in [captured(), pooled(), owned()] {
            refused(&past, command.clone(), Error::NotInLossReview);
        }
        refused_after_the_end(&command);
    }
}

#[test]
fn a_deal_ends_the_clue_once() {
    let amount = Some(Money { minor: 28_180_000, currency: read("CNY") });
    accepted(&owned(), Command::Win { amount, line: line() }, &[Event::Won { stage: read("won"), amount }]);
    let clue = fold::<Clue>(&won());
    assert_eq!((clue.lifecycle(), clue.stage()), (Lifecycle::Won, Some(&read("won"))));
    assert_eq!(clue.owner().unwrap().operator_id, id(OWNER));
    refused_after_the_end(&win());
}

#[test]
fn a_deal_may_have_been_done_before_the_clue_came_in() {
    accepted(&captured(), win(), &[Event::Won { stage: read("won"), amount: None }]);
}

#[test]
fn a_clue_in_the_pool_or_under_review_is_not_won() {
    refused(&pooled(), win(), Error::NotOwned);
    refused(&in_review(), win(), Error::InLossReview);
}

#[test]
fn an_amount_is_not_negative_and_in_the_currency_of_the_line() {
    for (minor, currency) in [(-1, "CNY"), (1, "USD")] {
        let amount = Some(Money { minor, currency: read(currency) });
        refused(&owned(), Command::Win { amount, line: line() }, Error::Amount);
    }
    let amount = Some(Money { minor: 0, currency: read("CNY") });
    let won = Event::Won { stage: read("won"), amount };
    accepted(&owned(), Command::Win { amount, line: line() }, &[won]);
}

#[test]
fn the_stages_of_won_and_lost_clues_are_entered_with_what_they_require() {
    let missing = |stage| Error::FieldRequired { field: read("trade-in"), stage: read(stage) };
    let win = || Command::Win { amount: None, line: line_requiring("trade-in", "won") };
    let lose = || Command::ProposeLoss {
        by: id(OWNER),
        reason: read("price"),
        note: None,
        line: line_requiring("trade-in", "lost"),
    };
    refused(&owned(), win(), missing("won"));
    refused(&owned(), lose(), missing("lost"));
    let filled = then::<Clue>(&owned(), set_fields(&[("trade-in", Some(FieldValue::Flag(false)))]));
    accepted(&filled, win(), &[Event::Won { stage: read("won"), amount: None }]);
    let proposed = Event::LossProposed { by: id(OWNER), reason: read("price"), note: None };
    accepted(&filled, lose(), &[proposed]);
}

#[test]
fn a_clue_that_is_not_real_is_invalidated_once() {
    for past in [captured(), pooled(), owned()] {
        accepted(&past, invalidate(), &[Event::Invalidated { reason: read("test-data") }]);
        accepted(&then::<Clue>(&past, invalidate()), invalidate(), &[]);
    }
}

#[test]
fn a_clue_under_review_or_ended_is_not_invalidated() {
    refused(&in_review(), invalidate(), Error::InLossReview);
    refused(&won(), invalidate(), Error::Ended { lifecycle: "won" });
    refused(&lost(), invalidate(), Error::Ended { lifecycle: "lost" });
}

#[test]
fn a_lost_or_invalid_clue_begins_again_in_the_pool() {
    for past in [lost(), invalid()] {
        accepted(&past, reopen(), &[Event::Reopened { stage: read("new"), graph_version: 1 }]);
        let reopened = then::<Clue>(&past, reopen());
        let clue = fold::<Clue>(&reopened);
        assert_eq!(
            (clue.lifecycle(), clue.stage(), clue.owner()),
            (Lifecycle::Pooled, Some(&read("new")), None)
        );
        refused(&reopened, reopen(), Error::NotReopenable);
    }
}

#[test]
fn nothing_but_a_lost_or_invalid_clue_is_reopened() {
    for past in [captured(), pooled(), owned(), in_review(), won()] {
        refused(&past, reopen(), Error::NotReopenable);
    }
}

#[test]
fn without_a_stage_graph_no_clue_ends_or_begins_again() {
    let bare = Arc::new(BusinessLine::default());
    refused(&owned(), Command::Win { amount: None, line: bare.clone() }, Error::LineClosed);
    refused(&owned(), propose_in(bare.clone()), Error::LineClosed);
    refused(&lost(), Command::Reopen { line: bare }, Error::LineClosed);
}

#[test]
fn after_an_end_only_reopening_leads_to_anything() {
    for (past, _) in ended() {
        let clue = fold::<Clue>(&past);
        for command in later_commands() {
            let reopens = matches!(command, Command::Reopen { .. });
            let led_to = crate::Aggregate::decide(&clue, command).unwrap_or_default();
            assert!(reopens || led_to.is_empty(), "{led_to:?}");
        }
    }
}
