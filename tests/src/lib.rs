//! What the suite stands on: real stores that each test has for itself, a clock that tests move.
//!
//! Guarantees: a test needs nothing from another one and leaves nothing behind; PostgreSQL is a
//! private cluster that lives as long as the test process, as a user that is not root.

pub mod clock;
pub mod eventstore_double;
pub mod faults;
pub mod generator;
pub mod given;
pub mod postgres;
pub mod process;
pub mod random;
pub mod served;
pub mod stores;
