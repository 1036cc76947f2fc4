//! The past: clues and customers as they were at any position of the log, and every change with who,
//! when, why and what.
//!
//! Guarantees: a state of the past is what the lists showed when the log ended there, apart from two
//! things. *Permissions are of today*: a viewer sees a past state of a clue or a customer when the
//! rights of today show the present one, and with the sight of today, so that a clue that went to
//! another owner takes its past along. *An erasure reaches the past*: what named or described the person
//! is gone from every state. A list of the past costs a page along an index, whatever the age of the log
//! (see `era.rs`), when its filter passes much of what it walks by; a filter that passes little walks on,
//! as it does in the present list. What changed is the difference of two states, for every event there is.
//!
//! Deliberately absent: states between positions, counts of the past, and the names of operators and
//! teams as they were: those are of the directory as it is now.

mod changes;
mod clue;
mod customer;
mod customers;
mod diff;
mod era;
mod list;
mod projector;
mod query;
mod rows;
#[cfg(test)]
mod tests;
mod value;

pub use changes::{Cause, Change, FieldChange, MAX_CAUSES};
pub use projector::History;
pub use query::HistoryQuery;
pub use value::{Seen, ValueKind};
