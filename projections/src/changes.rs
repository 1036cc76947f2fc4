//! What watchers of a read model hear: which clues changed, after the change is committed.
//!
//! Guarantees: a change is told only after the model's commit, so that a query that follows sees
//! at least that; changes of one model come in the order of positions. Deliberately absent: rows.
//! A watcher asks the model with its own [`crate::Viewer`], so that a subscription can never show
//! more than a query. Whoever lags behind the broadcast reads what changed and what left behind the
//! last position that it saw; so does whoever was told up to a position before [`Changes::since`], for
//! another process kept the model until then and told nobody here.

use std::sync::Arc;

use domain::envelope::Position;
use domain::ids::{ClueId, OperatorId, TeamId};
use domain::values::LineKey;

/// A clue that changed, and whose it was and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedClue {
    /// Which clue.
    pub clue_id: ClueId,
    /// Position of the last event in it.
    pub position: Position,
    /// By which event it first left who had it before the batch; `None` when it did not.
    pub left: Option<Position>,
    /// Its business line.
    pub line: LineKey,
    /// Who owns it, and who owned it before the batch.
    pub owners: [Option<OperatorId>; 2],
    /// Whose team has it, and which had it before the batch.
    pub teams: [Option<TeamId>; 2],
    /// Whether it is, or was, open to claim.
    pub pooled: bool,
}

/// What one commit of one read model changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The read model.
    pub model: &'static str,
    /// Where this process took the model over: it told of everything behind that.
    pub since: Position,
    /// How far it is now.
    pub position: Position,
    /// The clues, each once.
    pub clues: Arc<[ChangedClue]>,
}
