//! Where in the log the past is looked at.

use domain::envelope::Position;
use domain::values::Instant;

/// A place in the log at which the past is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The instant that was asked for.
    pub at: Instant,
    /// Position of the last event that was recorded then or before; zero when there is none.
    pub position: Position,
    /// The end of the log when it was asked for. The log goes on meanwhile.
    pub head: Position,
}
