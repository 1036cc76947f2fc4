//! Working a clue: follow-ups, stages, need, fields, viewings, outcome.

use async_graphql::{Context, Object};
use commands::use_cases::clue::{ClueStep, WorkClue};
use domain::ids::{ClueId, FollowUpId, ViewingId};
use domain::personal::Personal;
use domain::values::{Code, Label, StageKey};

use super::field::{FieldInput, values};
use super::input::NeedInput;
use super::mutation::{ClueInput, CluePayload};
use crate::graphql::enums::{FollowUpChannel, FollowUpOutcome};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Id, Instant, Money, Text};
use crate::graphql::services::session;
use crate::{mutation_input, mutation_payload};

mutation_input! {
    /// A contact with the customer, and the next planned one.
    LogFollowUpInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// How.
        channel: FollowUpChannel,
        /// What came of it.
        outcome: FollowUpOutcome,
        /// Seconds that the talk lasted.
        duration_seconds: Option<i32>,
        /// When the next one is planned.
        next_at: Option<Instant>,
        /// What was said.
        note: Option<String>,
    }
    /// A step to another stage.
    MoveStageInput {
        /// Which clue.
        clue_id: Id<ClueId>,
        /// To which stage.
        to: Text<StageKey>,
    }
    /// The customer's need.
    SetNeedInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// All that is known of it now.
        need: NeedInput,
    }
    /// Values of custom fields.
    SetFieldsInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// The new value of each field; null clears one.
        fields: Vec<FieldInput>,
    }
    /// An appointment to see a car.
    BookViewingInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// When it is to be.
        at: Instant,
        /// Which car.
        car: Option<Text<Label>>,
        /// Where to meet.
        place: Option<String>,
    }
    /// Another time of an appointment.
    RebookViewingInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// Which appointment.
        viewing_id: Id<ViewingId>,
        /// When it is to be.
        at: Instant,
    }
    /// An appointment.
    ViewingInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// Which.
        viewing_id: Id<ViewingId>,
    }
    /// A clue that is held for lost.
    ProposeLossInput {
        /// Which.
        clue_id: Id<ClueId>,
        /// Why.
        reason: Text<Code>,
        /// Why, in words.
        note: Option<String>,
    }
    /// A loss that is not accepted.
    RejectLossInput {
        /// Which clue.
        clue_id: Id<ClueId>,
        /// Why, in words.
        note: Option<String>,
    }
    /// A deal.
    WinClueInput {
        /// Of which clue.
        clue_id: Id<ClueId>,
        /// For how much.
        amount: Option<Money>,
    }
    /// A clue that is none.
    InvalidateClueInput {
        /// Which.
        clue_id: Id<ClueId>,
        /// Why.
        reason: Text<Code>,
    }
}

mutation_payload! {
    /// What became of a logged contact.
    FollowUpPayload {
        /// Of which clue.
        clue_id: Id[ClueId] = "clue_id",
        /// Which contact.
        follow_up_id: Id[FollowUpId] = "follow_up_id",
    }
    /// What became of a new appointment.
    BookViewingPayload {
        /// Of which clue.
        clue_id: Id[ClueId] = "clue_id",
        /// Which appointment.
        viewing_id: Id[ViewingId] = "viewing_id",
    }
}

/// Mutations of the work on a clue.
#[derive(Default)]
pub struct ClueWorkMutation;

/// Takes one step in the work on a clue; `input` has the parts that all inputs share.
macro_rules! step {
    ($ctx:ident, $input:ident, $step:expr) => {{
        let work = WorkClue { clue_id: $input.clue_id.0, step: $step };
        let outcome = session($ctx)?.run($input.command_id, $input.expected_revision, &work).await?;
        Ok(outcome.try_into()?)
    }};
}

#[Object]
impl ClueWorkMutation {
    /// Logs a contact with the customer, and plans the next one.
    async fn log_follow_up(
        &self,
        ctx: &Context<'_>,
        input: LogFollowUpInput,
    ) -> async_graphql::Result<FollowUpPayload> {
        let seconds = input.duration_seconds.map(u32::try_from).transpose();
        let follow_up = ClueStep::LogFollowUp {
            channel: input.channel.into(),
            outcome: input.outcome.into(),
            duration_seconds: seconds.map_err(|_| ApiError::bad_input("a duration is not negative"))?,
            next_at: input.next_at.map(|at| at.0),
            note: input.note.as_deref().and_then(Personal::text),
        };
        step!(ctx, input, follow_up)
    }

    /// Moves a clue to another stage that is worked.
    async fn move_stage(
        &self,
        ctx: &Context<'_>,
        input: MoveStageInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::MoveStage(input.to.0))
    }

    /// Records what the customer wants.
    async fn set_need(&self, ctx: &Context<'_>, input: SetNeedInput) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::SetNeed(input.need.try_into()?))
    }

    /// Sets custom fields, or clears them.
    async fn set_fields(
        &self,
        ctx: &Context<'_>,
        input: SetFieldsInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::SetFields(values(input.fields, Ok)?))
    }

    /// Makes an appointment to see a car.
    async fn book_viewing(
        &self,
        ctx: &Context<'_>,
        input: BookViewingInput,
    ) -> async_graphql::Result<BookViewingPayload> {
        let viewing = ClueStep::BookViewing {
            at: input.at.0,
            car: input.car.map(|car| car.0),
            place: input.place.as_deref().and_then(Personal::text),
        };
        step!(ctx, input, viewing)
    }

    /// Moves an appointment to another time.
    async fn rebook_viewing(
        &self,
        ctx: &Context<'_>,
        input: RebookViewingInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::RebookViewing { viewing_id: input.viewing_id.0, at: input.at.0 })
    }

    /// Calls an appointment off.
    async fn cancel_viewing(
        &self,
        ctx: &Context<'_>,
        input: ViewingInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::CancelViewing(input.viewing_id.0))
    }

    /// Records that the customer saw the car.
    async fn complete_viewing(
        &self,
        ctx: &Context<'_>,
        input: ViewingInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::CompleteViewing(input.viewing_id.0))
    }

    /// Records that the customer did not come.
    async fn record_no_show(
        &self,
        ctx: &Context<'_>,
        input: ViewingInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::RecordNoShow(input.viewing_id.0))
    }

    /// Holds a clue for lost. Where the line's rules demand it, somebody must approve.
    async fn propose_loss(
        &self,
        ctx: &Context<'_>,
        input: ProposeLossInput,
    ) -> async_graphql::Result<CluePayload> {
        let note = input.note.as_deref().and_then(Personal::text);
        step!(ctx, input, ClueStep::ProposeLoss { reason: input.reason.0, note })
    }

    /// Accepts a proposed loss.
    async fn approve_loss(&self, ctx: &Context<'_>, input: ClueInput) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::ApproveLoss)
    }

    /// Does not accept a proposed loss: work goes on.
    async fn reject_loss(
        &self,
        ctx: &Context<'_>,
        input: RejectLossInput,
    ) -> async_graphql::Result<CluePayload> {
        let note = input.note.as_deref().and_then(Personal::text);
        step!(ctx, input, ClueStep::RejectLoss { note })
    }

    /// Records the deal.
    async fn win_clue(&self, ctx: &Context<'_>, input: WinClueInput) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::Win { amount: input.amount.map(|money| money.0) })
    }

    /// Records that it is no real clue.
    async fn invalidate_clue(
        &self,
        ctx: &Context<'_>,
        input: InvalidateClueInput,
    ) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::Invalidate(input.reason.0))
    }

    /// Puts a lost or invalid clue in the pool again.
    async fn reopen_clue(&self, ctx: &Context<'_>, input: ClueInput) -> async_graphql::Result<CluePayload> {
        step!(ctx, input, ClueStep::Reopen)
    }
}
