//! Changes of business lines.

use async_graphql::{Context, InputObject, Object};
use commands::line_file;
use commands::use_cases::business_line::{ApplyLine, ChangeLine, LineChange};
use domain::business_line::{
    FieldDefinition, FieldOption, FirstResponsePolicy, LossPolicy, LossReason, Move, Policy, PoolPolicy,
    ScorePolicy, SignalWeight, Stage, StageGraph,
};
use domain::values::{Code, FieldKey, Label, LineKey, OptionKey, StageKey};

use crate::graphql::enums::{FieldKind, Signal, StageCategory};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Decimal, Long, Text, Uuid};
use crate::graphql::services::session;
use crate::{mutation_input, mutation_payload};

/// A stage.
#[derive(Clone, Debug, InputObject)]
pub struct StageInput {
    /// Its identity within the line.
    pub key: Text<StageKey>,
    /// What people call it.
    pub label: Text<Label>,
    /// What standing in it means.
    pub category: StageCategory,
}

/// An allowed step between stages.
#[derive(Clone, Debug, InputObject)]
pub struct StageMoveInput {
    /// From this stage.
    pub from: Text<StageKey>,
    /// To this stage.
    pub to: Text<StageKey>,
}

/// An option of a choice field.
#[derive(Clone, Debug, InputObject)]
pub struct FieldOptionInput {
    /// Its identity within the field.
    pub key: Text<OptionKey>,
    /// What people call it.
    pub label: Text<Label>,
    /// Whether clues may no longer take it.
    pub retired: Option<bool>,
}

/// A reason for which a clue may be lost.
#[derive(Clone, Debug, InputObject)]
pub struct LossReasonInput {
    /// Its stable word.
    pub key: Text<Code>,
    /// What people call it.
    pub label: Text<Label>,
}

/// How much a signal weighs.
#[derive(Clone, Debug, InputObject)]
pub struct SignalWeightInput {
    /// The signal.
    pub signal: Signal,
    /// Points at the moment that it happens; negative when it weighs against.
    pub points: i32,
}

mutation_input! {
    /// A line file, as `cluestream line apply` takes it.
    ApplyLineInput {
        /// The text of the file, in TOML.
        file: String,
    }
    /// A business line.
    LineInput {
        /// Which.
        line: Text<LineKey>,
    }
    /// A new name of a line.
    RenameLineInput {
        /// Which.
        line: Text<LineKey>,
        /// The new name.
        name: Text<Label>,
    }
    /// A new stage graph.
    PublishStageGraphInput {
        /// Of which line.
        line: Text<LineKey>,
        /// The first stage is where new clues begin.
        stages: Vec<StageInput>,
        /// Steps between stages that are worked.
        moves: Vec<StageMoveInput>,
    }
    /// A custom field, new or changed. Its key and kind stay for ever.
    DefineFieldInput {
        /// Of which line.
        line: Text<LineKey>,
        /// Its identity within the line.
        key: Text<FieldKey>,
        /// What people call it.
        label: Text<Label>,
        /// What values it takes.
        kind: FieldKind,
        /// The options of a choice field.
        options: Option<Vec<FieldOptionInput>>,
        /// Smallest number that it takes.
        min: Option<Decimal>,
        /// Largest number that it takes.
        max: Option<Decimal>,
        /// Stages that a clue enters only with a value in this field.
        required_at: Option<Vec<Text<StageKey>>>,
    }
    /// A custom field that takes no more values.
    RetireFieldInput {
        /// Of which line.
        line: Text<LineKey>,
        /// Which field.
        key: Text<FieldKey>,
    }
    /// New rules of the pool.
    PublishPoolPolicyInput {
        /// Of which line.
        line: Text<LineKey>,
        /// Minutes for which a former owner cannot claim the clue that went back to the pool.
        former_owner_cooldown_minutes: i32,
    }
    /// New rules of what counts as a first response.
    PublishFirstResponsePolicyInput {
        /// Of which line.
        line: Text<LineKey>,
        /// Seconds that a connected call lasts at least.
        min_call_seconds: i32,
        /// Minutes from capture within which the first response is due.
        due_minutes: i32,
    }
    /// New rules of how a clue may be lost.
    PublishLossPolicyInput {
        /// Of which line.
        line: Text<LineKey>,
        /// Whether somebody must approve a loss.
        review: bool,
        /// Whether that somebody must be another person than the proposer.
        other_approver: bool,
        /// The reasons to choose from; any reason when empty.
        reasons: Vec<LossReasonInput>,
    }
    /// New rules of what makes a customer a likely buyer.
    PublishScorePolicyInput {
        /// Of which line.
        line: Text<LineKey>,
        /// Hours in which a signal loses half its weight.
        half_life_hours: i32,
        /// Points of each signal.
        weights: Vec<SignalWeightInput>,
    }
}

mutation_payload! {
    /// What became of a change of a business line.
    LinePayload {
        /// Which line.
        line: Text[LineKey] = "line",
    }
}

/// Mutations of business lines.
#[derive(Default)]
pub struct BusinessLineMutation;

async fn change(
    ctx: &Context<'_>,
    command: (Uuid, Option<Long>),
    line: Text<LineKey>,
    change: LineChange,
) -> async_graphql::Result<LinePayload> {
    let change = ChangeLine { line: line.0, change };
    Ok(session(ctx)?.run(command.0, command.1, &change).await?.try_into()?)
}

#[Object]
impl BusinessLineMutation {
    /// Brings a line to the description in a file, defining it when it does not exist.
    async fn apply_line(
        &self,
        ctx: &Context<'_>,
        input: ApplyLineInput,
    ) -> async_graphql::Result<LinePayload> {
        let spec = line_file::parse(&input.file).map_err(|error| ApiError::bad_input(error.to_string()))?;
        let apply = ApplyLine { spec };
        Ok(session(ctx)?.run(input.command_id, input.expected_revision, &apply).await?.try_into()?)
    }

    /// Calls a line otherwise.
    async fn rename_line(
        &self,
        ctx: &Context<'_>,
        input: RenameLineInput,
    ) -> async_graphql::Result<LinePayload> {
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::Rename(input.name.0)).await
    }

    /// Takes no new clues in a line.
    async fn suspend_line(&self, ctx: &Context<'_>, input: LineInput) -> async_graphql::Result<LinePayload> {
        change(ctx, (input.command_id, input.expected_revision), input.line, LineChange::Suspend).await
    }

    /// Takes clues in a line again.
    async fn resume_line(&self, ctx: &Context<'_>, input: LineInput) -> async_graphql::Result<LinePayload> {
        change(ctx, (input.command_id, input.expected_revision), input.line, LineChange::Resume).await
    }

    /// Puts a new stage graph in force.
    async fn publish_stage_graph(
        &self,
        ctx: &Context<'_>,
        input: PublishStageGraphInput,
    ) -> async_graphql::Result<LinePayload> {
        let stage = |stage: StageInput| Stage {
            key: stage.key.0,
            label: stage.label.0,
            category: stage.category.into(),
        };
        let step = |step: StageMoveInput| Move { from: step.from.0, to: step.to.0 };
        let graph = StageGraph {
            stages: input.stages.into_iter().map(stage).collect(),
            moves: input.moves.into_iter().map(step).collect(),
        };
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::PublishStageGraph(graph)).await
    }

    /// Defines a custom field, or changes what may change of it.
    async fn define_field(
        &self,
        ctx: &Context<'_>,
        input: DefineFieldInput,
    ) -> async_graphql::Result<LinePayload> {
        let option = |option: FieldOptionInput| FieldOption {
            key: option.key.0,
            label: option.label.0,
            retired: option.retired.unwrap_or(false),
        };
        let field = FieldDefinition {
            key: input.key.0,
            label: input.label.0,
            kind: input.kind.into(),
            options: input.options.unwrap_or_default().into_iter().map(option).collect(),
            min: input.min.map(number).transpose()?,
            max: input.max.map(number).transpose()?,
            required_at: input.required_at.unwrap_or_default().into_iter().map(|key| key.0).collect(),
        };
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::DefineField(field)).await
    }

    /// Takes no new values for a field.
    async fn retire_field(
        &self,
        ctx: &Context<'_>,
        input: RetireFieldInput,
    ) -> async_graphql::Result<LinePayload> {
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::RetireField(input.key.0)).await
    }

    /// Puts new rules of the pool in force.
    async fn publish_pool_policy(
        &self,
        ctx: &Context<'_>,
        input: PublishPoolPolicyInput,
    ) -> async_graphql::Result<LinePayload> {
        let minutes = count("formerOwnerCooldownMinutes", input.former_owner_cooldown_minutes)?;
        let policy = Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: minutes });
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::PublishPolicy(policy)).await
    }

    /// Puts new rules of what counts as a first response in force.
    async fn publish_first_response_policy(
        &self,
        ctx: &Context<'_>,
        input: PublishFirstResponsePolicyInput,
    ) -> async_graphql::Result<LinePayload> {
        let policy = Policy::FirstResponse(FirstResponsePolicy {
            min_call_seconds: count("minCallSeconds", input.min_call_seconds)?,
            due_minutes: count("dueMinutes", input.due_minutes)?,
        });
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::PublishPolicy(policy)).await
    }

    /// Puts new rules of how a clue may be lost in force.
    async fn publish_loss_policy(
        &self,
        ctx: &Context<'_>,
        input: PublishLossPolicyInput,
    ) -> async_graphql::Result<LinePayload> {
        let reason = |reason: LossReasonInput| LossReason { key: reason.key.0, label: reason.label.0 };
        let policy = Policy::Loss(LossPolicy {
            review: input.review,
            other_approver: input.other_approver,
            reasons: input.reasons.into_iter().map(reason).collect(),
        });
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::PublishPolicy(policy)).await
    }

    /// Puts new rules of what makes a customer a likely buyer in force.
    async fn publish_score_policy(
        &self,
        ctx: &Context<'_>,
        input: PublishScorePolicyInput,
    ) -> async_graphql::Result<LinePayload> {
        let weight =
            |weight: SignalWeightInput| SignalWeight { signal: weight.signal.into(), points: weight.points };
        let policy = Policy::Score(ScorePolicy {
            half_life_hours: count("halfLifeHours", input.half_life_hours)?,
            weights: input.weights.into_iter().map(weight).collect(),
        });
        let command = (input.command_id, input.expected_revision);
        change(ctx, command, input.line, LineChange::PublishPolicy(policy)).await
    }
}

fn count(name: &str, number: i32) -> Result<u32, ApiError> {
    u32::try_from(number).map_err(|_| ApiError::bad_input(format!("{name} is not negative")))
}

fn number(decimal: Decimal) -> Result<rust_decimal::Decimal, ApiError> {
    decimal.0.parse().map_err(|_| ApiError::bad_input("a bound is a decimal number"))
}
