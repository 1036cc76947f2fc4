//! The past: states as of an instant, and the changes of a clue or a customer.
//!
//! Guarantees: an answer as of an instant says at which position of the log it was given, and all of
//! its parts are of that position; what is not (operators and teams by name) says so in the schema.
//! Deliberately absent: rules of what may be seen, which the read side has.

mod types;

pub use types::{AsOf, ChangeNode, HISTORY};
