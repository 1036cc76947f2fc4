//! The schema as a contract, and every topic over HTTP on a real store.

mod changes;
mod clues;
mod contract;
mod customers;
mod live;
mod past;
mod people;
mod proofs;
pub(crate) mod world;
