//! Teams.

use domain::business_line::BusinessLine;
use domain::ids::TeamId;
use domain::team::{Team, TeamCommand as Command};
use domain::values::{Label, LineKey};
use serde::Serialize;

use crate::service::{About, Done, Permission, Stop, UnitOfWork, UseCase};

/// Brings a team into being.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterTeam {
    /// The business line that it works in.
    pub line: LineKey,
    /// What people call it.
    pub name: Label,
}

impl UseCase for RegisterTeam {
    const NAME: &'static str = "register_team";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Administer).await?;
        let line_defined = work.load::<BusinessLine>(&self.line).await?.is_defined();
        let id: TeamId = work.fresh();
        work.begin::<Team>(&id);
        let command = Command::Register { line: self.line.clone(), line_defined, name: self.name.clone() };
        decide(work, id, Some(self.line.clone()), command).await
    }
}

/// One change of a team.
#[derive(Clone, Debug, Serialize)]
pub enum TeamChange {
    /// Call it otherwise.
    Rename(Label),
    /// Give it no more work.
    Suspend,
    /// Give it work again.
    Resume,
}

/// Changes a team.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeTeam {
    /// Which team.
    pub team_id: TeamId,
    /// What to change.
    pub change: TeamChange,
}

impl UseCase for ChangeTeam {
    const NAME: &'static str = "change_team";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Administer).await?;
        let line = work.load::<Team>(&self.team_id).await?.line().cloned();
        let command = match self.change.clone() {
            TeamChange::Rename(name) => Command::Rename { name },
            TeamChange::Suspend => Command::Suspend,
            TeamChange::Resume => Command::Resume,
        };
        decide(work, self.team_id, line, command).await
    }
}

async fn decide(
    work: &mut UnitOfWork<'_>,
    id: TeamId,
    line: Option<LineKey>,
    command: Command,
) -> Result<Done, Stop> {
    work.primary::<Team>(&id).await?;
    let about = About { line, ..About::default() };
    work.decide::<Team>(&id, &about, command).await?;
    Ok(Done::plain().id("team_id", id))
}
