//! Who asks, and what the roles let them see.

use std::collections::BTreeSet;

use domain::ids::{OperatorId, TeamId};
use domain::operator::{Role, Scope};
use domain::values::LineKey;

/// Who asks. Built by the edge from an authenticated identity and the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Viewer {
    /// Which operator; `None` for a service's own credentials.
    pub operator_id: Option<OperatorId>,
    /// What for.
    pub roles: BTreeSet<Role>,
    /// Where the roles hold: business lines.
    pub lines: BTreeSet<LineKey>,
    /// Where the roles hold: teams.
    pub teams: BTreeSet<TeamId>,
}

/// How much of a person a viewer sees. More is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The facts, nothing of the person.
    Redacted,
    /// The facts, and the ends of names and numbers.
    Masked,
    /// Everything.
    Clear,
}

/// What decides who may see a clue.
#[derive(Clone, Copy, Debug)]
pub struct Holding<'a> {
    /// Its business line.
    pub line: &'a LineKey,
    /// Who works it.
    pub owner: Option<OperatorId>,
    /// Whose team works it.
    pub team: Option<TeamId>,
    /// Whether it is open to claim.
    pub pooled: bool,
}

/// One part of a scope: an equality that an index begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    All,
    Line(LineKey),
    Team(TeamId),
    Owner(OperatorId),
}

impl Viewer {
    /// An operator with roles that hold in a scope.
    #[must_use]
    pub fn operator(operator_id: OperatorId, roles: BTreeSet<Role>, scope: Scope) -> Self {
        Self { operator_id: Some(operator_id), roles, lines: scope.lines, teams: scope.teams }
    }

    /// The program itself, for process managers and command-line tools: sees everything.
    #[must_use]
    pub fn system() -> Self {
        Self { roles: BTreeSet::from([Role::Auditor]), ..Self::default() }
    }

    /// Whether the viewer holds a role.
    #[must_use]
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// How much the viewer sees of a clue and of the customer through it; `None`: not even that it
    /// exists.
    #[must_use]
    pub fn sight_of_clue(&self, clue: Holding<'_>) -> Option<Sight> {
        let in_line = self.lines.contains(clue.line);
        let mine = clue.owner.is_some() && clue.owner == self.operator_id;
        let of_team = clue.team.is_some_and(|team| self.teams.contains(&team));
        let pool = (clue.pooled && in_line).then_some(Sight::Masked);
        let by_role = |role: &Role| match role {
            Role::Agent if mine => Some(Sight::Clear),
            Role::TeamLead if of_team => Some(Sight::Clear),
            Role::Agent | Role::TeamLead => pool,
            Role::Manager if in_line => Some(Sight::Clear),
            Role::Auditor => Some(Sight::Clear),
            Role::Bi if in_line => Some(Sight::Redacted),
            Role::Admin => Some(Sight::Redacted),
            Role::Manager | Role::Bi | Role::ServiceRep | Role::CallSupervisor => None,
        };
        self.roles.iter().filter_map(by_role).max()
    }

    /// How much the viewer sees of a customer for the sake of a line alone, without a clue.
    #[must_use]
    pub fn sight_of_customer_in(&self, line: &LineKey) -> Option<Sight> {
        let in_line = self.lines.contains(line);
        let by_role = |role: &Role| match role {
            Role::ServiceRep | Role::Manager if in_line => Some(Sight::Clear),
            Role::Auditor => Some(Sight::Clear),
            Role::Bi if in_line => Some(Sight::Redacted),
            Role::Admin => Some(Sight::Redacted),
            _ => None,
        };
        self.roles.iter().filter_map(by_role).max()
    }

    /// Whether amounts of deals are shown. A service representative without another role does not
    /// see them.
    #[must_use]
    pub fn sees_amounts(&self) -> bool {
        let selling = [Role::Agent, Role::TeamLead, Role::Manager, Role::Bi, Role::Auditor, Role::Admin];
        selling.iter().any(|role| self.is(*role))
    }

    /// The parts of the clue list that the viewer sees, each with the most that its role shows
    /// there. Empty: nothing.
    pub(crate) fn clue_arms(&self) -> Vec<(Arm, Sight)> {
        let mut arms = Vec::new();
        if self.is(Role::Auditor) {
            return vec![(Arm::All, Sight::Clear)];
        }
        if self.is(Role::Manager) {
            arms.extend(self.lines.iter().map(|line| (Arm::Line(line.clone()), Sight::Clear)));
        }
        if self.is(Role::TeamLead) {
            arms.extend(self.teams.iter().map(|team| (Arm::Team(*team), Sight::Clear)));
        }
        if self.is(Role::Agent) {
            arms.extend(self.operator_id.map(|me| (Arm::Owner(me), Sight::Clear)));
        }
        if self.is(Role::Admin) {
            arms.push((Arm::All, Sight::Redacted));
        } else if self.is(Role::Bi) && !self.is(Role::Manager) {
            arms.extend(self.lines.iter().map(|line| (Arm::Line(line.clone()), Sight::Redacted)));
        }
        arms
    }

    /// The lines whose pool the viewer sees; `None`: of every line.
    pub(crate) fn pool_lines(&self) -> Option<Vec<&LineKey>> {
        if self.is(Role::Auditor) || self.is(Role::Admin) {
            return None;
        }
        let pool = [Role::Agent, Role::TeamLead, Role::Manager, Role::Bi];
        if pool.iter().any(|role| self.is(*role)) { Some(self.lines.iter().collect()) } else { Some(vec![]) }
    }
}
