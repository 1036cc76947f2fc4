//! What an audit finds, in words for people.

use std::fmt;

use domain::Position;
use domain::proof::{Hash, StoredEvent};

use crate::event_log::Outside;

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
    #[error(
        "{}: INSERTED: never signed, beginning with {now}; what belongs there stands behind",
        places(*.first, *.last)
    )]
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
    /// An event stands where the log has no place.
    #[error(transparent)]
    Outside(Outside),
    /// Further faults that are not told one by one.
    #[error("{count} more faults")]
    MoreFaults {
        /// How many.
        count: u64,
    },
    /// A file that should hold a checkpoint.
    #[error("CHECKPOINT {}: {}", printable(.name), printable(.reason))]
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
    #[error("line {line}: {}", printable(.reason))]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// A text of somebody else as one line that a terminal shows as it is: what would steer it, or would not
/// be seen, is written out.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for part in text.chars() {
        match part {
            '\'' | '"' | '\\' => line.push(part),
            _ => line.extend(part.escape_debug()),
        }
    }
    line
}

/// Faults in the order in which they were found; beyond some they are only counted, for whoever made them
/// can make any number.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<AuditFault>,
    more: u64,
}

impl Faults {
    /// How many are kept.
    const KEPT: usize = 1_000;

    pub fn add(&mut self, fault: AuditFault) {
        if self.list.len() < Self::KEPT {
            self.list.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Adds a fault that may be found several times.
    pub fn add_once(&mut self, fault: AuditFault) {
        if !self.list.contains(&fault) {
            self.add(fault);
        }
    }

    pub fn into_list(mut self) -> Vec<AuditFault> {
        if self.more > 0 {
            self.list.push(AuditFault::MoreFaults { count: self.more });
        }
        self.list
    }
}

/// An event in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described(String);

impl Described {
    /// An event in a few words; nothing of its content.
    #[must_use]
    pub fn of(event: &StoredEvent) -> Self {
        let (name, aggregate) = (printable(&event.event_type), printable(&event.aggregate_type));
        let id = printable(&event.aggregate_id);
        Self(format!("{name} of {aggregate}-{id}, revision {}", event.sequence))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_others_do_not_steer_a_terminal_and_stay_as_they_are_otherwise() {
        let hostile = "a\u{1b}[2J\nreplay: all is good\r\u{202e}\0";
        assert_eq!(printable(hostile), "a\\u{1b}[2J\\nreplay: all is good\\r\\u{202e}\\0");
        assert_eq!(printable(&printable(hostile)), printable(hostile));
        let plain = "it's \"李伟\", C:\\x";
        assert_eq!(printable(plain), plain);
    }

    #[test]
    fn of_any_number_of_faults_some_are_kept_and_the_others_counted() {
        let mut faults = Faults::default();
        for line in 0..5_000 {
            faults.add(AuditFault::Line { line, reason: String::new() });
        }
        let list = faults.into_list();
        assert_eq!((list.len(), &list[1_000]), (1_001, &AuditFault::MoreFaults { count: 4_000 }));
    }
}
