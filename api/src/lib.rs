//! The program `cluestream`: GraphQL, HTTP, console, command line, configuration, authentication.
//!
//! Guarantees: this is the only place where the write side, the read side and the outside meet; it
//! decides who calls and what a request may cost, and nothing about the business.
//!
//! Deliberately absent: business rules, which are in `domain`; SQL, which is in `commands` and
//! `projections`.

pub mod app;
pub mod auth;
mod cli;
pub mod config;
pub mod demo;
#[cfg(feature = "fail-points")]
mod fail_points;
pub mod graphql;
pub mod http;
pub mod keys;
pub mod proofs;
pub mod telemetry;

pub use cli::run;
