//! An operator: a person who works with the platform, with roles and a scope.
//!
//! Guarantees: nobody grants a role to oneself; a suspended operator keeps roles and scope but may
//! do nothing until resumed. What a role allows is decided where data is read and commands enter.

mod aggregate;
mod command;
mod error;
mod event;
mod role;
#[cfg(test)]
mod tests;

pub use aggregate::Operator;
pub use command::OperatorCommand;
pub use error::OperatorError;
pub use event::OperatorEvent;
pub use role::{Role, Scope};
