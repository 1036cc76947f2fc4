//! Who may do what: default deny, from the operator's own events.

use domain::clue::{Clue, Lifecycle};
use domain::envelope::Actor;
use domain::ids::OperatorId;
use domain::operator::{Operator, Role};
use domain::values::LineKey;

use super::error::{Declined, Stop};
use super::unit_of_work::UnitOfWork;

/// What somebody wants to do.
pub enum Permission<'a> {
    /// Take in clues of a line.
    Capture(&'a LineKey),
    /// Take clues of a line from the pool.
    Claim(&'a LineKey),
    /// Work a clue: its owner, or who leads the owner.
    Work(&'a Clue),
    /// Decide about a clue: who leads its owner, or its line.
    Lead(&'a Clue),
    /// Change a customer in the course of a clue's work, or as a service representative.
    Serve(Option<&'a Clue>),
    /// Change rules of a line.
    Configure(&'a LineKey),
    /// Bring lines, teams and operators into being, change roles and scopes.
    Administer,
    /// Destroy a person's data.
    Erase,
}

impl UnitOfWork<'_> {
    /// Fails unless the actor may do it. Parts of the system may do anything.
    pub(crate) async fn authorize(&mut self, permission: Permission<'_>) -> Result<(), Stop> {
        let Actor::Operator(id) = self.context().actor else { return Ok(()) };
        let operator = self.load::<Operator>(&id).await?;
        if operator.is_active() && permission.allows(id, &operator) {
            return Ok(());
        }
        Err(Stop::Declined(Declined::Forbidden))
    }
}

impl Permission<'_> {
    fn allows(&self, id: OperatorId, operator: &Operator) -> bool {
        let is = |roles: &[Role]| roles.iter().any(|role| operator.roles().contains(role));
        let in_line = |line: &LineKey| operator.scope().lines.contains(line);
        match self {
            Self::Capture(line) => {
                is(&[Role::Agent, Role::TeamLead, Role::Manager, Role::ServiceRep]) && in_line(line)
            }
            Self::Claim(line) => is(&[Role::Agent, Role::TeamLead]) && in_line(line),
            Self::Work(clue) => works(clue, id, operator) || leads(clue, operator),
            Self::Lead(clue) => leads(clue, operator),
            Self::Serve(None) => is(&[Role::Manager, Role::ServiceRep]),
            Self::Serve(Some(clue)) => {
                works(clue, id, operator)
                    || leads(clue, operator)
                    || (is(&[Role::ServiceRep]) && clue.line().is_some_and(in_line))
            }
            Self::Configure(line) => is(&[Role::Admin]) || (is(&[Role::Manager]) && in_line(line)),
            Self::Administer => is(&[Role::Admin]),
            Self::Erase => is(&[Role::Admin, Role::Manager]),
        }
    }
}

/// The operator owns the clue.
fn works(clue: &Clue, id: OperatorId, operator: &Operator) -> bool {
    let in_line = clue.line().is_some_and(|line| operator.scope().lines.contains(line));
    operator.roles().contains(&Role::Agent)
        && in_line
        && clue.owner().is_some_and(|owner| owner.operator_id == id)
}

/// The operator runs the clue's line, or leads the team that owns it; leads also decide about clues
/// of their lines that nobody owns.
fn leads(clue: &Clue, operator: &Operator) -> bool {
    let Some(line) = clue.line() else { return false };
    if !operator.scope().lines.contains(line) {
        return false;
    }
    if operator.roles().contains(&Role::Manager) {
        return true;
    }
    let unowned = matches!(clue.lifecycle(), Lifecycle::Captured | Lifecycle::Pooled);
    let own_team = clue
        .owner()
        .and_then(|owner| owner.team_id)
        .is_some_and(|team| operator.scope().teams.contains(&team));
    operator.roles().contains(&Role::TeamLead) && (unowned || own_team)
}
