//! The stage graph of a business line: where a clue can stand and where it can go from there.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::values::{Label, StageKey};

/// What standing in a stage means for the clue's lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageCategory {
    /// Nobody worked it yet. New clues begin here.
    Open,
    /// Being worked.
    Ongoing,
    /// Waiting for the customer.
    Hold,
    /// The deal is done. Only winning the clue enters it.
    Won,
    /// The deal is lost. Only losing the clue enters it.
    Lost,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its identity within the line.
    pub key: StageKey,
    /// What people call it.
    pub label: Label,
    /// What standing in it means.
    pub category: StageCategory,
}

/// An allowed step from one stage to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// From this stage.
    pub from: StageKey,
    /// To this stage.
    pub to: StageKey,
}

/// The stages in the order that people see them, and the moves between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageGraph {
    /// The first stage is where new clues begin.
    pub stages: Vec<Stage>,
    /// Steps between stages that are worked; winning and losing need none.
    pub moves: Vec<Move>,
}

/// Why a stage graph is not whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageGraphError {
    /// The first stage is where new clues begin.
    #[error("the first stage must be of category open")]
    FirstNotOpen,
    /// Two stages have one key.
    #[error("stage {0} is there twice")]
    StageTwice(StageKey),
    /// There must be exactly one stage of this category.
    #[error("there must be exactly one stage of category {0}")]
    ExactlyOne(&'static str),
    /// A move names a stage that is not there.
    #[error("a move names stage {0}, which is not in the graph")]
    UnknownStage(StageKey),
    /// A move goes from a stage to itself or is there twice.
    #[error("the move from {from} to {to} is there twice, or goes nowhere")]
    MoveTwice {
        /// From this stage.
        from: StageKey,
        /// To this stage.
        to: StageKey,
    },
    /// Won and lost are entered and left by winning, losing and reopening alone.
    #[error("no move may enter or leave {0}: winning, losing and reopening do")]
    MoveToOutcome(StageKey),
    /// No clue could ever get there.
    #[error("no path of moves leads to stage {0}")]
    Unreachable(StageKey),
}

impl StageGraph {
    /// Checks that the graph is whole.
    ///
    /// # Errors
    /// Names the first thing that is wrong, in the order of the graph.
    pub fn validate(&self) -> Result<(), StageGraphError> {
        if self.stages.first().is_none_or(|first| first.category != StageCategory::Open) {
            return Err(StageGraphError::FirstNotOpen);
        }
        let mut keys = BTreeSet::new();
        if let Some(twice) = self.stages.iter().find(|stage| !keys.insert(&stage.key)) {
            return Err(StageGraphError::StageTwice(twice.key.clone()));
        }
        for (category, name) in [(StageCategory::Won, "won"), (StageCategory::Lost, "lost")] {
            if self.stages.iter().filter(|stage| stage.category == category).count() != 1 {
                return Err(StageGraphError::ExactlyOne(name));
            }
        }
        self.validate_moves()?;
        self.validate_reach()
    }

    fn validate_moves(&self) -> Result<(), StageGraphError> {
        let mut moves = BTreeSet::new();
        for step in &self.moves {
            for end in [&step.from, &step.to] {
                let stage = self.stage(end).ok_or_else(|| StageGraphError::UnknownStage(end.clone()))?;
                if stage.category.is_outcome() {
                    return Err(StageGraphError::MoveToOutcome(end.clone()));
                }
            }
            if step.from == step.to || !moves.insert(step) {
                return Err(StageGraphError::MoveTwice { from: step.from.clone(), to: step.to.clone() });
            }
        }
        Ok(())
    }

    fn validate_reach(&self) -> Result<(), StageGraphError> {
        let mut reached: BTreeSet<&StageKey> = self.stages.iter().take(1).map(|s| &s.key).collect();
        loop {
            let before = reached.len();
            let steps = self.moves.iter().filter(|step| reached.contains(&step.from));
            let next: Vec<&StageKey> = steps.map(|step| &step.to).collect();
            reached.extend(next);
            if reached.len() == before {
                break;
            }
        }
        match self.stages.iter().find(|s| !s.category.is_outcome() && !reached.contains(&s.key)) {
            Some(lonely) => Err(StageGraphError::Unreachable(lonely.key.clone())),
            None => Ok(()),
        }
    }

    /// The stage with this key.
    #[must_use]
    pub fn stage(&self, key: &StageKey) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.key == *key)
    }

    /// Where new clues begin; `None` only before a graph was published.
    #[must_use]
    pub fn initial(&self) -> Option<&Stage> {
        self.stages.first()
    }

    /// The one stage of an outcome.
    #[must_use]
    pub fn outcome(&self, category: StageCategory) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.category == category)
    }

    /// Whether a clue may go from one stage to another. From a stage that left the graph, it may
    /// enter any stage that is worked.
    #[must_use]
    pub fn allows(&self, from: &StageKey, to: &StageKey) -> bool {
        self.stage(to).is_some_and(|stage| !stage.category.is_outcome())
            && (self.stage(from).is_none()
                || self.moves.iter().any(|step| step.from == *from && step.to == *to))
    }
}

impl StageCategory {
    /// Every category.
    pub const ALL: [Self; 5] = [Self::Open, Self::Ongoing, Self::Hold, Self::Won, Self::Lost];

    /// Whether a clue in it has ended.
    #[must_use]
    pub const fn is_outcome(self) -> bool {
        matches!(self, Self::Won | Self::Lost)
    }

    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ongoing => "ongoing",
            Self::Hold => "hold",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}
