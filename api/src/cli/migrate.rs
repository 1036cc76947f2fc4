//! `cluestream migrate`: brings the database's schema to this program's version.

use super::CliError;
use crate::app::{self, Location};
use crate::config::Config;

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let location = Location::of(&config.database_url)?;
    match app::migrate(&location).await?.applied {
        0 => eprintln!("the schema is up to date"),
        1 => eprintln!("1 change applied"),
        count => eprintln!("{count} changes applied"),
    }
    Ok(())
}
