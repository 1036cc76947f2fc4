//! State of a clue's attempts: how many there were.

use serde::{Deserialize, Serialize};

use super::command::ClueAttemptsCommand as Command;
use super::error::ClueAttemptsError as Error;
use super::event::ClueAttemptsEvent as Event;
use crate::aggregate::{Aggregate, delegate_to_cqrs_es};
use crate::ids::ClueId;

/// The refused claims of one clue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClueAttempts {
    refused: u64,
}

delegate_to_cqrs_es!(ClueAttempts, "clue_attempts", Command, Event, Error);

impl Aggregate for ClueAttempts {
    type Id = ClueId;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        let Command::RecordRefusedClaim { operator_id, at, reason, winner, won_at } = command;
        Ok(vec![Event::ClaimRefused { operator_id, at, reason, winner, won_at }])
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ClaimRefused { .. } => self.refused += 1,
        }
    }
}

impl ClueAttempts {
    /// How many claims were refused.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }
}
