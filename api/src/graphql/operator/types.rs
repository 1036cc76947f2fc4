//! Operators and teams as GraphQL objects.

use domain::ids::{OperatorId, TeamId};
use domain::operator::Role as DomainRole;
use domain::values::LineKey;
use projections::operators::{OperatorEntry, TeamEntry};
use projections::{Shown, Snapshot, Viewer};

use crate::graphql::enums::Role;
use crate::graphql::personal::PersonalText;
use crate::graphql::scalars::{Id, Text};
use crate::plain_object;

plain_object! {
    /// A person who works with the platform.
    OperatorNode as "Operator" {
        /// The operator's identity.
        id "id": Id<OperatorId>,
        /// What the operator is called; null when nobody knows any more.
        name "name": Option<PersonalText>,
        /// What the operator is there for.
        roles "roles": Vec<Role>,
        /// Business lines in which the roles hold.
        lines "lines": Vec<Text<LineKey>>,
        /// Teams that the operator works in.
        team_ids "teamIds": Vec<Id<TeamId>>,
        /// Whether the operator may do nothing for now.
        suspended "suspended": bool,
    }
}

plain_object! {
    /// A group of operators inside one business line.
    TeamNode as "Team" {
        /// The team's identity.
        id "id": Id<TeamId>,
        /// The business line that it works in.
        line "line": Text<LineKey>,
        /// What people call it.
        name "name": String,
        /// Whether it gets no more work.
        suspended "suspended": bool,
    }
}

impl OperatorNode {
    /// An operator, with the name or without.
    #[must_use]
    pub fn new(entry: &OperatorEntry, named: bool) -> Self {
        let shown = |name| if named { Shown::Visible(name) } else { Shown::Redacted };
        let name = entry.name.clone().map(|name| PersonalText::from(shown(name)));
        Self {
            id: Id(entry.id),
            name,
            roles: entry.roles.iter().map(|role| Role::from(*role)).collect(),
            lines: entry.scope.lines.iter().cloned().map(Text).collect(),
            team_ids: entry.scope.teams.iter().copied().map(Id).collect(),
            suspended: entry.suspended,
        }
    }

    /// The operator of an id, when the directory knows one.
    #[must_use]
    pub fn find(id: Option<OperatorId>, snapshot: &Snapshot, named: bool) -> Option<Self> {
        snapshot.operators.get(&id?).map(|entry| Self::new(entry, named))
    }
}

/// Whether a viewer learns the names of operators: who only evaluates figures does not.
#[must_use]
pub fn sees_names(viewer: &Viewer) -> bool {
    viewer.roles.iter().any(|role| *role != DomainRole::Bi)
}

impl From<&TeamEntry> for TeamNode {
    fn from(entry: &TeamEntry) -> Self {
        let TeamEntry { id, line, name, suspended } = entry;
        Self { id: Id(*id), line: Text(line.clone()), name: name.clone(), suspended: *suspended }
    }
}
