//! One newtype for every identity. Ids are UUIDv7, made outside the domain and never reused.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Declares an id newtype over a UUID.
macro_rules! uuid_id {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that was made outside the domain.
            #[must_use]
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

uuid_id! {
    /// A sales lead (线索).
    ClueId;
    /// A person with contact points (客户).
    CustomerId;
    /// One phone number or address of a customer; random, so that it says nothing of the number.
    ContactPointId;
    /// A person who works with the platform.
    OperatorId;
    /// A group of operators inside one business line.
    TeamId;
    /// One logged contact with a customer.
    FollowUpId;
    /// One appointment to see a car.
    ViewingId;
    /// One recorded event.
    EventId;
    /// One mutation as its caller named it; a repeat returns the first result.
    CommandId;
    /// One intent of a user, across every command and event that it led to.
    CorrelationId;
    /// A person whose data key seals personal fields: a customer or an operator.
    SubjectId;
}

impl From<CustomerId> for SubjectId {
    fn from(id: CustomerId) -> Self {
        Self(id.0)
    }
}

impl From<OperatorId> for SubjectId {
    fn from(id: OperatorId) -> Self {
        Self(id.0)
    }
}

impl CommandId {
    /// Milliseconds since the Unix epoch that a UUIDv7 carries; `None` for another UUID version.
    #[must_use]
    pub fn unix_millis(self) -> Option<u64> {
        let (seconds, nanos) = self.0.get_timestamp().filter(|_| self.0.get_version_num() == 7)?.to_unix();
        Some(seconds * 1_000 + u64::from(nanos) / 1_000_000)
    }
}
