//! `cluestream migrate`: brings the database's schema to this program's version.

use super::CliError;
use crate::app::{self, Location};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The role of PostgreSQL that the program works as: it gets the rights it needs and no others
    #[arg(long, value_name = "ROLE")]
    app_role: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let location = Location::of(&config.database_url)?;
    match app::migrate(&location).await?.applied {
        0 => eprintln!("the schema is up to date"),
        1 => eprintln!("1 change applied"),
        count => eprintln!("{count} changes applied"),
    }
    if let Some(role) = &arguments.app_role {
        app::grant(&location, role).await?;
        eprintln!("{role} may append and read events, and not change them");
    }
    Ok(())
}
