//! A customer: a person with contact points.
//!
//! Guarantees: identity (name, contact points) lives in these events alone and is sealed from the
//! first; star status changes only by events; linking never deletes, so unlinking restores exactly
//! what was; an erased customer takes no further command.
//!
//! Deliberately absent: which contact belongs to whom across customers. The event log keeps that
//! unique in the append transaction; the customer knows its own contact points by random ids.

mod aggregate;
mod command;
mod error;
mod event;
mod star;
#[cfg(test)]
mod tests;

pub use aggregate::{ContactPoint, Customer};
pub use command::CustomerCommand;
pub use error::CustomerError;
pub use event::CustomerEvent;
pub use star::{InvalidStarTier, StarBasis, StarTier};
