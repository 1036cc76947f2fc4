//! `cluestream consumer`: consumers of the log whose positions the server keeps.

use std::str::FromStr;
use std::sync::Arc;

use clap::Subcommand;
use commands::clock::SystemClock;
use domain::Position;
use domain::ids::OperatorId;
use domain::operator::Role;
use domain::values::Code;
use projections::Consumer;

use super::CliError;
use crate::app::App;
use crate::config::Config;
use crate::http::events::known_types;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every consumer: where it is, how far behind, who reads it until when
    List,
    /// Make a consumer for an operator with the role bi or auditor
    Create {
        /// What it is called
        #[arg(value_parser = Code::from_str)]
        name: Code,
        /// Whose it is
        #[arg(long, value_name = "OPERATOR")]
        owner: OperatorId,
        /// Only events of this type, or of an aggregate: clue.won, clue.*; may be given several times
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Begin behind this position, or at the `end` of the log
        #[arg(long, value_name = "POSITION", default_value = "0", value_parser = After::from_str)]
        after: After,
    },
    /// Set the position, forward or backward; a reader that has the consumer stops
    Seek {
        /// Which
        #[arg(value_parser = Code::from_str)]
        name: Code,
        /// Everything up to here counts as acknowledged; `end` for all there is
        #[arg(value_parser = After::from_str)]
        position: After,
    },
    /// Take a consumer away
    Delete {
        /// Which
        #[arg(value_parser = Code::from_str)]
        name: Code,
    },
}

/// A place in the log.
#[derive(Clone, Copy, Debug)]
enum After {
    Position(Position),
    End,
}

impl FromStr for After {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "end" {
            return Ok(Self::End);
        }
        let number = text.parse().ok().filter(|number| *number >= 0);
        number
            .map(|number| Self::Position(Position::new(number)))
            .ok_or("a position is a number from 0, or `end`")
    }
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let done = act(&app, arguments.action).await;
    app.close().await;
    done
}

async fn act(app: &App, action: Action) -> Result<(), CliError> {
    let consumers = &app.consumers;
    match action {
        Action::List => list(app).await?,
        Action::Create { name, owner, types, after } => {
            known_types(&types).map_err(CliError::Line)?;
            let operator = app.directory.now().operators.get(&owner).map(|operator| operator.roles.clone());
            if !operator.is_some_and(|roles| roles.contains(&Role::Bi) || roles.contains(&Role::Auditor)) {
                let message = "the owner of a consumer is an operator with the role bi or auditor";
                return Err(CliError::Line(message.to_owned()));
            }
            let after = resolve(app, after).await?;
            print(&consumers.create(&name, owner, &types, after).await?);
        }
        Action::Seek { name, position } => {
            let position = resolve(app, position).await?;
            print(&consumers.seek(&name, None, position).await?);
        }
        Action::Delete { name } => {
            consumers.delete(&name, None).await?;
            println!("{name} is gone");
        }
    }
    Ok(())
}

async fn resolve(app: &App, after: After) -> Result<Position, CliError> {
    Ok(match after {
        After::Position(position) => position,
        After::End => app.log.head().await?.position,
    })
}

async fn list(app: &App) -> Result<(), CliError> {
    println!("name\tposition\tbehind\tseconds\tleased until\towner\ttypes");
    for lag in app.consumers.list().await? {
        let consumer = &lag.consumer;
        let leased = consumer.leased_until.map_or_else(|| "-".to_owned(), |until| until.to_string());
        let types = if consumer.types.is_empty() { "all".to_owned() } else { consumer.types.join(",") };
        println!(
            "{}\t{}\t{}\t{:.0}\t{leased}\t{}\t{types}",
            consumer.name, consumer.position, lag.events, lag.seconds, consumer.owner
        );
    }
    Ok(())
}

fn print(consumer: &Consumer) {
    println!("{} is at {}", consumer.name, consumer.position);
}
