//! Rows between reading and result.
//!
//! Rows are finished in any order and told in the order of the file. The number of rows in here and
//! their bytes are bounded by whoever pushes: see [`Window::is_full`].

use std::collections::VecDeque;

use super::record::Record;
use super::rejected::Rejection;

/// Most rows between reading and result.
const MAX_ROWS: usize = 4_096;
/// Bytes of rows between reading and result, above which no further one is begun.
const MAX_BYTES: usize = 16 << 20;

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken in.
    Accepted { won: bool },
    /// It had been taken in before.
    Known,
    /// It was not taken in.
    Rejected(Rejection),
}

/// A row that may still wait for its outcome.
pub(super) struct Slot {
    pub record: Record,
    pub outcome: Option<Outcome>,
}

/// Rows in the order of the file, from the first that has no outcome.
#[derive(Default)]
pub(super) struct Window {
    /// The ticket of the first.
    first: u64,
    slots: VecDeque<Slot>,
    bytes: usize,
}

impl Window {
    /// Adds a row and gives its ticket.
    pub fn push(&mut self, record: Record, outcome: Option<Outcome>) -> u64 {
        self.bytes += record.raw.len();
        self.slots.push_back(Slot { record, outcome });
        self.first + self.slots.len() as u64 - 1
    }

    /// Tells a row's outcome.
    pub fn finish(&mut self, ticket: u64, outcome: Outcome) {
        let place = usize::try_from(ticket.saturating_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(slot) = self.slots.get_mut(place) {
            slot.outcome = Some(outcome);
        }
    }

    /// Takes the first row, once it has an outcome.
    pub fn pop(&mut self) -> Option<(Record, Outcome)> {
        let Slot { record, outcome } = self.slots.pop_front_if(|slot| slot.outcome.is_some())?;
        self.first += 1;
        self.bytes -= record.raw.len();
        Some((record, outcome?))
    }

    /// Whether rows must be finished before another is begun.
    pub fn is_full(&self) -> bool {
        self.slots.len() >= MAX_ROWS || self.bytes >= MAX_BYTES
    }
}
