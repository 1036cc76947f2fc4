//! A business line: its stages, custom fields and policies are data, versioned as events.
//!
//! Guarantees: a published stage graph is whole (one way in, every stage reachable, one won and one
//! lost stage); a field keeps its key and kind for ever; policy edits publish a new version.
//!
//! Deliberately absent: which clues stand in which stage. A clue whose stage left the graph may
//! enter any stage of the new one.

mod aggregate;
mod command;
mod error;
mod event;
mod field;
mod policy;
mod spec;
mod stage_graph;
#[cfg(test)]
mod tests;

pub use aggregate::BusinessLine;
pub use command::BusinessLineCommand;
pub use error::BusinessLineError;
pub use event::BusinessLineEvent;
pub use field::{FieldDefinition, FieldKind, FieldOption, FieldValue, FieldValueError};
pub use policy::{
    FirstResponsePolicy, LossPolicy, LossReason, Policy, PolicyKind, PoolPolicy, ScorePolicy, Signal,
    SignalWeight,
};
pub use spec::LineSpec;
pub use stage_graph::{Move, Stage, StageCategory, StageGraph, StageGraphError};
