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
    Init {
        /// The name of the log in its checkpoints, for ever; a URL of yours without its scheme is a good one
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
    },
    /// Make the key that signs the log, for an installation that has the others already, or its public half
    /// anew when that alone is gone
    Log {
        /// The name of the log in its checkpoints, for ever
        #[arg(long, value_name = "NAME")]
        origin: Option<String>,
    },
    /// Read the keys and say whether they are whole
    Check,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match &arguments.action {
        Action::Init { origin } => {
            for file in Keys::create_for(&config.keys_dir, origin.as_deref())? {
                writeln!(out, "{}", file.display())?;
            }
            eprintln!(
                "Keep a copy of these files apart from the database and its backups. Without master.key \
                 nobody can read personal data again; whoever has it and the database can. Give \
                 log-verifier.pub to your auditors, by a way that others cannot change."
            );
        }
        Action::Log { origin } => {
            for file in Keys::create_log_key(&config.keys_dir, origin.as_deref())? {
                writeln!(out, "{}", file.display())?;
            }
            eprintln!("Give log-verifier.pub to your auditors, by a way that others cannot change.");
        }
        Action::Check => {
            let keys = Keys::load(&config.keys_dir)?;
            for (name, versions) in [("master", keys.master()), ("pepper", keys.pepper())] {
                let (current, count) = (versions.current().0, versions.versions().count());
                writeln!(out, "{name}: version {current} of {count}")?;
            }
            writeln!(out, "signing: {}", hex::encode(keys.signing().verifying_key().as_bytes()))?;
            match keys.log() {
                Some(signer) => writeln!(out, "log: {}", signer.verifier())?,
                None => {
                    writeln!(out, "log: no key, so the log is not signed; `cluestream keys log` makes one")?
                }
            }
        }
    }
    Ok(())
}
