//! What each event does to a clue's row.

use domain::Event;
use domain::business_line::{FieldValue, StageCategory};
use domain::clue::{ClueEvent, Lifecycle, Need};
use domain::ids::{ClueId, CustomerId, OperatorId, TeamId};
use domain::values::{FieldKey, Instant};
use rust_decimal::prelude::ToPrimitive as _;

use super::rows::{ClueRow, FieldRow, NEVER};
use crate::runner::{Folding, Poison};

/// The row of a clue that came in; of a customer of whom nothing is known.
pub(crate) fn captured_row(event: &Folding<'_>) -> Result<ClueRow, Poison> {
    let Event::Clue(ClueEvent::Captured { customer_id, line, source, stage, graph_version, at }) =
        event.event
    else {
        return Err(Poison("not the event that a clue begins with"));
    };
    if event.known_customer()? != *customer_id {
        return Err(Poison("the envelope names another customer than the event"));
    }
    Ok(ClueRow {
        clue_id: event.clue()?,
        customer_id: *customer_id,
        line: line.clone(),
        lifecycle: Lifecycle::Captured,
        stage: stage.clone(),
        // A graph's first stage, where clues begin, is always an open one.
        stage_category: StageCategory::Open,
        graph_version: *graph_version,
        owner_id: None,
        team_id: None,
        source_channel: source.channel.clone(),
        source_key: source.key.clone(),
        campaign: source.campaign.as_ref().map(ToString::to_string),
        captured_at: *at,
        updated_at: event.at(),
        pooled_at: None,
        owned_since: None,
        first_response_at: None,
        next_follow_up_at: NEVER,
        last_follow_up_at: None,
        won_at: None,
        lost_at: None,
        amount_minor: None,
        currency: None,
        loss_reason: None,
        intent: None,
        budget_min: None,
        budget_max: None,
        budget_currency: None,
        star: 0,
        customer_name: None,
        erased: false,
        position: event.position(),
    })
}

/// Folds one event of a clue into its row.
pub(crate) fn fold_row(row: &mut ClueRow, fact: &ClueEvent, occurred_at: Instant) {
    match fact {
        ClueEvent::Pooled {} => to_pool(row, occurred_at),
        ClueEvent::Assigned { operator_id, team_id, at }
        | ClueEvent::Claimed { operator_id, team_id, at } => {
            row.lifecycle = Lifecycle::Owned;
            own(row, *operator_id, *team_id, *at);
        }
        ClueEvent::Transferred { to, team_id, at, .. } => own(row, *to, *team_id, *at),
        ClueEvent::Released { at, .. } => to_pool(row, *at),
        ClueEvent::FollowUpLogged { follow_up } => {
            row.last_follow_up_at = row.last_follow_up_at.max(Some(follow_up.at));
            row.next_follow_up_at = follow_up.next_at.unwrap_or(NEVER);
        }
        ClueEvent::FirstResponseRecorded { at, .. } => row.first_response_at = Some(*at),
        ClueEvent::StageMoved { to, graph_version, .. } => {
            row.stage = to.clone();
            row.graph_version = *graph_version;
        }
        ClueEvent::NeedUpdated { need } => fold_need(row, need),
        ClueEvent::LossProposed { reason, .. } => {
            row.lifecycle = Lifecycle::LossReview;
            row.loss_reason = Some(reason.clone());
        }
        ClueEvent::LossRejected { .. } => {
            row.lifecycle = Lifecycle::Owned;
            row.loss_reason = None;
        }
        ClueEvent::Lost { reason, stage, .. } => {
            end(row, Lifecycle::Lost);
            row.stage = stage.clone();
            row.stage_category = StageCategory::Lost;
            row.lost_at = Some(occurred_at);
            row.loss_reason = Some(reason.clone());
        }
        ClueEvent::Won { stage, amount } => {
            end(row, Lifecycle::Won);
            row.stage = stage.clone();
            row.stage_category = StageCategory::Won;
            row.won_at = Some(occurred_at);
            row.amount_minor = amount.map(|amount| amount.minor);
            row.currency = amount.map(|amount| amount.currency);
        }
        ClueEvent::Invalidated { .. } => end(row, Lifecycle::Invalid),
        ClueEvent::Reopened { stage, graph_version } => {
            row.stage = stage.clone();
            row.stage_category = StageCategory::Open;
            row.graph_version = *graph_version;
            row.lost_at = None;
            row.loss_reason = None;
            to_pool(row, occurred_at);
        }
        ClueEvent::Captured { .. }
        | ClueEvent::FieldsSet { .. }
        | ClueEvent::ViewingBooked { .. }
        | ClueEvent::ViewingRebooked { .. }
        | ClueEvent::ViewingCancelled { .. }
        | ClueEvent::ViewingCompleted { .. }
        | ClueEvent::ViewingNoShowed { .. } => {}
    }
}

fn own(row: &mut ClueRow, operator: OperatorId, team: Option<TeamId>, at: Instant) {
    row.owner_id = Some(operator);
    row.team_id = team;
    row.owned_since = Some(at);
    row.pooled_at = None;
}

fn to_pool(row: &mut ClueRow, at: Instant) {
    row.lifecycle = Lifecycle::Pooled;
    row.owner_id = None;
    row.team_id = None;
    row.owned_since = None;
    row.next_follow_up_at = NEVER;
    row.pooled_at = Some(at);
}

/// The owner stays: whose deal or loss it was is what reports ask for.
fn end(row: &mut ClueRow, lifecycle: Lifecycle) {
    row.lifecycle = lifecycle;
    row.next_follow_up_at = NEVER;
    row.pooled_at = None;
}

fn fold_need(row: &mut ClueRow, need: &Need) {
    row.intent = need.intent;
    row.budget_min = need.budget_min.map(|money| money.minor);
    row.budget_max = need.budget_max.map(|money| money.minor);
    row.budget_currency = need.budget_min.or(need.budget_max).map(|money| money.currency);
}

/// The row of a custom field's value.
pub(super) fn field_row(
    customer_id: CustomerId,
    clue_id: ClueId,
    field: FieldKey,
    value: &FieldValue,
) -> FieldRow {
    let kind = value.kind();
    let mut row = FieldRow {
        clue_id,
        field,
        customer_id,
        kind,
        text: None,
        number: None,
        whole: None,
        free_text: None,
        redacted: false,
    };
    match value {
        FieldValue::Text(value) => {
            row.free_text = value.clear().cloned();
            row.redacted = row.free_text.is_none();
        }
        FieldValue::Choice(option) => row.text = Some(option.to_string()),
        FieldValue::Number(number) => {
            row.text = Some(number.to_string());
            row.number = number.to_f64();
        }
        FieldValue::Flag(flag) => row.whole = Some(i64::from(*flag)),
        FieldValue::Date(date) => row.text = Some(date.to_string()),
        FieldValue::Instant(at) => row.whole = Some(at.micros()),
        FieldValue::Money(money) => {
            row.whole = Some(money.minor);
            row.text = Some(money.currency.to_string());
        }
    }
    row
}
