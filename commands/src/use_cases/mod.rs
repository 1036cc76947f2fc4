//! Everything that users can do: one struct a use case, its fields are its input.
//!
//! Guarantees: a use case looks facts up, asks permission, lets aggregates decide and stages their
//! events; it has no effect of its own, so it may run again when another writer was faster.
//!
//! Deliberately absent: rules. A refusal comes from an aggregate, or from here only where no single
//! aggregate can know it (unique contacts and source keys).

pub mod business_line;
pub mod clue;
pub mod customer;
pub mod operator;
pub mod team;
