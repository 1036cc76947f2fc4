//! `cluestream keys`: makes the key files, or checks them.

use std::io::Write;

use super::CliError;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make new keys; existing ones are never overwritten
    Init,
    /// Read the keys and say whether they are whole
    Check,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match arguments.action {
        Action::Init => {
            for file in Keys::create(&config.keys_dir)? {
                writeln!(out, "{}", file.display())?;
            }
            eprintln!(
                "Keep a copy of these files apart from the database and its backups. Without master.key \
                 nobody can read personal data again; whoever has it and the database can."
            );
        }
        Action::Check => {
            let keys = Keys::load(&config.keys_dir)?;
            for (name, versions) in [("master", keys.master()), ("pepper", keys.pepper())] {
                let (current, count) = (versions.current().0, versions.versions().count());
                writeln!(out, "{name}: version {current} of {count}")?;
            }
            writeln!(out, "signing: {}", hex::encode(keys.signing().verifying_key().as_bytes()))?;
        }
    }
    Ok(())
}
