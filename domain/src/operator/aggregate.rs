//! State of an operator and its decisions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::command::OperatorCommand as Command;
use super::error::OperatorError as Error;
use super::event::OperatorEvent as Event;
use super::role::{Role, Scope};
use crate::aggregate::{Aggregate, delegate_to_cqrs_es};
use crate::ids::OperatorId;
use crate::personal::Personal;

/// An operator as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    registered: bool,
    suspended: bool,
    roles: BTreeSet<Role>,
    scope: Scope,
}

delegate_to_cqrs_es!(Operator, "operator", Command, Event, Error);

impl Aggregate for Operator {
    type Id = OperatorId;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        if let Command::Register { name } = command {
            if self.registered {
                return Err(Error::AlreadyRegistered);
            }
            check_name(&name)?;
            return Ok(vec![Event::Registered { name }]);
        }
        if !self.registered {
            return Err(Error::NotFound);
        }
        match command {
            Command::Register { .. } => Err(Error::AlreadyRegistered),
            Command::Rename { name } => {
                check_name(&name)?;
                Ok(vec![Event::Renamed { name }])
            }
            Command::GrantRole { operator, by, .. } if by == Some(operator) => Err(Error::SelfGrant),
            Command::GrantRole { role, .. } if self.roles.contains(&role) => Ok(vec![]),
            Command::GrantRole { role, .. } => Ok(vec![Event::RoleGranted { role }]),
            Command::RevokeRole { role } if self.roles.contains(&role) => {
                Ok(vec![Event::RoleRevoked { role }])
            }
            Command::RevokeRole { .. } => Ok(vec![]),
            Command::ChangeScope { unknown, .. } if !unknown.is_empty() => {
                Err(Error::ScopeUnknown { what: unknown.join(", ") })
            }
            Command::ChangeScope { scope, .. } if scope == self.scope => Ok(vec![]),
            Command::ChangeScope { scope, .. } => Ok(vec![Event::ScopeChanged { scope }]),
            Command::Suspend if self.suspended => Ok(vec![]),
            Command::Suspend => Ok(vec![Event::Suspended {}]),
            Command::Resume if self.suspended => Ok(vec![Event::Resumed {}]),
            Command::Resume => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered { .. } => self.registered = true,
            Event::Renamed { .. } => {}
            Event::RoleGranted { role } => {
                self.roles.insert(*role);
            }
            Event::RoleRevoked { role } => {
                self.roles.remove(role);
            }
            Event::ScopeChanged { scope } => self.scope = scope.clone(),
            Event::Suspended {} => self.suspended = true,
            Event::Resumed {} => self.suspended = false,
        }
    }
}

impl Operator {
    /// Whether the operator is known and not suspended.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.registered && !self.suspended
    }

    /// Whether the operator is known.
    #[must_use]
    pub const fn is_registered(&self) -> bool {
        self.registered
    }

    /// What the operator is there for.
    #[must_use]
    pub const fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// Where the roles hold.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }
}

fn check_name(name: &Personal<String>) -> Result<(), Error> {
    if name.clear().is_some_and(|name| name.trim().is_empty()) { Err(Error::NameEmpty) } else { Ok(()) }
}
