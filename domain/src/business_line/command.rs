//! What can be asked of a business line.

use super::field::FieldDefinition;
use super::policy::Policy;
use super::spec::LineSpec;
use super::stage_graph::StageGraph;
use crate::values::{FieldKey, Label};

/// Commands to a business line.
#[derive(Clone, Debug, PartialEq)]
pub enum BusinessLineCommand {
    /// Bring the line to this description, defining it when it does not exist; says nothing twice.
    Apply(Box<LineSpec>),
    /// Call it otherwise.
    Rename {
        /// The new name.
        name: Label,
    },
    /// Put a new stage graph in force.
    PublishStageGraph {
        /// The graph.
        graph: StageGraph,
    },
    /// Define a custom field, or change what may change of it.
    DefineField {
        /// The whole definition.
        field: FieldDefinition,
    },
    /// Take no new values for a field.
    RetireField {
        /// Which field.
        key: FieldKey,
    },
    /// Put new rules in force.
    PublishPolicy {
        /// The rules.
        policy: Policy,
    },
    /// Take no new clues.
    Suspend,
    /// Take clues again.
    Resume,
}
