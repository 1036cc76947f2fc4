//! What can be asked of a team.

use crate::values::{Label, LineKey};

/// Commands to a team.
#[derive(Clone, Debug, PartialEq)]
pub enum TeamCommand {
    /// Bring the team into being.
    Register {
        /// The business line that it works in.
        line: LineKey,
        /// Whether that line was defined.
        line_defined: bool,
        /// What people call it.
        name: Label,
    },
    /// Call it otherwise.
    Rename {
        /// The new name.
        name: Label,
    },
    /// Give it no more work.
    Suspend,
    /// Give it work again.
    Resume,
}
