//! Proofs of the log: the newest checkpoint, that an event is in it, that the log only grew.

mod query;
mod types;

pub use query::ProofQueries;
