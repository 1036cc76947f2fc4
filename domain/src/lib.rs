//! What the business is: aggregates, value objects, policies, event contracts, and the ports that
//! the write side and the read side share.
//!
//! Guarantees: every aggregate is a pure pair of functions, `decide` and `evolve`; the same events
//! always fold to the same state; every refusal is a variant of a closed enum with a stable code.
//!
//! Deliberately absent: IO, SQL, HTTP, a clock, randomness. Time, ids and looked-up facts arrive
//! inside the command.

pub mod aggregate;
pub mod business_line;
pub mod clue;
pub mod clue_attempts;
pub mod codec;
pub mod contracts;
pub mod customer;
pub mod envelope;
pub mod ids;
pub mod operator;
pub mod personal;
pub mod ports;
pub mod proof;
pub mod team;
pub mod values;

pub use aggregate::{Aggregate, Refusal};
pub use codec::{DecodeError, EventContract, EventType};
pub use contracts::Event;
pub use envelope::{Actor, Metadata, Position, RecordedEvent, Revision, StreamId};
pub use personal::{Personal, SealedText};
pub use values::Instant;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
