//! Policy edits publish versions, and only rules that make sense come into force.

use std::time::Duration;

use super::{BusinessLine, Command, Error, Event};
use crate::business_line::{
    FirstResponsePolicy, LossPolicy, Policy, PolicyKind, PoolPolicy, ScorePolicy, Signal, SignalWeight,
};
use crate::testing::{fold, given, line_events, policies, reasons, then};

fn publish(policy: Policy) -> Command {
    Command::PublishPolicy { policy }
}

fn refused(policy: Policy, refusal: Error) {
    given::<BusinessLine>(&line_events()).when(publish(policy)).then_expect_error(refusal);
}

fn score(half_life_hours: u32, signals: &[Signal]) -> Policy {
    let weights = signals.iter().map(|&signal| SignalWeight { signal, points: 1 }).collect();
    Policy::Score(ScorePolicy { half_life_hours, weights })
}

#[test]
fn each_kind_of_policy_counts_its_own_versions_and_says_nothing_twice() {
    let changed = [
        Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: 5 }),
        Policy::FirstResponse(FirstResponsePolicy { min_call_seconds: 0, due_minutes: 1 }),
        Policy::Loss(LossPolicy { review: false, other_approver: false, reasons: vec![] }),
        score(1, &Signal::ALL),
    ];
    for (same, policy) in policies().into_iter().zip(changed) {
        let kind = policy.kind();
        given::<BusinessLine>(&line_events()).when(publish(same)).then_expect_events(vec![]);
        let published = Event::PolicyPublished { version: 2, policy: policy.clone() };
        given::<BusinessLine>(&line_events())
            .when(publish(policy.clone()))
            .then_expect_events(vec![published]);
        let past = then::<BusinessLine>(&line_events(), publish(policy.clone()));
        given::<BusinessLine>(&past).when(publish(policy)).then_expect_events(vec![]);
        let line = fold::<BusinessLine>(&past);
        let versions = [PolicyKind::Pool, PolicyKind::FirstResponse, PolicyKind::Loss, PolicyKind::Score]
            .map(|other| line.policy_version(other) == if other == kind { 2 } else { 1 });
        assert_eq!(versions, [true; 4], "{kind:?}");
    }
}

#[test]
fn rules_that_equal_the_built_in_ones_are_published_the_first_time() {
    let bare = &line_events()[..2];
    let policy = Policy::Pool(PoolPolicy::default());
    let published = Event::PolicyPublished { version: 1, policy: policy.clone() };
    given::<BusinessLine>(bare).when(publish(policy.clone())).then_expect_events(vec![published]);
    given::<BusinessLine>(&then::<BusinessLine>(bare, publish(policy.clone())))
        .when(publish(policy))
        .then_expect_events(vec![]);
}

#[test]
fn a_first_response_is_due_after_a_minute_or_later() {
    refused(
        Policy::FirstResponse(FirstResponsePolicy { min_call_seconds: 0, due_minutes: 0 }),
        Error::PolicyOutOfRange { what: "a first response is due after 1 minute or later" },
    );
}

#[test]
fn another_approver_needs_a_review() {
    refused(
        Policy::Loss(LossPolicy { review: false, other_approver: true, reasons: vec![] }),
        Error::PolicyOutOfRange { what: "another approver needs a review" },
    );
}

#[test]
fn a_loss_reason_is_named_once() {
    refused(
        Policy::Loss(LossPolicy {
            review: true,
            other_approver: false,
            reasons: reasons(&["price", "other", "price"]),
        }),
        Error::PolicyTwice { what: "loss reason", key: "price".to_owned() },
    );
}

#[test]
fn a_half_life_is_an_hour_to_ten_years() {
    let refusal = || Error::PolicyOutOfRange { what: "a half-life is 1 hour to 10 years" };
    refused(score(0, &[]), refusal());
    refused(score(24 * 3_653 + 1, &[]), refusal());
    for hours in [1, 24 * 3_653] {
        let published = Event::PolicyPublished { version: 2, policy: score(hours, &[]) };
        given::<BusinessLine>(&line_events())
            .when(publish(score(hours, &[])))
            .then_expect_events(vec![published]);
    }
}

#[test]
fn a_signal_is_weighed_once() {
    refused(
        score(168, &[Signal::DealWon, Signal::ViewingBooked, Signal::DealWon]),
        Error::PolicyTwice { what: "signal", key: "deal_won".to_owned() },
    );
}

#[test]
fn every_signal_and_kind_has_the_word_that_its_json_has() {
    for signal in Signal::ALL {
        assert_eq!(serde_json::to_value(signal).unwrap(), signal.as_str());
    }
    for policy in policies() {
        assert_eq!(serde_json::to_value(policy.kind()).unwrap(), policy.kind().as_str());
    }
}

#[test]
fn cooldown_minutes_are_minutes() {
    let policy = PoolPolicy { former_owner_cooldown_minutes: 60 };
    assert_eq!(policy.former_owner_cooldown(), Duration::from_hours(1));
}
