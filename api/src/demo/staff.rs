//! Who works in the demo: three teams in two lines, and one operator for every role.

use commands::service::CommandService;
use commands::use_cases::business_line::ApplyLine;
use commands::use_cases::operator::RegisterOperator;
use commands::use_cases::team::RegisterTeam;
use domain::Instant;
use domain::business_line::LineSpec;
use domain::ids::{OperatorId, TeamId};
use domain::operator::{Role, Scope};
use domain::personal::Personal;
use domain::values::{Label, LineKey};

use super::{DemoError, made, run, system, value};

/// Agents of a team.
const AGENTS: usize = 4;

/// A team and its people.
#[derive(Clone, Debug)]
pub struct Team {
    /// Where it works.
    pub line: LineKey,
    /// Who leads it.
    pub lead: OperatorId,
    /// Who works in it.
    pub agents: Vec<OperatorId>,
}

/// Everybody.
#[derive(Clone, Debug)]
pub struct Staff {
    /// The teams: two in the first line, one in the second.
    pub teams: Vec<Team>,
    /// One operator a role, for tokens: role, what the operator is called, who it is.
    pub showcase: Vec<(Role, String, OperatorId)>,
}

/// Defines the lines and hires everybody.
///
/// # Errors
/// When a command fails.
pub async fn hire(service: &CommandService, lines: &[LineSpec], at: Instant) -> Result<Staff, DemoError> {
    for spec in lines {
        run(service, system()?, at, &ApplyLine { spec: spec.clone() }).await?;
    }
    let keys: Vec<LineKey> = lines.iter().map(|spec| spec.key.clone()).collect();
    let mut staff = Staff { teams: Vec::new(), showcase: Vec::new() };
    let plans = [(0, "朝阳门店 Chaoyang"), (0, "浦东门店 Pudong"), (1, "售后中心 After-sale")];
    for (index, name) in plans {
        let Some(line) = keys.get(index) else { continue };
        let team = RegisterTeam { line: line.clone(), name: value::<Label>(name)? };
        let team_id: TeamId = made(&run(service, system()?, at, &team).await?, "team_id")?;
        let scope = Scope { lines: [line.clone()].into(), teams: [team_id].into() };
        let number = staff.teams.len() + 1;
        let lead = person(service, &format!("Lead {number}"), Role::TeamLead, &scope, at).await?;
        let mut agents = Vec::new();
        for agent in 1..=AGENTS {
            let name = format!("Agent {number}.{agent}");
            agents.push(person(service, &name, Role::Agent, &scope, at).await?);
        }
        if number == 1 {
            staff.showcase.push((Role::Agent, "Agent 1.1".to_owned(), agents[0]));
            staff.showcase.push((Role::TeamLead, "Lead 1".to_owned(), lead));
        }
        staff.teams.push(Team { line: line.clone(), lead, agents });
    }
    let everywhere = Scope { lines: keys.into_iter().collect(), teams: [].into() };
    for (role, name) in [
        (Role::Manager, "Manager"),
        (Role::ServiceRep, "Service representative"),
        (Role::CallSupervisor, "Call supervisor"),
        (Role::Bi, "BI engineer"),
        (Role::Auditor, "Auditor"),
        (Role::Admin, "Administrator"),
    ] {
        let id = person(service, name, role, &everywhere, at).await?;
        staff.showcase.push((role, name.to_owned(), id));
    }
    Ok(staff)
}

async fn person(
    service: &CommandService,
    name: &str,
    role: Role,
    scope: &Scope,
    at: Instant,
) -> Result<OperatorId, DemoError> {
    let register =
        RegisterOperator { name: Personal::Clear(name.to_owned()), roles: vec![role], scope: scope.clone() };
    made(&run(service, system()?, at, &register).await?, "operator_id")
}
