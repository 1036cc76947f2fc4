//! What can be recorded around a clue.

use crate::ids::OperatorId;
use crate::values::{Code, Instant};

/// Commands to a clue's attempts.
#[derive(Clone, Debug, PartialEq)]
pub enum ClueAttemptsCommand {
    /// Record a refused claim.
    RecordRefusedClaim {
        /// Who tried.
        operator_id: OperatorId,
        /// When.
        at: Instant,
        /// The code of the refusal.
        reason: Code,
        /// Who had it, when somebody had.
        winner: Option<OperatorId>,
        /// Since when the winner had it.
        won_at: Option<Instant>,
    },
}
