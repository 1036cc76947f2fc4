//! Customers: identity, contact points, stars, consent, and the timeline of all that happened.

mod mutation;
mod query;
mod timeline;
mod types;

pub use mutation::CustomerMutation;
pub(in crate::graphql) use mutation::{ContactInput, contacts};
pub use query::CustomerQuery;
pub(in crate::graphql) use query::read_phone;
pub use timeline::{TIMELINE, TimelineNode};
pub use types::CustomerNode;
