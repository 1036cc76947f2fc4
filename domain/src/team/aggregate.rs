//! State of a team and its decisions.

use serde::{Deserialize, Serialize};

use super::command::TeamCommand as Command;
use super::error::TeamError as Error;
use super::event::TeamEvent as Event;
use crate::aggregate::{Aggregate, delegate_to_cqrs_es};
use crate::ids::TeamId;
use crate::values::{Label, LineKey};

/// A team as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    line: Option<LineKey>,
    name: Option<Label>,
    suspended: bool,
}

delegate_to_cqrs_es!(Team, "team", Command, Event, Error);

impl Aggregate for Team {
    type Id = TeamId;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        if let Command::Register { line, line_defined, name } = command {
            if self.line.is_some() {
                return Err(Error::AlreadyRegistered);
            }
            if !line_defined {
                return Err(Error::LineUnknown);
            }
            return Ok(vec![Event::Registered { line, name }]);
        }
        if self.line.is_none() {
            return Err(Error::NotFound);
        }
        match command {
            Command::Register { .. } => Err(Error::AlreadyRegistered),
            Command::Rename { name } if self.name.as_ref() == Some(&name) => Ok(vec![]),
            Command::Rename { name } => Ok(vec![Event::Renamed { name }]),
            Command::Suspend if self.suspended => Ok(vec![]),
            Command::Suspend => Ok(vec![Event::Suspended {}]),
            Command::Resume if self.suspended => Ok(vec![Event::Resumed {}]),
            Command::Resume => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered { line, name } => {
                self.line = Some(line.clone());
                self.name = Some(name.clone());
            }
            Event::Renamed { name } => self.name = Some(name.clone()),
            Event::Suspended {} => self.suspended = true,
            Event::Resumed {} => self.suspended = false,
        }
    }
}

impl Team {
    /// The business line that it works in; `None` before it was registered.
    #[must_use]
    pub const fn line(&self) -> Option<&LineKey> {
        self.line.as_ref()
    }

    /// Whether it gets work.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.line.is_some() && !self.suspended
    }
}
