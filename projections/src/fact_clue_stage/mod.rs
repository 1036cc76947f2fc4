//! BI fact: one row for every interval that a clue stood in a stage.
//!
//! Guarantees: intervals of a clue are numbered from 1 and do not overlap; a clue that stands in a
//! stage has exactly one open interval; no personal data, so BI reads the table as it is.
//!
//! Deliberately absent: working hours. Seconds are calendar seconds of business time.

mod projector;
mod query;
#[cfg(test)]
mod tests;

pub use projector::{FactClueStage, StageIntervalRow};
pub use query::{FactClueStageQuery, StageSummary};
