//! The write side: event log and its backends, its proof, key vault, command service, import.
//!
//! Guarantees: a command is decided on the newest state that this process knows and appended only
//! if that state still is the newest; an acknowledged command is in the log; a command id has one
//! effect, however often it is sent; personal data leaves this crate sealed.
//!
//! Deliberately absent: projections, queries, GraphQL, and any rule of the business, which is in
//! `domain`.

pub mod backup;
pub mod clock;
pub mod event_log;
pub mod import;
pub mod line_file;
pub mod proof;
pub mod service;
pub mod use_cases;
pub mod vault;

pub use service::{CommandContext, CommandError, CommandService, Receipt, Refused};
