//! The shape of mutations: one input with a command id, one payload with a position and user errors.

use async_graphql::SimpleObject;
use domain::Refusal;

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

impl UserError {
    /// A refusal of the domain.
    #[must_use]
    pub fn of(refusal: &dyn Refusal) -> Self {
        Self { code: refusal.code().to_owned(), message: refusal.to_string(), field: refusal.field() }
    }
}

/// Declares the input of a mutation: the given fields, a command id, and the revision that the
/// caller saw.
#[macro_export]
macro_rules! mutation_input {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, async_graphql::InputObject)]
        pub struct $name {
            /// A new UUID of version 7 for every intent. A repeat returns the first result.
            pub command_id: $crate::graphql::scalars::Uuid,
            /// The revision that the caller saw; the mutation is refused when there is a newer one.
            pub expected_revision: Option<$crate::graphql::scalars::Long>,
            $($(#[$fmeta])* pub $field: $ty,)*
        }
    };
}

/// Declares the payload of a mutation: the given fields, the position of its last event, and why it
/// was refused.
#[macro_export]
macro_rules! mutation_payload {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, async_graphql::SimpleObject)]
        pub struct $name {
            /// Where the log stands with what this mutation led to; for `atLeast` of a query.
            pub position: Option<$crate::graphql::scalars::Position>,
            /// Why it was refused; empty when it was not.
            pub user_errors: Vec<$crate::graphql::payload::UserError>,
            $($(#[$fmeta])* pub $field: $ty,)*
        }
    };
}
