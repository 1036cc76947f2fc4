//! `cluestream user`: the first operators, before anybody can be asked to register them.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use clap::Subcommand;
use commands::clock::SystemClock;
use commands::use_cases::operator::{ChangeOperator, OperatorChange, RegisterOperator};
use domain::ids::{OperatorId, TeamId};
use domain::operator::{Role, Scope};
use domain::personal::Personal;
use domain::values::LineKey;

use super::{CliError, system_command};
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Register an operator and print the id
    Add {
        /// What the operator is called
        name: String,
        /// A role: agent, team_lead, manager, service_rep, call_supervisor, bi, auditor, admin
        #[arg(long = "role", value_parser = role, required = true)]
        roles: Vec<Role>,
        /// A business line in which the roles hold
        #[arg(long = "line", value_parser = LineKey::from_str)]
        lines: Vec<LineKey>,
        /// A team that the operator works in
        #[arg(long = "team", value_parser = TeamId::from_str)]
        teams: Vec<TeamId>,
    },
    /// Let an operator do nothing until resumed
    Suspend {
        /// Whom
        operator: OperatorId,
    },
    /// Let an operator work again
    Resume {
        /// Whom
        operator: OperatorId,
    },
}

fn role(text: &str) -> Result<Role, String> {
    let known = Role::ALL.into_iter().find(|role| role.as_str() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("no such role; there are {}", names.join(", "))
    })
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let context = system_command("cli")?;
    let change = |operator_id, change| ChangeOperator { operator_id, change };
    let done = match arguments.action {
        Action::Add { name, roles, lines, teams } => {
            let scope = Scope { lines: lines.into_iter().collect(), teams: teams.into_iter().collect() };
            let roles: BTreeSet<Role> = roles.into_iter().collect();
            let name = Personal::text(&name).unwrap_or(Personal::Clear(String::new()));
            let register = RegisterOperator { name, roles: roles.into_iter().collect(), scope };
            app.commands.execute(&context, &register).await
        }
        Action::Suspend { operator } => {
            app.commands.execute(&context, &change(operator, OperatorChange::Suspend)).await
        }
        Action::Resume { operator } => {
            app.commands.execute(&context, &change(operator, OperatorChange::Resume)).await
        }
    };
    app.close().await;
    println!("{}", done?.id("operator_id").unwrap_or_default());
    Ok(())
}
