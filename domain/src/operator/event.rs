//! What can happen to an operator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::role::{Role, Scope};
use crate::codec::event_contract;
use crate::personal::Personal;

/// Events of an operator. Who granted and revoked is the envelope's actor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OperatorEvent {
    /// The operator became known.
    Registered {
        /// What the operator is called.
        name: Personal<String>,
    },
    /// The operator is called otherwise.
    Renamed {
        /// The new name.
        name: Personal<String>,
    },
    /// The operator may do more.
    RoleGranted {
        /// Which role.
        role: Role,
    },
    /// The operator may do less.
    RoleRevoked {
        /// Which role.
        role: Role,
    },
    /// The operator's roles hold elsewhere.
    ScopeChanged {
        /// Where.
        scope: Scope,
    },
    /// The operator may do nothing until resumed.
    Suspended {},
    /// The operator may work again.
    Resumed {},
}

event_contract!(OperatorEvent {
    Registered => "operator.registered" v 1,
    Renamed => "operator.renamed" v 1,
    RoleGranted => "operator.role_granted" v 1,
    RoleRevoked => "operator.role_revoked" v 1,
    ScopeChanged => "operator.scope_changed" v 1,
    Suspended => "operator.suspended" v 1,
    Resumed => "operator.resumed" v 1,
});
