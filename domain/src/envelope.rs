//! The envelope: everything about an event that is not its payload.

use std::borrow::Cow;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::aggregate::Aggregate;
use crate::ids::{CommandId, CorrelationId, EventId, OperatorId, SubjectId};
use crate::values::{Code, Instant, LineKey, parse_text};

/// Place of an event in the whole log: dense, from 1, visible in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(i64);

/// Place of an event in its stream: dense, from 1. Zero is the revision of a stream without events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(i64);

/// Declares the arithmetic that positions and revisions share.
macro_rules! counter {
    ($($name:ident),+) => {$(
        impl $name {
            /// Before the first event.
            pub const ZERO: Self = Self(0);

            /// A place from its number; negative numbers count as zero.
            #[must_use]
            pub const fn new(number: i64) -> Self {
                Self(if number < 0 { 0 } else { number })
            }

            /// Its number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }

            /// The place `count` events later.
            #[must_use]
            pub fn plus(self, count: usize) -> Self {
                Self(self.0.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)))
            }

            /// The place after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<u32>().map(i64::from).or_else(|_| text.parse::<i64>()).map(Self::new)
            }
        }
    )+};
}

counter!(Position, Revision);

/// Names one stream: the kind of aggregate and which one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    aggregate_type: Cow<'static, str>,
    id: Box<str>,
}

impl StreamId {
    /// The stream of one aggregate.
    #[must_use]
    pub fn of<A: Aggregate>(id: &A::Id) -> Self {
        Self { aggregate_type: Cow::Borrowed(A::TYPE), id: id.to_string().into() }
    }

    /// A stream by its stored names.
    #[must_use]
    pub fn stored(aggregate_type: &str, id: &str) -> Self {
        let aggregate_type = crate::contracts::aggregate_types()
            .find(|known| *known == aggregate_type)
            .map_or_else(|| Cow::Owned(aggregate_type.to_owned()), Cow::Borrowed);
        Self { aggregate_type, id: id.into() }
    }

    /// The kind of aggregate, for example `clue`.
    #[must_use]
    pub fn aggregate_type(&self) -> &str {
        &self.aggregate_type
    }

    /// Which aggregate of its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.aggregate_type, self.id)
    }
}

/// Who did it: a person, or a named part of the system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// An operator of the platform.
    Operator(OperatorId),
    /// A part of the system, for example `import`.
    System(Code),
}

impl Actor {
    /// The operator, when a person did it.
    #[must_use]
    pub const fn operator(&self) -> Option<OperatorId> {
        match self {
            Self::Operator(id) => Some(*id),
            Self::System(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "operator:{id}"),
            Self::System(name) => write!(f, "system:{name}"),
        }
    }
}

/// Text that names no actor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor is operator:<id> or system:<name>")]
pub struct InvalidActor;

impl FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("operator", id)) => id.parse().map(Self::Operator).map_err(|_| InvalidActor),
            Some(("system", name)) => Code::new(name).map(Self::System).map_err(|_| InvalidActor),
            _ => Err(InvalidActor),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse_text(deserializer)
    }
}

/// What is stored beside an event's payload. Every value is JSON text, as cqrs-es expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The event's own identity.
    pub event_id: EventId,
    /// Business time; clocks and business dates use it.
    pub occurred_at: Instant,
    /// Who did it.
    pub actor: Actor,
    /// For whom the actor did it, when for somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<OperatorId>,
    /// The business line it belongs to, when to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineKey>,
    /// The person it is about; its personal fields are sealed under that person's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// The mutation that it is a result of.
    pub command_id: CommandId,
    /// The intent of a user that it is a result of.
    pub correlation_id: CorrelationId,
    /// The event that made the system issue the command, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// Why, as a word from the business's own lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// The version of the business line's rules that the decision used.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "version_text")]
    pub policy_version: Option<u32>,
    /// W3C `traceparent` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// A version as JSON text.
mod version_text {
    use serde::{Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn serialize<S: Serializer>(version: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Some(version) => serializer.collect_str(version),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
        crate::values::parse_text(deserializer).map(Some)
    }
}

/// An event as the log holds it. Personal fields inside `payload` are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Place in the stream.
    pub revision: Revision,
    /// Stored type name, for example `clue.captured`.
    pub event_type: Box<str>,
    /// Stored version of the type.
    pub event_version: Box<str>,
    /// When the log took it; never runs backwards along positions.
    pub recorded_at: Instant,
    /// Payload JSON, byte for byte as stored.
    pub payload: Box<str>,
    /// The rest of the envelope.
    pub metadata: Metadata,
}

impl CorrelationId {
    /// A command that nothing led to begins its own intent.
    #[must_use]
    pub const fn starting_with(command: CommandId) -> Self {
        Self::new(command.uuid())
    }
}

impl From<EventId> for Uuid {
    fn from(id: EventId) -> Self {
        id.uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_round_trips_and_holds_only_text() {
        let metadata = Metadata {
            event_id: EventId::new(Uuid::from_u128(1)),
            occurred_at: Instant::from_micros(7),
            actor: Actor::Operator(OperatorId::new(Uuid::from_u128(2))),
            on_behalf_of: None,
            line: Some(LineKey::new("sales").unwrap()),
            subject: None,
            command_id: CommandId::new(Uuid::from_u128(3)),
            correlation_id: CorrelationId::new(Uuid::from_u128(3)),
            causation_id: None,
            reason: None,
            policy_version: Some(4),
            trace: None,
        };
        let json = serde_json::to_value(&metadata).unwrap();
        assert!(json.as_object().unwrap().values().all(serde_json::Value::is_string), "{json}");
        assert_eq!(serde_json::from_value::<Metadata>(json).unwrap(), metadata);
    }
}
