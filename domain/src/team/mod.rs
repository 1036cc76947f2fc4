//! A team: a group of operators inside one business line. Who works in it is in the operators'
//! scopes.

mod aggregate;
mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

pub use aggregate::Team;
pub use command::TeamCommand;
pub use error::TeamError;
pub use event::TeamEvent;
