//! Why a command to a team is refused.

use crate::aggregate::{Refusal, refusals};

refusals! {
    /// Refusals of a team.
    TeamError {
        /// No such team was registered.
        NotFound = "team_not_found", "there is no such team";
        /// A team of that id was registered.
        AlreadyRegistered = "team_already_registered", "this team was registered already";
        /// No such line was defined.
        LineUnknown = "line_not_found", "there is no such business line";
    }
}

impl Refusal for TeamError {
    fn code(&self) -> &'static str {
        self.code()
    }
}
