//! The command line: one file a command.
//!
//! Guarantees: results go to standard output and everything else to standard error, so that scripts
//! can read the former; exit code 0 means done, 1 that it failed, 2 that the call made no sense.

mod health;
mod keys;
mod schema;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, Flags};
use crate::keys::KeysError;
use crate::telemetry;

/// Cluestream: the customer platform of a used-car marketplace.
#[derive(Debug, Parser)]
#[command(name = "cluestream", version, about, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Settings come from flags, then the environment, then the file of --config; \
                          docs/config.example.toml has them all. Secrets are never flags.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the key files, or check them
    Keys(keys::Arguments),
    /// Print the contracts of the program
    Schema(schema::Arguments),
    /// Issue a token for an operator
    Token(token::Arguments),
    /// Ask a running server whether it can work
    Health(health::Arguments),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Token(#[from] crate::auth::TokenError),
    #[error(transparent)]
    Health(#[from] health::HealthError),
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    match execute(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has closed it, `head` for one: nothing failed.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cluestream: {error}");
            match error {
                CliError::Config(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn execute(cli: Cli) -> Result<(), CliError> {
    let config = Config::load(&cli.flags)?;
    telemetry::init_logging(&config.log);
    match cli.command {
        Command::Keys(arguments) => keys::run(&arguments, &config),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Token(arguments) => token::run(&arguments, &config),
        Command::Health(arguments) => health::run(&arguments, &config),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_takes_no_secret() {
        let command = Cli::command();
        command.clone().debug_assert();
        let names = command.get_arguments().filter_map(|argument| argument.get_long());
        let secret = |name: &str| ["password", "secret", "pepper", "master"].iter().any(|s| name.contains(s));
        assert!(!names.into_iter().any(secret));
    }
}
