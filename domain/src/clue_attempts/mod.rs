//! Refused claims of a clue: who tried, when, why not, and who had won.
//!
//! Guarantees: every refused claim is a fact of its own stream, so that attempts conflict with
//! nothing that happens to the clue.

mod aggregate;
mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

pub use aggregate::ClueAttempts;
pub use command::ClueAttemptsCommand;
pub use error::ClueAttemptsError;
pub use event::ClueAttemptsEvent;
