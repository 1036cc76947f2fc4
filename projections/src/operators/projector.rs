//! Folds operators and teams.

use std::collections::BTreeSet;

use domain::Event;
use domain::envelope::{Position, RecordedEvent};
use domain::ids::{OperatorId, TeamId};
use domain::operator::{OperatorEvent, Role, Scope};
use domain::team::TeamEvent;
use domain::values::LineKey;

use crate::runner::{Batch, Folding, Poison, Projector};
use crate::sql::{Records, TableBatch, TableDef, record};

record! {
    /// An operator.
    OperatorRow in OPERATORS = "operators", key (operator_id: OperatorId), group operator_id: OperatorId {
        /// Who.
        operator_id: OperatorId,
        /// What the operator is called; null once redacted.
        name: Option<String>,
        /// Whether the operator may do nothing.
        suspended: bool,
        /// Position of the last event in it.
        position: Position,
    }
}

record! {
    /// A role that an operator holds.
    OperatorRoleRow in OPERATOR_ROLES = "operator_roles",
    key (operator_id: OperatorId, role: Role), group operator_id: OperatorId {
        /// Who.
        operator_id: OperatorId,
        /// Which role.
        role: Role,
    }
}

record! {
    /// A line in which an operator's roles hold.
    OperatorLineRow in OPERATOR_LINES = "operator_lines",
    key (operator_id: OperatorId, line: LineKey), group operator_id: OperatorId {
        /// Who.
        operator_id: OperatorId,
        /// Where.
        line: LineKey,
    }
}

record! {
    /// A team in which an operator's roles hold.
    OperatorTeamRow in OPERATOR_TEAMS = "operator_teams",
    key (operator_id: OperatorId, team_id: TeamId), group operator_id: OperatorId {
        /// Who.
        operator_id: OperatorId,
        /// Where.
        team_id: TeamId,
    }
}

record! {
    /// A team.
    TeamRow in TEAMS = "teams", key (team_id: TeamId), group team_id: TeamId {
        /// Which.
        team_id: TeamId,
        /// The business line that it works in.
        line: LineKey,
        /// What people call it.
        name: String,
        /// Whether it gets no more work.
        suspended: bool,
        /// Position of the last event in it.
        position: Position,
    }
}

/// The read model `operators`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Operators;

impl Operators {
    /// Its name.
    pub const NAME: &'static str = "operators";
}

impl Projector for Operators {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[OPERATORS, OPERATOR_ROLES, OPERATOR_LINES, OPERATOR_TEAMS, TEAMS]
    }

    fn reads_personal(&self) -> bool {
        true
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        let kind = event.stream.aggregate_type();
        matches!(kind, "operator" | "team").then(|| event.stream.to_string())
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::<OperatorsBatch>::default()
    }
}

#[derive(Default)]
struct OperatorsBatch {
    operators: Records<OperatorRow>,
    roles: Records<OperatorRoleRow>,
    lines: Records<OperatorLineRow>,
    scope_teams: Records<OperatorTeamRow>,
    teams: Records<TeamRow>,
}

impl Batch for OperatorsBatch {
    fn want(&mut self, event: &Folding<'_>) {
        match event.event {
            Event::Operator(_) => {
                if let Ok(operator) = event.recorded.stream.id().parse() {
                    self.operators.want(&operator);
                    self.roles.want(&operator);
                    self.lines.want(&operator);
                    self.scope_teams.want(&operator);
                }
            }
            Event::Team(_) => {
                if let Ok(team) = event.recorded.stream.id().parse() {
                    self.teams.want(&team);
                }
            }
            _ => {}
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        let id = event.recorded.stream.id();
        match event.event {
            Event::Operator(fact) => {
                let operator = id.parse().map_err(|_| Poison("the stream's id is not an operator's"))?;
                self.fold_operator(operator, fact, event.position())
            }
            Event::Team(fact) => {
                let team = id.parse().map_err(|_| Poison("the stream's id is not a team's"))?;
                self.fold_team(team, fact, event.position())
            }
            _ => Ok(()),
        }
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![&mut self.operators, &mut self.roles, &mut self.lines, &mut self.scope_teams, &mut self.teams]
    }
}

impl OperatorsBatch {
    fn fold_operator(
        &mut self,
        operator_id: OperatorId,
        fact: &OperatorEvent,
        position: Position,
    ) -> Result<(), Poison> {
        if let OperatorEvent::Registered { name } = fact {
            let name = name.clear().cloned();
            self.operators.put(OperatorRow { operator_id, name, suspended: false, position });
            return Ok(());
        }
        let row = self.operators.get_mut(&operator_id, &(operator_id,));
        let row = row.ok_or(Poison("the operator was never registered"))?;
        row.position = position;
        match fact {
            OperatorEvent::Registered { .. } => {}
            OperatorEvent::Renamed { name } => row.name = name.clear().cloned(),
            OperatorEvent::Suspended {} => row.suspended = true,
            OperatorEvent::Resumed {} => row.suspended = false,
            OperatorEvent::RoleGranted { role } => {
                self.roles.put(OperatorRoleRow { operator_id, role: *role });
            }
            OperatorEvent::RoleRevoked { role } => {
                self.roles.remove(&operator_id, &(operator_id, *role));
            }
            OperatorEvent::ScopeChanged { scope } => self.fold_scope(operator_id, scope),
        }
        Ok(())
    }

    fn fold_scope(&mut self, operator_id: OperatorId, scope: &Scope) {
        self.lines.remove_where(&operator_id, |row| !scope.lines.contains(&row.line));
        self.scope_teams.remove_where(&operator_id, |row| !scope.teams.contains(&row.team_id));
        let lines: BTreeSet<_> = self.lines.of(&operator_id).map(|row| row.line.clone()).collect();
        for line in scope.lines.difference(&lines) {
            self.lines.put(OperatorLineRow { operator_id, line: line.clone() });
        }
        let teams: BTreeSet<_> = self.scope_teams.of(&operator_id).map(|row| row.team_id).collect();
        for team_id in scope.teams.difference(&teams) {
            self.scope_teams.put(OperatorTeamRow { operator_id, team_id: *team_id });
        }
    }

    fn fold_team(&mut self, team_id: TeamId, fact: &TeamEvent, position: Position) -> Result<(), Poison> {
        if let TeamEvent::Registered { line, name } = fact {
            let (line, name) = (line.clone(), name.to_string());
            self.teams.put(TeamRow { team_id, line, name, suspended: false, position });
            return Ok(());
        }
        let row = self.teams.get_mut(&team_id, &(team_id,));
        let row = row.ok_or(Poison("the team was never registered"))?;
        row.position = position;
        match fact {
            TeamEvent::Registered { .. } => {}
            TeamEvent::Renamed { name } => row.name = name.to_string(),
            TeamEvent::Suspended {} => row.suspended = true,
            TeamEvent::Resumed {} => row.suspended = false,
        }
        Ok(())
    }
}
