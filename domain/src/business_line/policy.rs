//! Policies of a business line: rules as data, published in versions.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{Code, Label};

/// A set of rules of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Who may claim from the pool, and when.
    Pool(PoolPolicy),
    /// What counts as a first response.
    FirstResponse(FirstResponsePolicy),
    /// How a clue may be lost.
    Loss(LossPolicy),
    /// What makes a customer a likely buyer.
    Score(ScorePolicy),
}

/// The kinds of policy; each has its own versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    /// See [`PoolPolicy`].
    Pool,
    /// See [`FirstResponsePolicy`].
    FirstResponse,
    /// See [`LossPolicy`].
    Loss,
    /// See [`ScorePolicy`].
    Score,
}

/// Rules of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PoolPolicy {
    /// Minutes for which a former owner cannot claim the clue that went back to the pool.
    pub former_owner_cooldown_minutes: u32,
}

/// What counts as a first response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FirstResponsePolicy {
    /// Seconds that a connected call lasts at least.
    pub min_call_seconds: u32,
    /// Minutes from capture within which the first response is due.
    pub due_minutes: u32,
}

/// A reason for which a clue may be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossReason {
    /// Its stable word.
    pub key: Code,
    /// What people call it.
    pub label: Label,
}

/// How a clue may be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LossPolicy {
    /// Whether somebody must approve a loss.
    pub review: bool,
    /// Whether that somebody must be another person than the proposer.
    pub other_approver: bool,
    /// The reasons to choose from; any reason when empty.
    pub reasons: Vec<LossReason>,
}

/// Something a customer did that makes a deal likelier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A clue of the customer was captured.
    ClueCaptured,
    /// A follow-up reached the customer.
    ContactMade,
    /// The customer stated a need.
    NeedStated,
    /// The customer booked a viewing.
    ViewingBooked,
    /// The customer came to a viewing.
    ViewingCompleted,
    /// The customer did not come to a viewing; usually weighs against.
    ViewingMissed,
    /// A deal was done.
    DealWon,
    /// A clue was lost; usually weighs against.
    DealLost,
}

/// How much a signal weighs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalWeight {
    /// The signal.
    pub signal: Signal,
    /// Points at the moment that it happens; negative when it weighs against.
    pub points: i32,
}

/// What makes a customer a likely buyer: the sum of the points of signals, each halved once a
/// half-life since it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScorePolicy {
    /// Hours in which a signal loses half its weight; the same for every signal.
    pub half_life_hours: u32,
    /// Points of each signal.
    pub weights: Vec<SignalWeight>,
}

impl Default for FirstResponsePolicy {
    fn default() -> Self {
        Self { min_call_seconds: 0, due_minutes: 30 }
    }
}

impl PolicyKind {
    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::FirstResponse => "first_response",
            Self::Loss => "loss",
            Self::Score => "score",
        }
    }
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 8] = [
        Self::ClueCaptured,
        Self::ContactMade,
        Self::NeedStated,
        Self::ViewingBooked,
        Self::ViewingCompleted,
        Self::ViewingMissed,
        Self::DealWon,
        Self::DealLost,
    ];

    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClueCaptured => "clue_captured",
            Self::ContactMade => "contact_made",
            Self::NeedStated => "need_stated",
            Self::ViewingBooked => "viewing_booked",
            Self::ViewingCompleted => "viewing_completed",
            Self::ViewingMissed => "viewing_missed",
            Self::DealWon => "deal_won",
            Self::DealLost => "deal_lost",
        }
    }
}

impl Policy {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> PolicyKind {
        match self {
            Self::Pool(_) => PolicyKind::Pool,
            Self::FirstResponse(_) => PolicyKind::FirstResponse,
            Self::Loss(_) => PolicyKind::Loss,
            Self::Score(_) => PolicyKind::Score,
        }
    }
}

impl PoolPolicy {
    /// How long a former owner cannot claim the clue that went back to the pool.
    #[must_use]
    pub const fn former_owner_cooldown(&self) -> Duration {
        Duration::from_secs(self.former_owner_cooldown_minutes as u64 * 60)
    }
}
