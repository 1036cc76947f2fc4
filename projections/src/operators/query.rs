//! Reads the whole directory: it is small, and every request needs some of it.

use std::collections::{BTreeMap, BTreeSet};

use domain::ids::{OperatorId, TeamId};
use domain::operator::{Role, Scope};
use domain::values::LineKey;

use super::projector::{OPERATORS, OperatorRow, TEAMS, TeamRow};
use crate::sql::{Database, Record, SqlError};

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorEntry {
    /// Who.
    pub id: OperatorId,
    /// What the operator is called; `None` once the operator's key was destroyed.
    pub name: Option<String>,
    /// What the operator is there for.
    pub roles: BTreeSet<Role>,
    /// Where the roles hold.
    pub scope: Scope,
    /// Whether the operator may do nothing.
    pub suspended: bool,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamEntry {
    /// Which.
    pub id: TeamId,
    /// The business line that it works in.
    pub line: LineKey,
    /// What people call it.
    pub name: String,
    /// Whether it gets no more work.
    pub suspended: bool,
}

/// Every operator and every team.
///
/// # Errors
/// See [`SqlError`].
pub async fn load(db: &Database) -> Result<(Vec<OperatorEntry>, Vec<TeamEntry>), SqlError> {
    let sql = format!("SELECT {} FROM {} ORDER BY operator_id", OPERATORS.column_list(), OPERATORS.name);
    let mut operators = BTreeMap::new();
    for row in db.fetch(&sql, &[]).await? {
        let row = OperatorRow::from_row(&row)?;
        let entry = OperatorEntry {
            id: row.operator_id,
            name: row.name,
            roles: BTreeSet::new(),
            scope: Scope::default(),
            suspended: row.suspended,
        };
        operators.insert(row.operator_id, entry);
    }
    for row in db.fetch("SELECT operator_id, role FROM operator_roles", &[]).await? {
        if let Some(operator) = operators.get_mut(&row.get::<OperatorId>(0)?) {
            operator.roles.insert(row.get(1)?);
        }
    }
    for row in db.fetch("SELECT operator_id, line FROM operator_lines", &[]).await? {
        if let Some(operator) = operators.get_mut(&row.get::<OperatorId>(0)?) {
            operator.scope.lines.insert(row.get(1)?);
        }
    }
    for row in db.fetch("SELECT operator_id, team_id FROM operator_teams", &[]).await? {
        if let Some(operator) = operators.get_mut(&row.get::<OperatorId>(0)?) {
            operator.scope.teams.insert(row.get(1)?);
        }
    }
    let sql = format!("SELECT {} FROM {} ORDER BY team_id", TEAMS.column_list(), TEAMS.name);
    let mut teams = Vec::new();
    for row in db.fetch(&sql, &[]).await? {
        let row = TeamRow::from_row(&row)?;
        teams.push(TeamEntry { id: row.team_id, line: row.line, name: row.name, suspended: row.suspended });
    }
    Ok((operators.into_values().collect(), teams))
}
