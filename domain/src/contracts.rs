//! Every event of the platform in one place: decoding any of them, and the list of their types.

use std::sync::LazyLock;

use crate::business_line::{BusinessLine, BusinessLineEvent};
use crate::clue::{Clue, ClueEvent};
use crate::clue_attempts::{ClueAttempts, ClueAttemptsEvent};
use crate::codec::{DecodeError, EventContract, EventType, Upcasters};
use crate::customer::{Customer, CustomerEvent};
use crate::envelope::StreamId;
use crate::operator::{Operator, OperatorEvent};
use crate::team::{Team, TeamEvent};

static UPCASTERS: LazyLock<Upcasters> = LazyLock::new(Upcasters::current);

/// Declares the enum over all aggregates' events, with its decoding.
macro_rules! events {
    ($($variant:ident($aggregate:ty, $event:ty)),+ $(,)?) => {
        /// An event of any aggregate.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $(#[allow(missing_docs)] $variant($event)),+
        }

        impl Event {
            /// Reads a stored event through the upcasters.
            ///
            /// # Errors
            /// When its shape is wrong, or a newer program wrote it.
            pub fn decode(
                stream: &StreamId,
                name: &str,
                version: &str,
                payload: &str,
            ) -> Result<Self, DecodeError> {
                match stream.aggregate_type() {
                    $(<$aggregate as cqrs_es::Aggregate>::TYPE => {
                        UPCASTERS.decode(name, version, payload).map(Self::$variant)
                    })+
                    _ => Err(DecodeError::UnknownType { name: name.to_owned() }),
                }
            }
        }

        /// The stored name of every kind of aggregate.
        pub fn aggregate_types() -> impl Iterator<Item = &'static str> {
            [$(<$aggregate as cqrs_es::Aggregate>::TYPE),+].into_iter()
        }

        /// Every event type that this program writes, with the JSON Schema of its aggregate's events.
        pub fn event_types() -> impl Iterator<Item = EventType> {
            [$(<$event>::TYPES),+].into_iter().flatten().copied()
        }

        /// The JSON Schema of the events of each kind of aggregate.
        #[must_use]
        pub fn event_schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$((<$aggregate as cqrs_es::Aggregate>::TYPE, schemars::schema_for!($event))),+]
        }
    };
}

events! {
    BusinessLine(BusinessLine, BusinessLineEvent),
    Customer(Customer, CustomerEvent),
    Clue(Clue, ClueEvent),
    ClueAttempts(ClueAttempts, ClueAttemptsEvent),
    Operator(Operator, OperatorEvent),
    Team(Team, TeamEvent),
}

/// The upcasters of this program.
#[must_use]
pub fn upcasters() -> &'static Upcasters {
    &UPCASTERS
}

#[cfg(test)]
mod tests;
