//! Business lines as the log defines them: stages, custom fields, policies.
//!
//! Guarantees: a row holds what folding the line's own events gives, nothing else. Deliberately
//! absent: history. Which version of a rule held when is in the log.

mod projector;
mod query;
#[cfg(test)]
mod tests;

pub use projector::{LineRow, Lines};
pub use query::{Line, load};
