//! Why a command to a clue is refused.

use super::need::NeedError;
use crate::aggregate::{Refusal, refusals};
use crate::business_line::FieldValueError;
use crate::ids::{OperatorId, ViewingId};
use crate::values::{Code, FieldKey, Instant, StageKey};

refusals! {
    /// Refusals of a clue.
    ClueError {
        /// No such clue was captured.
        NotFound = "clue_not_found", "there is no such clue";
        /// A clue of that id was captured.
        AlreadyCaptured = "clue_already_captured", "this clue was captured already";
        /// The line does not exist, or takes no new clues.
        LineClosed = "line_closed", "the business line takes no new clues";
        /// Nobody of that id.
        CustomerUnknown = "customer_not_found", "there is no such customer";
        /// The person was erased.
        CustomerErased = "customer_erased", "the customer was erased";
        /// The clue has ended.
        Ended { lifecycle: &'static str } = "clue_ended", "the clue is {lifecycle}";
        /// Only a clue in the pool can be claimed; says who has it since when.
        NotPooled { owner: Option<OperatorId>, since: Option<Instant> } = "clue_not_pooled", "the clue is not in the pool";
        /// The clue is in the pool already.
        AlreadyPooled = "clue_already_pooled", "the clue is in the pool already";
        /// Nobody owns it, so nobody can work it.
        NotOwned = "clue_not_owned", "nobody owns the clue";
        /// Somebody owns it: transfer it instead.
        AlreadyOwned { owner: OperatorId } = "clue_already_owned", "somebody owns the clue; transfer it instead";
        /// A loss is under review.
        InLossReview = "clue_in_loss_review", "a loss of the clue is under review";
        /// No loss is under review.
        NotInLossReview = "clue_not_in_loss_review", "no loss of the clue is under review";
        /// Its former owner must wait.
        Cooldown { until: Instant } = "claim_cooldown", "its former owner can claim the clue again from {until}";
        /// Nobody of that id.
        OperatorUnknown = "operator_not_found", "there is no such operator";
        /// Suspended operators get no clues.
        OperatorSuspended = "operator_suspended", "the operator is suspended";
        /// The operator works in other lines.
        OperatorOutsideLine = "operator_outside_line", "the operator does not work in the clue's business line";
        /// The stage graph has no such stage.
        StageUnknown { stage: StageKey } = "stage_unknown", "the business line has no stage {stage}";
        /// The stage graph has no such move.
        StageMoveNotAllowed { from: StageKey, to: StageKey } = "stage_move_not_allowed", "no move leads from stage {from} to {to}";
        /// Winning and losing enter these stages.
        StageIsOutcome { stage: StageKey } = "stage_is_outcome", "stage {stage} is entered by winning or losing";
        /// The stage wants a value in the field.
        FieldRequired { field: FieldKey, stage: StageKey } = "field_required", "stage {stage} requires field {field}";
        /// The line has no such field.
        FieldUnknown { field: FieldKey } = "field_unknown", "the business line has no field {field}";
        /// The field does not take the value.
        FieldValue { field: FieldKey, reason: FieldValueError } = "field_value_invalid", "field {field} {reason}";
        /// The need makes no sense.
        Need { reason: NeedError } = "need_invalid", "{reason}";
        /// The next contact lies before this one.
        NextFollowUpInPast = "next_follow_up_in_past", "the next follow-up lies before this one";
        /// An appointment of that id was made.
        ViewingExists { viewing: ViewingId } = "viewing_exists", "this viewing was booked already";
        /// No such appointment.
        ViewingUnknown { viewing: ViewingId } = "viewing_not_found", "there is no such viewing";
        /// The appointment is over.
        ViewingOver { viewing: ViewingId } = "viewing_over", "the viewing is over or was called off";
        /// An appointment lies ahead.
        ViewingInPast = "viewing_in_past", "a viewing is booked for a time to come";
        /// The line's list has no such reason.
        LossReasonUnknown { reason: Code } = "loss_reason_unknown", "the business line has no loss reason {reason}";
        /// The line wants another person to approve.
        ApproverIsProposer = "approver_is_proposer", "a loss is decided by somebody else than its proposer";
        /// An amount in another currency than the line's, or below zero.
        Amount = "amount_invalid", "an amount is not negative and in the currency of the business line";
        /// Only a lost or invalid clue can be reopened.
        NotReopenable = "clue_not_reopenable", "only a lost or an invalid clue can be reopened";
    }
}

impl Refusal for ClueError {
    fn code(&self) -> &'static str {
        self.code()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::FieldRequired { field, .. }
            | Self::FieldUnknown { field }
            | Self::FieldValue { field, .. } => Some(format!("fields.{field}")),
            Self::Need { .. } => Some("need".to_owned()),
            Self::NextFollowUpInPast => Some("nextAt".to_owned()),
            Self::ViewingInPast => Some("at".to_owned()),
            Self::LossReasonUnknown { .. } => Some("reason".to_owned()),
            Self::Amount => Some("amount".to_owned()),
            Self::StageUnknown { .. } | Self::StageIsOutcome { .. } => Some("to".to_owned()),
            _ => None,
        }
    }
}
