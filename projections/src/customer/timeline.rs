//! What happened with a customer: one typed row an event.

use domain::Event;
use domain::clue::{ClueEvent, FollowUpChannel, FollowUpOutcome};
use domain::clue_attempts::ClueAttemptsEvent;
use domain::customer::CustomerEvent;
use domain::envelope::{Actor, Position};
use domain::ids::{ClueId, CustomerId, EventId, OperatorId};
use domain::personal::Personal;
use domain::values::{Currency, Instant, LineKey};

use super::rows::TimelineRow;
use crate::read::{Shown, Sight};
use crate::runner::{Folding, Poison};

/// Something that happened with a customer, as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineItem {
    /// Its event's position.
    pub position: Position,
    /// Its event.
    pub event_id: EventId,
    /// With whom.
    pub customer_id: CustomerId,
    /// The event's stored type, for example `clue.follow_up_logged`.
    pub kind: String,
    /// Business time.
    pub occurred_at: Instant,
    /// When the log took it.
    pub recorded_at: Instant,
    /// Who did it.
    pub actor: Actor,
    /// For whom.
    pub on_behalf_of: Option<OperatorId>,
    /// In which line.
    pub line: Option<LineKey>,
    /// With which clue.
    pub clue_id: Option<ClueId>,
    /// The follow-up, viewing, contact point or other customer that it is about.
    pub subject_ref: Option<String>,
    /// The operator whom it concerns.
    pub operator_id: Option<OperatorId>,
    /// Another operator: the former owner, the approver, the winner.
    pub other_operator_id: Option<OperatorId>,
    /// The stage before.
    pub from: Option<String>,
    /// The stage after, a reason, a purpose, a contact's kind.
    pub to: Option<String>,
    /// When it is to be, or was.
    pub at: Option<Instant>,
    /// When the next contact is planned.
    pub next_at: Option<Instant>,
    /// How long the talk was.
    pub duration_seconds: Option<i64>,
    /// How the contact was.
    pub channel: Option<FollowUpChannel>,
    /// What came of it.
    pub outcome: Option<FollowUpOutcome>,
    /// For how much, when the viewer sees amounts; for stars, how many.
    pub amount_minor: Option<i64>,
    /// In which currency.
    pub currency: Option<Currency>,
    /// What was written.
    pub note: Option<Shown>,
}

pub(super) fn show(row: TimelineRow, sight: Sight, amounts: bool) -> TimelineItem {
    let written = row.note.is_some() || row.note_redacted;
    let hidden = row.currency.is_some() && !amounts;
    TimelineItem {
        position: row.position,
        event_id: row.event_id,
        customer_id: row.customer_id,
        kind: row.kind,
        occurred_at: row.occurred_at,
        recorded_at: row.recorded_at,
        actor: row.actor,
        on_behalf_of: row.on_behalf_of,
        line: row.line,
        clue_id: row.clue_id,
        subject_ref: row.subject_ref,
        operator_id: row.operator_id,
        other_operator_id: row.other_operator_id,
        from: row.from_word,
        to: row.to_word,
        at: row.at,
        next_at: row.next_at,
        duration_seconds: row.duration_seconds,
        channel: row.channel,
        outcome: row.outcome,
        amount_minor: row.amount_minor.filter(|_| !hidden),
        currency: row.currency.filter(|_| !hidden),
        note: written.then(|| Shown::whole(row.note, sight)),
    }
}

/// The row of an event.
pub(super) fn row(event: &Folding<'_>) -> Result<TimelineRow, Poison> {
    let metadata = &event.recorded.metadata;
    let clue = matches!(event.event, Event::Clue(_) | Event::ClueAttempts(_));
    let mut row = TimelineRow {
        position: event.position(),
        customer_id: event.known_customer()?,
        event_id: metadata.event_id,
        kind: event.recorded.event_type.to_string(),
        occurred_at: event.at(),
        recorded_at: event.recorded.recorded_at,
        actor: metadata.actor.clone(),
        on_behalf_of: metadata.on_behalf_of,
        line: metadata.line.clone(),
        clue_id: if clue { Some(event.clue()?) } else { None },
        subject_ref: None,
        operator_id: None,
        other_operator_id: None,
        from_word: None,
        to_word: None,
        at: None,
        next_at: None,
        duration_seconds: None,
        channel: None,
        outcome: None,
        amount_minor: None,
        currency: None,
        note: None,
        note_redacted: false,
    };
    match event.event {
        Event::Clue(fact) => fill_clue(&mut row, fact),
        Event::Customer(fact) => fill_customer(&mut row, fact),
        Event::ClueAttempts(ClueAttemptsEvent::ClaimRefused { operator_id, at, reason, winner, .. }) => {
            row.operator_id = Some(*operator_id);
            row.other_operator_id = *winner;
            row.to_word = Some(reason.to_string());
            row.at = Some(*at);
        }
        _ => {}
    }
    Ok(row)
}

fn note(row: &mut TimelineRow, note: Option<&Personal<String>>) {
    row.note = note.and_then(Personal::clear).cloned();
    row.note_redacted = note.is_some() && row.note.is_none();
}

fn fill_clue(row: &mut TimelineRow, fact: &ClueEvent) {
    match fact {
        ClueEvent::Captured { source, stage, at, .. } => {
            row.from_word = Some(source.channel.to_string());
            row.to_word = Some(stage.to_string());
            row.at = Some(*at);
        }
        ClueEvent::Assigned { operator_id, at, .. } | ClueEvent::Claimed { operator_id, at, .. } => {
            row.operator_id = Some(*operator_id);
            row.at = Some(*at);
        }
        ClueEvent::Released { operator_id, at, note: written } => {
            row.operator_id = Some(*operator_id);
            row.at = Some(*at);
            note(row, written.as_ref());
        }
        ClueEvent::Transferred { from, to, at, .. } => {
            row.operator_id = Some(*to);
            row.other_operator_id = Some(*from);
            row.at = Some(*at);
        }
        ClueEvent::FollowUpLogged { follow_up } => {
            row.subject_ref = Some(follow_up.id.to_string());
            row.at = Some(follow_up.at);
            row.next_at = follow_up.next_at;
            row.duration_seconds = follow_up.duration_seconds.map(i64::from);
            row.channel = Some(follow_up.channel);
            row.outcome = Some(follow_up.outcome);
            note(row, follow_up.note.as_ref());
        }
        ClueEvent::FirstResponseRecorded { follow_up_id, at } => {
            row.subject_ref = Some(follow_up_id.to_string());
            row.at = Some(*at);
        }
        ClueEvent::StageMoved { from, to, .. } => {
            row.from_word = Some(from.to_string());
            row.to_word = Some(to.to_string());
        }
        ClueEvent::NeedUpdated { need } => {
            row.amount_minor = need.budget_max.map(|budget| budget.minor);
            row.currency = need.budget_max.map(|budget| budget.currency);
            note(row, need.note.as_ref());
        }
        ClueEvent::Pooled {} | ClueEvent::FieldsSet { .. } => {}
        ClueEvent::Reopened { stage, .. } => row.to_word = Some(stage.to_string()),
        ClueEvent::Invalidated { reason } => row.to_word = Some(reason.to_string()),
        _ => fill_outcome(row, fact),
    }
}

/// Viewings and the two ends of a clue.
fn fill_outcome(row: &mut TimelineRow, fact: &ClueEvent) {
    match fact {
        ClueEvent::ViewingBooked { viewing_id, at, car, place } => {
            row.subject_ref = Some(viewing_id.to_string());
            row.at = Some(*at);
            row.to_word = car.as_ref().map(ToString::to_string);
            note(row, place.as_ref());
        }
        ClueEvent::ViewingRebooked { viewing_id, at } => {
            row.subject_ref = Some(viewing_id.to_string());
            row.at = Some(*at);
        }
        ClueEvent::ViewingCancelled { viewing_id }
        | ClueEvent::ViewingCompleted { viewing_id }
        | ClueEvent::ViewingNoShowed { viewing_id } => row.subject_ref = Some(viewing_id.to_string()),
        ClueEvent::LossProposed { by, reason, note: written } => {
            row.operator_id = Some(*by);
            row.to_word = Some(reason.to_string());
            note(row, written.as_ref());
        }
        ClueEvent::LossRejected { by, note: written } => {
            row.operator_id = Some(*by);
            note(row, written.as_ref());
        }
        ClueEvent::Lost { by, approved_by, reason, note: written, .. } => {
            row.operator_id = Some(*by);
            row.other_operator_id = *approved_by;
            row.to_word = Some(reason.to_string());
            note(row, written.as_ref());
        }
        ClueEvent::Won { amount, .. } => {
            row.amount_minor = amount.map(|amount| amount.minor);
            row.currency = amount.map(|amount| amount.currency);
        }
        _ => {}
    }
}

fn fill_customer(row: &mut TimelineRow, fact: &CustomerEvent) {
    match fact {
        CustomerEvent::Registered { line, source, .. } => {
            row.line = Some(line.clone());
            row.from_word = Some(source.channel.to_string());
        }
        CustomerEvent::ContactPointAdded { contact_point_id, kind, .. } => {
            row.subject_ref = Some(contact_point_id.to_string());
            row.to_word = Some(kind.as_str().to_owned());
        }
        CustomerEvent::ContactPointVerified { contact_point_id }
        | CustomerEvent::ContactPointRemoved { contact_point_id } => {
            row.subject_ref = Some(contact_point_id.to_string());
        }
        CustomerEvent::Linked { other } | CustomerEvent::Unlinked { other } => {
            row.subject_ref = Some(other.to_string());
        }
        CustomerEvent::StarGranted { line, tier, expires_at, .. } => {
            row.line = Some(line.clone());
            row.amount_minor = Some(i64::from(u8::from(*tier)));
            row.at = *expires_at;
        }
        CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line } => {
            row.line = Some(line.clone());
        }
        CustomerEvent::ConsentGiven { purpose } | CustomerEvent::ConsentWithdrawn { purpose } => {
            row.to_word = Some(purpose.to_string());
        }
        CustomerEvent::DoNotCallSet { do_not_call } => {
            row.to_word = Some(if *do_not_call { "set" } else { "lifted" }.to_owned());
        }
        CustomerEvent::Erased { ground } => row.to_word = Some(ground.to_string()),
        CustomerEvent::Renamed { .. } => {}
    }
}
