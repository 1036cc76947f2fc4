//! What can happen around a clue without changing it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::event_contract;
use crate::ids::OperatorId;
use crate::values::{Code, Instant};

/// Events of a clue's attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClueAttemptsEvent {
    /// An operator wanted the clue and did not get it.
    ClaimRefused {
        /// Who tried.
        operator_id: OperatorId,
        /// When.
        at: Instant,
        /// The code of the refusal.
        reason: Code,
        /// Who had it, when somebody had.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        winner: Option<OperatorId>,
        /// Since when the winner had it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        won_at: Option<Instant>,
    },
}

event_contract!(ClueAttemptsEvent {
    ClaimRefused => "clue_attempts.claim_refused" v 1,
});
