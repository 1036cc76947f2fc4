//! What can be asked of an operator's record.

use super::role::{Role, Scope};
use crate::ids::OperatorId;
use crate::personal::Personal;

/// Commands to an operator's record.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorCommand {
    /// Make the operator known.
    Register {
        /// What the operator is called.
        name: Personal<String>,
    },
    /// Call the operator otherwise.
    Rename {
        /// The new name.
        name: Personal<String>,
    },
    /// Let the operator do more.
    GrantRole {
        /// Which role.
        role: Role,
        /// Whose role it will be.
        operator: OperatorId,
        /// Who grants it; nobody when the system does.
        by: Option<OperatorId>,
    },
    /// Let the operator do less.
    RevokeRole {
        /// Which role.
        role: Role,
    },
    /// Let the operator's roles hold elsewhere.
    ChangeScope {
        /// Where.
        scope: Scope,
        /// Lines and teams of the scope that do not exist.
        unknown: Vec<String>,
    },
    /// Let the operator do nothing until resumed.
    Suspend,
    /// Let the operator work again.
    Resume,
}
