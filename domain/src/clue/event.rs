//! What can happen to a clue.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::need::Need;
use crate::business_line::FieldValue;
use crate::codec::event_contract;
use crate::ids::{CustomerId, FollowUpId, OperatorId, TeamId, ViewingId};
use crate::personal::Personal;
use crate::values::{Code, FieldKey, Instant, Label, LineKey, Money, SourceKey, StageKey};

/// Where a record came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The channel, for example `website`.
    pub channel: Code,
    /// What the source calls the record; with the channel and the line it is unique for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SourceKey>,
    /// The campaign that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Label>,
}

/// How a customer was contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpChannel {
    /// By telephone.
    Call,
    /// By a message.
    Message,
    /// By e-mail.
    Email,
    /// In person.
    Visit,
}

/// What came of the contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FollowUpOutcome {
    /// Both sides talked.
    Connected,
    /// The customer answered a message.
    Replied,
    /// Sent, no answer yet.
    Sent,
    /// Nobody answered.
    NoAnswer,
    /// The customer did not want to talk.
    Declined,
    /// The number belongs to somebody else or to nobody.
    WrongNumber,
}

/// A logged contact and the next planned one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// Its identity.
    pub id: FollowUpId,
    /// How.
    pub channel: FollowUpChannel,
    /// What came of it.
    pub outcome: FollowUpOutcome,
    /// Seconds that the talk lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u32>,
    /// When it was.
    pub at: Instant,
    /// When the next one is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Instant>,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Personal<String>>,
}

impl FollowUp {
    /// Whether the customer was really reached: a connected call that lasted, an answered message,
    /// or a meeting. Attempts do not count.
    #[must_use]
    pub fn reaches_customer(&self, min_call_seconds: u32) -> bool {
        match (self.channel, self.outcome) {
            (FollowUpChannel::Call, FollowUpOutcome::Connected) => {
                self.duration_seconds.unwrap_or(0) >= min_call_seconds
            }
            (FollowUpChannel::Visit, FollowUpOutcome::Connected) | (_, FollowUpOutcome::Replied) => true,
            _ => false,
        }
    }
}

/// Events of a clue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClueEvent {
    /// The clue came in.
    Captured {
        /// Whose clue it is.
        customer_id: CustomerId,
        /// The business line that works it.
        line: LineKey,
        /// Where it came from.
        source: Source,
        /// The stage where it begins.
        stage: StageKey,
        /// Version of the stage graph.
        graph_version: u32,
        /// When it came in.
        at: Instant,
    },
    /// It went to the pool, open to claim.
    Pooled {},
    /// A lead or a rule gave it to an operator.
    Assigned {
        /// To whom.
        operator_id: OperatorId,
        /// The operator's team.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team_id: Option<TeamId>,
        /// When.
        at: Instant,
    },
    /// An operator took it from the pool.
    Claimed {
        /// Who.
        operator_id: OperatorId,
        /// The operator's team.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team_id: Option<TeamId>,
        /// When.
        at: Instant,
    },
    /// Its owner gave it back to the pool.
    Released {
        /// Who had it.
        operator_id: OperatorId,
        /// When.
        at: Instant,
        /// Why, in the owner's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Personal<String>>,
    },
    /// It went from one operator to another.
    Transferred {
        /// Who had it.
        from: OperatorId,
        /// Who has it now.
        to: OperatorId,
        /// The new owner's team.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team_id: Option<TeamId>,
        /// When.
        at: Instant,
    },
    /// A contact with the customer was logged.
    FollowUpLogged {
        /// The contact.
        follow_up: FollowUp,
    },
    /// The customer was really reached for the first time.
    FirstResponseRecorded {
        /// By which contact.
        follow_up_id: FollowUpId,
        /// When.
        at: Instant,
    },
    /// It stands in another stage.
    StageMoved {
        /// Where it stood.
        from: StageKey,
        /// Where it stands.
        to: StageKey,
        /// Version of the stage graph.
        graph_version: u32,
    },
    /// The customer's need became known, or changed.
    NeedUpdated {
        /// All that is known of it now.
        need: Need,
    },
    /// Custom fields got values, or lost them.
    FieldsSet {
        /// The new value of each field; nothing clears it.
        values: BTreeMap<FieldKey, Option<FieldValue>>,
    },
    /// An appointment to see a car was made.
    ViewingBooked {
        /// Its identity.
        viewing_id: ViewingId,
        /// When it is to be.
        at: Instant,
        /// Which car.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        car: Option<Label>,
        /// Where to meet; may be somebody's address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Personal<String>>,
    },
    /// The appointment is at another time.
    ViewingRebooked {
        /// Which.
        viewing_id: ViewingId,
        /// When it is to be now.
        at: Instant,
    },
    /// The appointment was called off.
    ViewingCancelled {
        /// Which.
        viewing_id: ViewingId,
    },
    /// The customer saw the car.
    ViewingCompleted {
        /// Which.
        viewing_id: ViewingId,
    },
    /// The customer did not come.
    ViewingNoShowed {
        /// Which.
        viewing_id: ViewingId,
    },
    /// The owner holds it for lost; somebody must look at that.
    LossProposed {
        /// Who proposed.
        by: OperatorId,
        /// Why.
        reason: Code,
        /// Why, in the proposer's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Personal<String>>,
    },
    /// The loss was not accepted: work goes on.
    LossRejected {
        /// Who decided.
        by: OperatorId,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Personal<String>>,
    },
    /// The clue is lost.
    Lost {
        /// Who proposed.
        by: OperatorId,
        /// Who approved, when somebody had to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<OperatorId>,
        /// Why.
        reason: Code,
        /// The stage of lost clues.
        stage: StageKey,
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Personal<String>>,
    },
    /// The deal is done.
    Won {
        /// The stage of won clues.
        stage: StageKey,
        /// For how much.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Money>,
    },
    /// It is no real clue.
    Invalidated {
        /// Why.
        reason: Code,
    },
    /// It is open to claim again.
    Reopened {
        /// The stage where it begins again.
        stage: StageKey,
        /// Version of the stage graph.
        graph_version: u32,
    },
}

event_contract!(ClueEvent {
    Captured => "clue.captured" v 1,
    Pooled => "clue.pooled" v 1,
    Assigned => "clue.assigned" v 1,
    Claimed => "clue.claimed" v 1,
    Released => "clue.released" v 1,
    Transferred => "clue.transferred" v 1,
    FollowUpLogged => "clue.follow_up_logged" v 1,
    FirstResponseRecorded => "clue.first_response_recorded" v 1,
    StageMoved => "clue.stage_moved" v 1,
    NeedUpdated => "clue.need_updated" v 1,
    FieldsSet => "clue.fields_set" v 1,
    ViewingBooked => "clue.viewing_booked" v 1,
    ViewingRebooked => "clue.viewing_rebooked" v 1,
    ViewingCancelled => "clue.viewing_cancelled" v 1,
    ViewingCompleted => "clue.viewing_completed" v 1,
    ViewingNoShowed => "clue.viewing_no_showed" v 1,
    LossProposed => "clue.loss_proposed" v 1,
    LossRejected => "clue.loss_rejected" v 1,
    Lost => "clue.lost" v 1,
    Won => "clue.won" v 1,
    Invalidated => "clue.invalidated" v 1,
    Reopened => "clue.reopened" v 1,
});
