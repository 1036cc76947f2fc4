//! What the events of a clue say that its columns have no place for.
//!
//! No event is left out by a wildcard: a new one does not compile before somebody has said here what
//! it states, if only that the columns say it all.

use domain::business_line::FieldValue;
use domain::clue::{ClueEvent, FollowUp, FollowUpChannel, FollowUpOutcome, Need};
use domain::clue_attempts::ClueAttemptsEvent;
use domain::ids::ViewingId;
use domain::personal::Personal;

use super::value::{Stated, Stating};

/// Custom fields are values of these names.
pub(super) const FIELDS: &str = "fields.";

fn text(note: Option<&Personal<String>>) -> Option<Stated> {
    note.map(Stated::text)
}

fn stating<const N: usize>(values: [(&str, Option<Stated>); N]) -> Stating {
    values.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

/// What an event of a clue states.
pub(super) fn clue_states(fact: &ClueEvent) -> Stating {
    match fact {
        // The columns say it all.
        ClueEvent::Captured { .. }
        | ClueEvent::Pooled {}
        | ClueEvent::Assigned { .. }
        | ClueEvent::Claimed { .. }
        | ClueEvent::Transferred { .. }
        | ClueEvent::StageMoved { .. }
        | ClueEvent::Won { .. } => Vec::new(),
        ClueEvent::Released { note, .. } => stating([("release.note", text(note.as_ref()))]),
        ClueEvent::FollowUpLogged { follow_up } => follow_up_states(follow_up),
        ClueEvent::FirstResponseRecorded { follow_up_id, .. } => {
            stating([("firstResponse.followUpId", Some(Stated::word(follow_up_id)))])
        }
        ClueEvent::NeedUpdated { need } => need_states(need),
        ClueEvent::FieldsSet { values } => {
            let state = |value: &Option<FieldValue>| value.as_ref().map(Stated::from);
            values.iter().map(|(field, value)| (format!("{FIELDS}{field}"), state(value))).collect()
        }
        ClueEvent::ViewingBooked { viewing_id, at, car, place } => {
            let mut states = viewing(*viewing_id, "booked");
            let of = |part: &str| format!("viewings.{viewing_id}.{part}");
            states.push((of("at"), Some(Stated::Instant(*at))));
            states.push((of("car"), car.as_ref().map(Stated::word)));
            states.push((of("place"), text(place.as_ref())));
            states
        }
        ClueEvent::ViewingRebooked { viewing_id, at } => {
            let mut states = viewing(*viewing_id, "booked");
            states.push((format!("viewings.{viewing_id}.at"), Some(Stated::Instant(*at))));
            states
        }
        ClueEvent::ViewingCancelled { viewing_id } => viewing(*viewing_id, "cancelled"),
        ClueEvent::ViewingCompleted { viewing_id } => viewing(*viewing_id, "completed"),
        ClueEvent::ViewingNoShowed { viewing_id } => viewing(*viewing_id, "missed"),
        ClueEvent::LossProposed { by, reason: _, note } => stating([
            ("loss.proposedById", Some(Stated::word(by))),
            ("loss.rejectedById", None),
            ("loss.note", text(note.as_ref())),
        ]),
        ClueEvent::LossRejected { by, note } => stating([
            ("loss.proposedById", None),
            ("loss.rejectedById", Some(Stated::word(by))),
            ("loss.note", text(note.as_ref())),
        ]),
        ClueEvent::Lost { by, approved_by, reason: _, stage: _, note } => stating([
            ("loss.proposedById", Some(Stated::word(by))),
            ("loss.approvedById", approved_by.map(Stated::word)),
            ("loss.note", text(note.as_ref())),
        ]),
        ClueEvent::Invalidated { reason } => stating([("invalidReason", Some(Stated::word(reason)))]),
        ClueEvent::Reopened { .. } => stating([
            ("loss.proposedById", None),
            ("loss.approvedById", None),
            ("loss.note", None),
            ("invalidReason", None),
        ]),
    }
}

/// What an event around a clue states.
pub(super) fn attempt_states(fact: &ClueAttemptsEvent) -> Stating {
    let ClueAttemptsEvent::ClaimRefused { operator_id, at, reason, winner, won_at } = fact;
    stating([
        ("refusedClaim.operatorId", Some(Stated::word(operator_id))),
        ("refusedClaim.at", Some(Stated::Instant(*at))),
        ("refusedClaim.reason", Some(Stated::word(reason))),
        ("refusedClaim.winnerId", winner.map(Stated::word)),
        ("refusedClaim.wonAt", won_at.map(Stated::Instant)),
    ])
}

fn viewing(id: ViewingId, state: &str) -> Stating {
    vec![(format!("viewings.{id}.state"), Some(Stated::word(state)))]
}

fn follow_up_states(follow_up: &FollowUp) -> Stating {
    let channel = match follow_up.channel {
        FollowUpChannel::Call => "call",
        FollowUpChannel::Message => "message",
        FollowUpChannel::Email => "email",
        FollowUpChannel::Visit => "visit",
    };
    let outcome = match follow_up.outcome {
        FollowUpOutcome::Connected => "connected",
        FollowUpOutcome::Replied => "replied",
        FollowUpOutcome::Sent => "sent",
        FollowUpOutcome::NoAnswer => "no_answer",
        FollowUpOutcome::Declined => "declined",
        FollowUpOutcome::WrongNumber => "wrong_number",
    };
    stating([
        ("followUp.id", Some(Stated::word(follow_up.id))),
        ("followUp.at", Some(Stated::Instant(follow_up.at))),
        ("followUp.channel", Some(Stated::word(channel))),
        ("followUp.outcome", Some(Stated::word(outcome))),
        ("followUp.durationSeconds", follow_up.duration_seconds.map(Stated::number)),
        ("followUp.note", text(follow_up.note.as_ref())),
    ])
}

/// Intent and budget are columns.
fn need_states(need: &Need) -> Stating {
    let words = |words: Vec<String>| (!words.is_empty()).then(|| Stated::Word(words.join(", ")));
    stating([
        ("need.brands", words(need.brands.iter().map(ToString::to_string).collect())),
        ("need.models", words(need.models.iter().map(ToString::to_string).collect())),
        ("need.bodyStyles", words(need.body_styles.iter().map(ToString::to_string).collect())),
        ("need.maxMileageKm", need.max_mileage.map(|mileage| Stated::number(mileage.as_kilometres()))),
        ("need.registeredSince", need.registered_since.map(Stated::number)),
        ("need.note", text(need.note.as_ref())),
    ])
}
