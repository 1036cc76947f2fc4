//! The shape of mutations: one input with a command id, one payload with a position and user errors.

use async_graphql::SimpleObject;
use commands::{Receipt, Refused};
use domain::Position;

use super::error::ApiError;
use super::scalars;
use super::services::Outcome;

/// Why the business refused a mutation. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct UserError {
    /// A stable word to switch on.
    pub code: String,
    /// For people.
    pub message: String,
    /// The input that is to blame, as a path such as `fields.budget`.
    pub field: Option<String>,
}

impl From<Refused> for UserError {
    fn from(refused: Refused) -> Self {
        Self { code: refused.code, message: refused.message, field: refused.field }
    }
}

/// What every payload says.
#[derive(Clone, Debug, Default)]
pub struct Result {
    /// Where the log shows the effect.
    pub position: Option<scalars::Position>,
    /// The revision of what was changed.
    pub revision: Option<scalars::Long>,
    /// Why it was refused.
    pub user_errors: Vec<UserError>,
}

/// What a payload is made of.
pub struct Answer {
    /// What every payload says.
    pub result: Result,
    /// The receipt, when it was done.
    pub receipt: Option<Receipt>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Refused(error) => {
                Self { result: Result { user_errors: vec![error], ..Result::default() }, receipt: None }
            }
            Outcome::Done(receipt) => {
                let Receipt { position, revision, .. } = receipt;
                let position = (position > Position::ZERO).then_some(scalars::Position(position));
                let revision = Some(scalars::Long(revision.get()));
                let result = Result { position, revision, user_errors: Vec::new() };
                Self { result, receipt: Some(receipt) }
            }
        }
    }
}

impl Answer {
    /// An id that the command made or found.
    ///
    /// # Errors
    /// When the receipt names no such id: a fault of ours.
    pub fn id<T: std::str::FromStr>(&self, name: &str) -> std::result::Result<Option<T>, ApiError> {
        let Some(receipt) = &self.receipt else { return Ok(None) };
        let id = receipt.id(name).and_then(|id| id.parse().ok());
        id.map(Some).ok_or_else(|| ApiError::internal(&format!("no {name} in a receipt")))
    }
}

/// Declares the input of a mutation: the given fields, a command id, and the revision that the
/// caller saw.
#[macro_export]
macro_rules! mutation_input {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, async_graphql::InputObject)]
        pub struct $name {
            /// A new UUID of version 7 for every intent. A repeat returns the first result.
            pub command_id: $crate::graphql::scalars::Uuid,
            /// The revision that the caller saw; the mutation is refused when there is a newer one.
            pub expected_revision: Option<$crate::graphql::scalars::Long>,
            $($(#[$fmeta])* pub $field: $ty,)*
        }
    )+};
}

/// Declares the payload of a mutation: the ids that it made or changed, each with its name in the
/// receipt, the position and revision that show it, and why it was refused.
#[macro_export]
macro_rules! mutation_payload {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $wrapper:ident[$ty:ty] = $receipt:literal),* $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        pub struct $name {
            /// Where the log shows the effect; for `atLeast` of a query.
            pub position: Option<$crate::graphql::scalars::Position>,
            /// The revision of what was changed; for `expectedRevision` of the next mutation.
            pub revision: Option<$crate::graphql::scalars::Long>,
            /// Why it was refused; empty when it was not.
            pub user_errors: Vec<$crate::graphql::payload::UserError>,
            $($(#[$fmeta])* pub $field: Option<$crate::graphql::scalars::$wrapper<$ty>>,)*
        }

        impl TryFrom<$crate::graphql::services::Outcome> for $name {
            type Error = $crate::graphql::error::ApiError;

            fn try_from(outcome: $crate::graphql::services::Outcome) -> Result<Self, Self::Error> {
                let answer = $crate::graphql::payload::Answer::from(outcome);
                $(let $field = answer.id($receipt)?.map($crate::graphql::scalars::$wrapper);)*
                let $crate::graphql::payload::Result { position, revision, user_errors } = answer.result;
                Ok(Self { position, revision, user_errors, $($field,)* })
            }
        }
    )+};
}
