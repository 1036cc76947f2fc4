//! Operators: who works with the platform, in which roles, where.

use domain::business_line::BusinessLine;
use domain::ids::OperatorId;
use domain::operator::{Operator, OperatorCommand as Command, Role, Scope};
use domain::personal::Personal;
use domain::team::Team;
use serde::Serialize;

use crate::service::{About, Done, Permission, Stop, UnitOfWork, UseCase};

/// Makes an operator known.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterOperator {
    /// What the operator is called.
    pub name: Personal<String>,
    /// Roles from the start.
    pub roles: Vec<Role>,
    /// Where the roles hold.
    pub scope: Scope,
}

impl UseCase for RegisterOperator {
    const NAME: &'static str = "register_operator";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Administer).await?;
        let id: OperatorId = work.fresh();
        work.begin::<Operator>(&id);
        work.new_subject(id.into())?;
        work.primary::<Operator>(&id).await?;
        let about = about(id);
        work.decide::<Operator>(&id, &about, Command::Register { name: self.name.clone() }).await?;
        let by = work.context().actor.operator();
        for role in &self.roles {
            work.decide::<Operator>(&id, &about, Command::GrantRole { role: *role, operator: id, by })
                .await?;
        }
        change_scope(work, id, &self.scope).await?;
        Ok(Done::plain().id("operator_id", id))
    }
}

/// One change of an operator's record.
#[derive(Clone, Debug, Serialize)]
pub enum OperatorChange {
    /// Call the operator otherwise.
    Rename(Personal<String>),
    /// Let the operator do more.
    GrantRole(Role),
    /// Let the operator do less.
    RevokeRole(Role),
    /// Let the operator's roles hold elsewhere.
    ChangeScope(Scope),
    /// Let the operator do nothing until resumed.
    Suspend,
    /// Let the operator work again.
    Resume,
}

/// Changes an operator's record.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeOperator {
    /// Whose record.
    pub operator_id: OperatorId,
    /// What to change.
    pub change: OperatorChange,
}

impl UseCase for ChangeOperator {
    const NAME: &'static str = "change_operator";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Administer).await?;
        let id = self.operator_id;
        work.primary::<Operator>(&id).await?;
        let command = match self.change.clone() {
            OperatorChange::ChangeScope(scope) => {
                change_scope(work, id, &scope).await?;
                return Ok(Done::plain().id("operator_id", id));
            }
            OperatorChange::Rename(name) => Command::Rename { name },
            OperatorChange::GrantRole(role) => {
                Command::GrantRole { role, operator: id, by: work.context().actor.operator() }
            }
            OperatorChange::RevokeRole(role) => Command::RevokeRole { role },
            OperatorChange::Suspend => Command::Suspend,
            OperatorChange::Resume => Command::Resume,
        };
        work.decide::<Operator>(&id, &about(id), command).await?;
        Ok(Done::plain().id("operator_id", id))
    }
}

fn about(id: OperatorId) -> About {
    About { subject: Some(id.into()), ..About::default() }
}

async fn change_scope(work: &mut UnitOfWork<'_>, id: OperatorId, scope: &Scope) -> Result<(), Stop> {
    let mut unknown = Vec::new();
    for line in &scope.lines {
        if !work.load::<BusinessLine>(line).await?.is_defined() {
            unknown.push(format!("business line {line}"));
        }
    }
    for team in &scope.teams {
        if work.load::<Team>(team).await?.line().is_none() {
            unknown.push(format!("team {team}"));
        }
    }
    let command = Command::ChangeScope { scope: scope.clone(), unknown };
    work.decide::<Operator>(&id, &about(id), command).await?;
    Ok(())
}
