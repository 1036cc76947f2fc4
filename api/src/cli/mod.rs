//! The command line: one file a command.
//!
//! Guarantees: results go to standard output and everything else to standard error, so that scripts
//! can read the former; exit code 0 means done, 1 that it failed, 2 that the call made no sense.

mod audit;
mod backup;
mod checkpoint;
mod consumer;
mod demo;
mod erase;
mod fence;
mod health;
mod import;
mod keys;
mod line;
mod migrate;
mod parked;
mod progress;
mod rebuild;
mod replay;
mod replay_file;
mod schema;
mod serve;
mod token;
mod user;
mod verify;
mod whole;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::CommandContext;
use commands::clock::{Clock, SystemClock, fresh_uuid};
use domain::envelope::Actor;
use domain::ids::CommandId;
use domain::values::Code;

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
    /// Play a month on the embedded store and serve it: the quickest way to look around
    Demo(demo::Arguments),
    /// Answer requests and keep the read models
    Serve(serve::Arguments),
    /// Make the key files, or check them
    Keys(keys::Arguments),
    /// Print the contracts of the program
    Schema(schema::Arguments),
    /// Issue a token for an operator
    Token(token::Arguments),
    /// Ask a running server whether it can work
    Health(health::Arguments),
    /// Bring the database's schema to this program's version
    Migrate(migrate::Arguments),
    /// Define and change business lines
    Line(line::Arguments),
    /// Take clues of a file in
    Import(import::Arguments),
    /// Register the first operators
    User(user::Arguments),
    /// Check that the log is sound and every read model equals a replay from zero; with --checkpoints,
    /// that the log is what was signed
    Verify(verify::Arguments),
    /// Sign what the log holds now
    Checkpoint,
    /// Write the log out: lines of JSON, an Arrow stream or a Parquet file
    Replay(replay::Arguments),
    /// Look after consumers of the log whose positions the server keeps
    Consumer(consumer::Arguments),
    /// Build a read model beside the live one, compare, swap
    Rebuild(rebuild::Arguments),
    /// Print the events that a read model could not fold; with --retry, fold them again
    Parked(parked::Arguments),
    /// Let no process that is connected now append to the log any more
    Fence,
    /// Destroy a person's data key and record that
    EraseCustomer(erase::Arguments),
    /// Save the log and its data keys, each in a file, while everything goes on
    Backup(backup::Arguments),
    /// Restore a log and its data keys into an empty database
    Restore(backup::RestoreArguments),
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
    #[error(transparent)]
    App(#[from] crate::app::AppError),
    #[error(transparent)]
    Location(#[from] crate::app::LocationError),
    #[error(transparent)]
    Schema(#[from] crate::app::SchemaError),
    #[error(transparent)]
    AppRole(#[from] crate::app::AppRoleError),
    #[error(transparent)]
    Command(#[from] commands::CommandError),
    #[error(
        "EventStoreDB keeps the log, so its own backup is what to restore; the database fills itself from \
         there. --keys-only restores the data keys, which are in no stream"
    )]
    RestoreReplica,
    #[error(transparent)]
    Backup(#[from] commands::backup::BackupError),
    #[error(transparent)]
    Projections(#[from] projections::RunError),
    #[error(transparent)]
    Consumer(#[from] projections::ConsumerError),
    #[error(transparent)]
    Log(#[from] domain::ports::ReadError),
    #[error(transparent)]
    Import(#[from] commands::import::ImportError),
    #[error(transparent)]
    Serve(#[from] crate::app::ServeError),
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("{0}")]
    Line(String),
    #[error("{0} faults were found")]
    Faults(usize),
    #[error(transparent)]
    Seal(#[from] commands::proof::SealError),
    #[error(transparent)]
    Audit(#[from] commands::proof::AuditError),
    #[error("{0}")]
    Verifier(String),
    #[error("a word of the program is no code: {0}")]
    Word(#[from] domain::values::InvalidKey),
}

/// Runs the program with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    #[cfg(feature = "fail-points")]
    if let Err(reason) = crate::fail_points::arm() {
        eprintln!("cluestream: {reason}");
        return ExitCode::from(2);
    }
    match execute(Cli::parse()) {
        Ok(code) => code,
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

fn execute(cli: Cli) -> Result<ExitCode, CliError> {
    let config = Config::load(&cli.flags)?;
    telemetry::init_logging(&config.log);
    match cli.command {
        Command::Keys(arguments) => keys::run(&arguments, &config)?,
        Command::Schema(arguments) => schema::run(&arguments)?,
        Command::Token(arguments) => token::run(&arguments, &config)?,
        Command::Health(arguments) => health::run(&arguments, &config)?,
        Command::Import(arguments) => return block_on(import::run(&arguments, &config)),
        other => block_on(work(other, &config))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Commands that work on the database.
async fn work(command: Command, config: &Config) -> Result<(), CliError> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments, config).await,
        Command::Serve(arguments) => serve::run(&arguments, config).await,
        Command::Replay(arguments) => replay::run(&arguments, config).await,
        Command::Consumer(arguments) => consumer::run(arguments, config).await,
        Command::Migrate(arguments) => migrate::run(&arguments, config).await,
        Command::Line(arguments) => line::run(&arguments, config).await,
        Command::User(arguments) => user::run(arguments, config).await,
        Command::Verify(arguments) => verify::run(&arguments, config).await,
        Command::Checkpoint => checkpoint::run(config).await,
        Command::Rebuild(arguments) => rebuild::run(&arguments, config).await,
        Command::Parked(arguments) => parked::run(&arguments, config).await,
        Command::Fence => fence::run(config).await,
        Command::EraseCustomer(arguments) => erase::run(arguments, config).await,
        Command::Backup(arguments) => backup::save(&arguments, config).await,
        Command::Restore(arguments) => backup::load(&arguments, config).await,
        Command::Keys(_)
        | Command::Schema(_)
        | Command::Token(_)
        | Command::Health(_)
        | Command::Import(_) => Ok(()),
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// A command of a part of the system.
fn system_command(part: &str) -> Result<CommandContext, CliError> {
    let id = CommandId::new(fresh_uuid(SystemClock.now()));
    Ok(CommandContext::new(id, Actor::System(Code::new(part)?)))
}

#[cfg(test)]
mod tests;
