//! Event contracts: stored type names and versions, and reading any version ever written.
//!
//! Invariant: events are never edited. A new shape is a new version with its own sample in
//! `contracts/` and an upcaster from the version before. A type or a version newer than this
//! program is an error that stops the reader; it is never skipped.

use std::fmt;

use cqrs_es::DomainEvent;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use schemars::JsonSchema;
use serde_json::Value;

/// The stored name of a kind of event and the version that this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// For example `clue.captured`; never changes.
    pub name: &'static str,
    /// Starts at 1.
    pub version: u32,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// The events of one aggregate as a contract: what they are called in the log.
///
/// Their JSON is externally tagged with the part of the type name behind the dot, so that stock
/// cqrs-es repositories read them as they are.
pub trait EventContract: DomainEvent + JsonSchema {
    /// Every type that this program writes.
    const TYPES: &'static [EventType];

    /// The type of this event.
    fn contract(&self) -> EventType;
}

/// Implements [`EventContract`] and `cqrs_es::DomainEvent` for an event enum.
macro_rules! event_contract {
    ($event:ty { $($variant:ident => $name:literal v $version:literal),+ $(,)? }) => {
        impl $crate::codec::EventContract for $event {
            const TYPES: &'static [$crate::codec::EventType] = &[
                $($crate::codec::EventType { name: $name, version: $version }),+
            ];

            fn contract(&self) -> $crate::codec::EventType {
                match self {
                    $(Self::$variant { .. } => {
                        $crate::codec::EventType { name: $name, version: $version }
                    })+
                }
            }
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                $crate::codec::EventContract::contract(self).name.to_owned()
            }

            fn event_version(&self) -> String {
                $crate::codec::EventContract::contract(self).version.to_string()
            }
        }
    };
}

pub(crate) use event_contract;

/// Why a stored event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No program of this version writes such a type.
    #[error("the log holds events of type {name}, which this program does not know; use a newer one")]
    UnknownType {
        /// The stored type name.
        name: String,
    },
    /// A newer program wrote it.
    #[error("the log holds {name} of version {version}, this program reads up to {known}; use a newer one")]
    NewerVersion {
        /// The stored type name.
        name: String,
        /// The stored version.
        version: String,
        /// The newest version that this program reads.
        known: u32,
    },
    /// The payload does not have the shape of its type and version.
    #[error("event of type {name} version {version} is malformed: {reason}")]
    Malformed {
        /// The stored type name.
        name: String,
        /// The stored version.
        version: String,
        /// What is wrong, by line and column; never a stored value.
        reason: String,
    },
}

impl DecodeError {
    /// Whether a newer program wrote the event: a reader must stop, for only an upgrade helps.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(self, Self::UnknownType { .. } | Self::NewerVersion { .. })
    }
}

/// Every upcaster, oldest version first. Each lifts one version of one type to the next.
#[derive(Default)]
pub struct Upcasters(Vec<Box<dyn EventUpcaster>>);

impl Upcasters {
    /// A chain of upcasters, applied in this order.
    #[must_use]
    pub fn new(chain: Vec<Box<dyn EventUpcaster>>) -> Self {
        Self(chain)
    }

    /// The upcasters of this program. Every event type is still at its first version.
    #[must_use]
    pub fn current() -> Self {
        Self::default()
    }

    /// Reads an event of any version that this program or an older one wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode<E: EventContract>(
        &self,
        name: &str,
        version: &str,
        payload: &str,
    ) -> Result<E, DecodeError> {
        let known = E::TYPES
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| DecodeError::UnknownType { name: name.to_owned() })?;
        let malformed = |error: &dyn fmt::Display| DecodeError::Malformed {
            name: name.to_owned(),
            version: version.to_owned(),
            reason: redacted(&error.to_string()),
        };
        let stored: u32 = version.parse().map_err(|error| malformed(&error))?;
        if stored == known.version {
            return serde_json::from_str(payload).map_err(|error| malformed(&error));
        }
        if stored > known.version {
            return Err(DecodeError::NewerVersion {
                name: name.to_owned(),
                version: version.to_owned(),
                known: known.version,
            });
        }
        let payload = serde_json::from_str(payload).map_err(|error| malformed(&error))?;
        let lifted = self.lift(name, version, payload);
        if lifted.event_version != known.version.to_string() {
            return Err(malformed(&"no upcaster lifts it to the current version"));
        }
        serde_json::from_value(lifted.payload).map_err(|error| malformed(&error))
    }

    /// Reads an event as a stock cqrs-es repository loads it.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_value<E: EventContract>(&self, event: SerializedEvent) -> Result<E, DecodeError> {
        let known = E::TYPES.iter().find(|known| known.name == event.event_type);
        if known.is_some_and(|known| known.version.to_string() == event.event_version) {
            return serde_json::from_value(event.payload).map_err(|error| DecodeError::Malformed {
                name: event.event_type,
                version: event.event_version,
                reason: redacted(&error.to_string()),
            });
        }
        self.decode(&event.event_type, &event.event_version, &event.payload.to_string())
    }

    fn lift(&self, name: &str, version: &str, payload: Value) -> SerializedEvent {
        let event = SerializedEvent::new(
            String::new(),
            0,
            String::new(),
            name.to_owned(),
            version.to_owned(),
            payload,
            Value::Null,
        );
        self.0.iter().fold(event, |event, upcaster| {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                upcaster.upcast(event)
            } else {
                event
            }
        })
    }
}

/// serde_json quotes offending values between backticks; they may be personal data.
fn redacted(message: &str) -> String {
    let mut quoted = false;
    message
        .chars()
        .filter(|&c| {
            let keep = !quoted || c == '`';
            if c == '`' || c == '"' {
                quoted = !quoted;
            }
            keep
        })
        .collect()
}
