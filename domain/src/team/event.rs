//! What can happen to a team.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::event_contract;
use crate::values::{Label, LineKey};

/// Events of a team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TeamEvent {
    /// The team came to be.
    Registered {
        /// The business line that it works in.
        line: LineKey,
        /// What people call it.
        name: Label,
    },
    /// People call it otherwise now.
    Renamed {
        /// The new name.
        name: Label,
    },
    /// It gets no more work.
    Suspended {},
    /// It gets work again.
    Resumed {},
}

event_contract!(TeamEvent {
    Registered => "team.registered" v 1,
    Renamed => "team.renamed" v 1,
    Suspended => "team.suspended" v 1,
    Resumed => "team.resumed" v 1,
});
