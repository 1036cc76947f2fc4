//! Roles and scopes.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::TeamId;
use crate::values::LineKey;

/// What an operator is there for. Several may be held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works own clues and claims from the pool.
    Agent,
    /// Assigns and transfers within the team, decides losses.
    TeamLead,
    /// Runs whole business lines: policies, people, reports.
    Manager,
    /// Serves customers; sees a summary of them.
    ServiceRep,
    /// Runs the call centre.
    CallSupervisor,
    /// Reads pseudonymised events and aggregates.
    Bi,
    /// Reads everything, changes nothing.
    Auditor,
    /// Configures lines and people; sees no personal data.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Agent,
        Self::TeamLead,
        Self::Manager,
        Self::ServiceRep,
        Self::CallSupervisor,
        Self::Bi,
        Self::Auditor,
        Self::Admin,
    ];

    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::TeamLead => "team_lead",
            Self::Manager => "manager",
            Self::ServiceRep => "service_rep",
            Self::CallSupervisor => "call_supervisor",
            Self::Bi => "bi",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }
}

/// Where an operator's roles hold. Nothing named, nothing seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Business lines.
    pub lines: BTreeSet<LineKey>,
    /// Teams; an operator works in these.
    pub teams: BTreeSet<TeamId>,
}
