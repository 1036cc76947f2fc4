//! GraphQL: what every topic is made of — scalars, ids, pages with signed cursors, payloads, errors.
//!
//! Guarantees: whatever can exceed 32 bits is a string scalar; every mutation takes one input with a
//! `commandId` and answers with a `position` and typed `userErrors`; an error of ours never shows
//! more than one opaque code.
//!
//! Deliberately absent: business rules and authorisation. Each resolver calls exactly one use case or
//! one query, and those decide.

pub mod bi;
pub mod business_line;
pub mod clue;
pub mod connection;
pub mod cursor;
pub mod customer;
pub mod enums;
pub mod error;
pub mod history;
pub mod loaders;
pub mod operator;
pub mod page;
pub mod payload;
pub mod personal;
pub mod plain;
pub mod proof;
pub mod scalars;
mod schema;
pub mod services;
pub mod star;
#[cfg(test)]
pub(crate) mod tests;

pub use schema::{ApiSchemaBuilder, schema, sdl};
