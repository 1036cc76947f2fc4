//! What an audit finds, in words for people.

use std::fmt;

use domain::Position;
use domain::proof::{Hash, StoredEvent};

/// What is not as it was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// Another event stands where one was signed.
    #[error("position {position}: CHANGED: {now} is not the event that was signed here (leaf {signed})")]
    Changed {
        /// Where.
        position: Position,
        /// What stands there.
        now: Described,
        /// The leaf that was signed.
        signed: Hash,
    },
    /// Events are gone.
    #[error("{}: REMOVED: {}", places(*.first, *.last), if *.closed {
        "signed here and gone; the events behind moved up into their places"
    } else {
        "signed here and gone; their places are empty"
    })]
    Removed {
        /// The first of them.
        first: Position,
        /// The last of them.
        last: Position,
        /// Whether later events took their positions.
        closed: bool,
    },
    /// Events came in between.
    #[error("{}: INSERTED: never signed, beginning with {now}; what was signed at {first} now stands at {}", places(*.first, *.last), .last.next())]
    Inserted {
        /// The first of them.
        first: Position,
        /// The last of them.
        last: Position,
        /// What the first of them is.
        now: Described,
    },
    /// An event stands elsewhere.
    #[error(
        "position {signed}: MOVED: the event that was signed here, {event}, now stands at position {now}"
    )]
    Moved {
        /// Where it was signed.
        signed: Position,
        /// Where it stands.
        now: Position,
        /// Which event.
        event: Described,
    },
    /// An event stands out of order, at its own position.
    #[error("position {position}: MOVED: it stands behind position {behind}")]
    OutOfOrder {
        /// Which.
        position: Position,
        /// Behind which.
        behind: Position,
    },
    /// A position comes twice.
    #[error("position {position}: INSERTED: the position comes a second time, with {now}")]
    Twice {
        /// Which.
        position: Position,
        /// What came.
        now: Described,
    },
    /// Events differ, and the tiles that would tell which are lost.
    #[error(
        "positions {after} to {until}: DIFFERENT: some event is not what was signed; which one cannot be told, \
         for the tiles are damaged there"
    )]
    Somewhere {
        /// The first position in question.
        after: Position,
        /// The last one.
        until: Position,
    },
    /// Further events that differ and are not named one by one.
    #[error("{count} more events are not what, or not where, was signed")]
    More {
        /// How many.
        count: u64,
    },
    /// A file that should hold a checkpoint.
    #[error("CHECKPOINT {name}: {reason}")]
    Checkpoint {
        /// Which.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Two checkpoints of one key contradict each other.
    #[error(
        "CHECKPOINT of size {size}: it is signed, but the newest checkpoint, of size {newest}, does not go on from \
         it: two histories were signed"
    )]
    Fork {
        /// Size of the one.
        size: u64,
        /// Size of the newest.
        newest: u64,
    },
    /// A tile is not what was signed.
    #[error("TILE {name}: {reason}")]
    Tile {
        /// Which.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A line of a replay.
    #[error("line {line}: {reason}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// An event in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described(String);

impl Described {
    /// An event in a few words; nothing of its content.
    #[must_use]
    pub fn of(event: &StoredEvent) -> Self {
        Self(format!(
            "{} of {}-{}, revision {}",
            event.event_type, event.aggregate_type, event.aggregate_id, event.sequence
        ))
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn places(first: Position, last: Position) -> String {
    if first == last { format!("position {first}") } else { format!("positions {first} to {last}") }
}
