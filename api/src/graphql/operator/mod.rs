//! Operators and teams: who works with the platform, in which roles, where.

mod mutation;
mod query;
mod types;

pub use mutation::OperatorMutation;
pub use query::OperatorQuery;
pub(in crate::graphql) use query::fresh;
pub use types::{OperatorNode, TeamNode, sees_names};
