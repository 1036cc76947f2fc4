//! Customers, and the timeline of all that happened with them.
//!
//! Guarantees: a customer is visible through a clue that the viewer may see, or through a line in
//! which the viewer serves customers; contact values leave as [`crate::Shown`]; an erasure leaves
//! the row and the facts, and neither name, value, hash nor note.
//!
//! Deliberately absent: merging of linked customers into one. Links are shown; each customer keeps
//! its own history.

mod clues;
mod projector;
mod query;
mod rows;
#[cfg(test)]
mod tests;
mod timeline;

pub use projector::Customers;
pub use query::{ContactItem, CustomerItem, CustomerQuery, StarItem};
pub(crate) use query::{access_to, visible};
pub use rows::CustomerRow;
pub use timeline::TimelineItem;
