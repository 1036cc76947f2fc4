//! `cluestream backup` and `cluestream restore`: the log and its data keys, each in a file.

use std::path::PathBuf;

use commands::backup::{backup, restore, restore_keys};

use super::CliError;
use crate::app::Location;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file of the log: events, unique keys, command results
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The file of the data keys; keep it apart from the log, and not as long
    #[arg(value_name = "KEYS")]
    keys: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct RestoreArguments {
    #[command(flatten)]
    files: Arguments,
    /// Restore the data keys alone: what a lost replica needs when EventStoreDB keeps the log
    #[arg(long)]
    keys_only: bool,
}

pub(super) async fn save(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let location = Location::of(&config.database_url)?;
    let report = backup(&location.place(), &arguments.log, &arguments.keys).await?;
    println!("{} events and {} data keys were saved", report.events, report.data_keys);
    eprintln!(
        "the key files of {} belong to the backup of the machine, not to these files",
        config.keys_dir.display()
    );
    Ok(())
}

pub(super) async fn load(arguments: &RestoreArguments, config: &Config) -> Result<(), CliError> {
    let location = Location::of(&config.database_url)?;
    if config.event_store_url.is_some() && !arguments.keys_only {
        return Err(CliError::RestoreReplica);
    }
    crate::app::migrate(&location).await?;
    let arguments = match arguments {
        RestoreArguments { files, keys_only: false } => files,
        RestoreArguments { files, keys_only: true } => {
            let report = restore_keys(&location.place(), &files.keys).await?;
            println!("{} data keys were restored", report.data_keys);
            return Ok(());
        }
    };
    let report = restore(&location.place(), &arguments.log, &arguments.keys).await?;
    println!("{} events and {} data keys were restored", report.events, report.data_keys);
    eprintln!("read models build themselves when the server starts");
    Ok(())
}
