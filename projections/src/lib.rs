//! The read side: read models, the runner that keeps them, and the queries that they answer.
pub mod changes;
pub mod rebuild;
pub mod runner;
pub mod sql;
