//! Changes as GraphQL objects.

use async_graphql::{ComplexObject, SimpleObject, Union};
use domain::Actor;
use domain::ids::{CommandId, CorrelationId, EventId, OperatorId};
use domain::values::{Code, LineKey};
use projections::Moment;
use projections::history::{Cause, Change, FieldChange, Seen};

use crate::graphql::clue::{
    ChoiceValue, DateValue, FlagValue, InstantValue, MoneyValue, NumberValue, TextValue,
};
use crate::graphql::connection::Node;
use crate::graphql::cursor::ListVersion;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Date, Decimal, Id, Instant, Money, Position, Text};
use crate::plain_object;

/// What cursors of histories belong to.
pub const HISTORY: ListVersion = ListVersion { list: "history", version: 1 };

plain_object! {
    /// The moment that a state of the past is of.
    #[derive(Copy)]
    AsOf as "AsOf" {
        /// The instant that was asked for. What counts is when the log took an event, not when it
        /// happened.
        at "at": Instant,
        /// Place in the log of the last event that was recorded by then; 0 when there was none. The
        /// same position is the same state for ever, apart from erasures.
        position "position": Position,
    }
}

impl From<&Moment> for AsOf {
    fn from(moment: &Moment) -> Self {
        Self { at: Instant(moment.at), position: Position(moment.position) }
    }
}

plain_object! {
    /// An event of a clue or a customer: who, when, why, and what it changed.
    ChangeNode as "Change" (complex) {
        /// Its event's identity.
        id "id": Id<EventId>,
        /// Its event's place in the log.
        position "position": Position,
        /// The event's stored type, for example `clue.claimed`.
        kind "kind": String,
        /// When the log took it.
        recorded_at "recordedAt": Instant,
        /// Business time.
        occurred_at "occurredAt": Instant,
        /// The operator who did it; null when a part of the system did.
        actor_id "actorId": Option<Id<OperatorId>>,
        /// The part of the system that did it; null when an operator did.
        system "system": Option<String>,
        /// For whom it was done.
        on_behalf_of_id "onBehalfOfId": Option<Id<OperatorId>>,
        /// In which line.
        line "line": Option<Text<LineKey>>,
        /// Why, as a word from the business's own lists.
        reason "reason": Option<Text<Code>>,
        /// The version of the line's rules that the decision used.
        policy_version "policyVersion": Option<i32>,
        /// The command that it is a result of.
        command_id "commandId": Id<CommandId>,
        /// The intent of a user that it is a result of.
        correlation_id "correlationId": Id<CorrelationId>,
        /// The event that made the system issue the command, when one did.
        causation_id "causationId": Option<Id<EventId>>,
        /// The command that all of it began with: its own, or that of its last cause; null when the
        /// causes go on further than they are followed.
        original_command_id "originalCommandId": Option<Id<CommandId>>,
    }
    hidden { causing: Vec<Cause>, changed: Vec<FieldChange> }
}

impl Node for ChangeNode {
    const CONNECTION: &'static str = "ChangeConnection";
    const EDGE: &'static str = "ChangeEdge";
}

#[ComplexObject]
impl ChangeNode {
    /// The events that led to it, nearest first, up to the first result of the original command; at
    /// most 32.
    #[graphql(complexity = "3 * child_complexity + 1")]
    async fn causes(&self) -> Vec<CauseNode> {
        self.causing.iter().map(CauseNode::from).collect()
    }

    /// What it changed, value by value.
    #[graphql(complexity = "3 * child_complexity + 1")]
    async fn changes(&self) -> async_graphql::Result<Vec<FieldChangeNode>> {
        let changes = self.changed.iter().cloned().map(FieldChangeNode::try_from);
        Ok(changes.collect::<Result<_, ApiError>>()?)
    }
}

/// An event that led to another.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "Cause")]
pub struct CauseNode {
    /// Its identity.
    pub id: Id<EventId>,
    /// Its place in the log.
    pub position: Position,
    /// Its stored type.
    pub kind: String,
    /// When the log took it.
    pub recorded_at: Instant,
    /// The operator who did it; null when a part of the system did.
    pub actor_id: Option<Id<OperatorId>>,
    /// The part of the system that did it; null when an operator did.
    pub system: Option<String>,
    /// The command that it is a result of.
    pub command_id: Id<CommandId>,
}

/// A value that an event changed.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "FieldChange")]
pub struct FieldChangeNode {
    /// Which value: a field of the object, for example `stage`, or a part of it, for example
    /// `fields.colour`, `contacts.<id>.value`, `viewings.<id>.state`, `followUp.outcome`.
    pub field: String,
    /// What it was; null when there was none.
    pub before: Option<ChangedValue>,
    /// What it is; null when there is none.
    pub after: Option<ChangedValue>,
}

/// A word, a code or an id.
#[derive(Clone, Debug, SimpleObject)]
pub struct WordValue {
    /// The word.
    pub word: String,
}

/// A value before or after a change, by kind.
#[derive(Clone, Debug, Union)]
pub enum ChangedValue {
    /// What names or describes a person.
    Text(TextValue),
    /// A word, a code or an id.
    Word(WordValue),
    /// One option.
    Choice(ChoiceValue),
    /// A decimal number.
    Number(NumberValue),
    /// Yes or no.
    Flag(FlagValue),
    /// A calendar day.
    Date(DateValue),
    /// A point in time.
    Instant(InstantValue),
    /// An amount.
    Money(MoneyValue),
}

impl TryFrom<Seen> for ChangedValue {
    type Error = ApiError;

    fn try_from(seen: Seen) -> Result<Self, ApiError> {
        Ok(match seen {
            Seen::Personal(text) => Self::Text(TextValue { text: text.into() }),
            Seen::Word(word) => Self::Word(WordValue { word }),
            Seen::Choice(option) => Self::Choice(ChoiceValue { option }),
            Seen::Number(number) => Self::Number(NumberValue { number: Decimal(number) }),
            Seen::Flag(flag) => Self::Flag(FlagValue { flag }),
            Seen::Date(date) => Self::Date(DateValue { date: Date(date) }),
            Seen::Instant(at) => Self::Instant(InstantValue { instant: Instant(at) }),
            Seen::Money(minor, currency) => {
                let currency = currency.parse().map_err(|error| ApiError::internal(&error))?;
                Self::Money(MoneyValue { money: Money(domain::values::Money { minor, currency }) })
            }
        })
    }
}

impl TryFrom<FieldChange> for FieldChangeNode {
    type Error = ApiError;

    fn try_from(change: FieldChange) -> Result<Self, ApiError> {
        Ok(Self {
            field: change.field,
            before: change.before.map(ChangedValue::try_from).transpose()?,
            after: change.after.map(ChangedValue::try_from).transpose()?,
        })
    }
}

fn who(actor: &Actor) -> (Option<Id<OperatorId>>, Option<String>) {
    match actor {
        Actor::Operator(id) => (Some(Id(*id)), None),
        Actor::System(name) => (None, Some(name.to_string())),
    }
}

impl From<&Cause> for CauseNode {
    fn from(cause: &Cause) -> Self {
        let (actor_id, system) = who(&cause.actor);
        Self {
            id: Id(cause.event_id),
            position: Position(cause.position),
            kind: cause.kind.clone(),
            recorded_at: Instant(cause.recorded_at),
            actor_id,
            system,
            command_id: Id(cause.command_id),
        }
    }
}

impl From<Change> for ChangeNode {
    fn from(change: Change) -> Self {
        let (actor_id, system) = who(&change.actor);
        let original = change.causes.last().map_or(change.command_id, |cause| cause.command_id);
        Self {
            id: Id(change.event_id),
            position: Position(change.position),
            kind: change.kind,
            recorded_at: Instant(change.recorded_at),
            occurred_at: Instant(change.occurred_at),
            actor_id,
            system,
            on_behalf_of_id: change.on_behalf_of.map(Id),
            line: change.line.map(Text),
            reason: change.reason.map(Text),
            policy_version: change.policy_version.and_then(|version| version.try_into().ok()),
            command_id: Id(change.command_id),
            correlation_id: Id(change.correlation_id),
            causation_id: change.causation_id.map(Id),
            original_command_id: (!change.causes_cut).then_some(Id(original)),
            causing: change.causes,
            changed: change.fields,
        }
    }
}
