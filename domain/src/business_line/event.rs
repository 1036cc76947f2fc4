//! What can happen to a business line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::field::FieldDefinition;
use super::policy::Policy;
use super::stage_graph::StageGraph;
use crate::codec::event_contract;
use crate::values::{Country, Currency, FieldKey, Label, LineKey, TimeZone};

/// Events of a business line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BusinessLineEvent {
    /// The line came to be.
    Defined {
        /// Its identity for ever.
        key: LineKey,
        /// What people call it.
        name: Label,
        /// Whose numbering plan reads phone numbers without a prefix.
        country: Country,
        /// Where its local days begin.
        time_zone: TimeZone,
        /// The currency of its amounts.
        currency: Currency,
    },
    /// People call it otherwise now.
    Renamed {
        /// The new name.
        name: Label,
    },
    /// A version of the stage graph came into force.
    StageGraphPublished {
        /// Version of the graph, from 1.
        version: u32,
        /// The graph.
        graph: StageGraph,
    },
    /// A custom field came into force, or its label, options or requirements changed.
    FieldDefined {
        /// The whole definition.
        field: FieldDefinition,
    },
    /// A custom field takes no new values.
    FieldRetired {
        /// Which field.
        key: FieldKey,
    },
    /// A version of one policy came into force.
    PolicyPublished {
        /// Version of this kind of policy, from 1.
        version: u32,
        /// The rules.
        policy: Policy,
    },
    /// The line takes no new clues.
    Suspended {},
    /// The line takes clues again.
    Resumed {},
}

event_contract!(BusinessLineEvent {
    Defined => "business_line.defined" v 1,
    Renamed => "business_line.renamed" v 1,
    StageGraphPublished => "business_line.stage_graph_published" v 1,
    FieldDefined => "business_line.field_defined" v 1,
    FieldRetired => "business_line.field_retired" v 1,
    PolicyPublished => "business_line.policy_published" v 1,
    Suspended => "business_line.suspended" v 1,
    Resumed => "business_line.resumed" v 1,
});
