//! Operators and teams: who there is, what for, and where.
//!
//! Guarantees: a row holds what folding the operator's or team's own events gives. Deliberately
//! absent: credentials, which are the edge's business, and any record of what operators did.

mod projector;
mod query;
#[cfg(test)]
mod tests;

pub use projector::{OperatorRow, Operators, TeamRow};
pub use query::{OperatorEntry, TeamEntry, load};
