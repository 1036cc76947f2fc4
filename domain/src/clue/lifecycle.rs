//! Where a clue is in its life.

use serde::{Deserialize, Serialize};

/// Where a clue is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lifecycle {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// Came in; neither pooled nor owned.
    Captured,
    /// Open to claim.
    Pooled,
    /// Somebody works it.
    Owned,
    /// Its owner holds it for lost; somebody must decide.
    LossReview,
    /// The deal is done.
    Won,
    /// The deal is lost.
    Lost,
    /// No real clue.
    Invalid,
}

impl Lifecycle {
    /// Whether nothing but reopening changes the clue any more.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Won | Self::Lost | Self::Invalid)
    }

    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Captured => "captured",
            Self::Pooled => "pooled",
            Self::Owned => "owned",
            Self::LossReview => "loss_review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Invalid => "invalid",
        }
    }
}
