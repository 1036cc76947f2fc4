//! `cluestream line apply`: brings a business line to the description in a file.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use commands::CommandError;
use commands::clock::SystemClock;
use commands::line_file::LineFile;
use commands::use_cases::business_line::ApplyLine;
use domain::business_line::{BusinessLine, BusinessLineCommand, BusinessLineError};
use domain::envelope::{Revision, StreamId};
use domain::{Aggregate, Event};

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
    /// Define the line of a file, or change it to what the file says; says nothing twice
    Apply {
        /// The file (TOML); docs/lines has examples
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let Action::Apply { file } = &arguments.action;
    let name = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|source| CliError::File { path: name.clone(), source })?;
    let line = LineFile::parse(&text).map_err(|error| CliError::Line(format!("{name}: {error}")))?;
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let apply = ApplyLine { spec: line.spec.clone() };
    let key = apply.spec.key.clone();
    let applied = app.commands.execute(&system_command("cli")?, &apply).await;
    let applied = match applied {
        Err(CommandError::Refused(refused)) => {
            // What is refused depends on what the line was before; the file says where it asks for it.
            let place = refusal(&app, &line).await?.and_then(|refusal| line.locate(&refusal));
            let reason = place.map_or(refused.message, |place| place.to_string());
            Err(CliError::Line(format!("{name}: {reason}")))
        }
        other => other.map_err(CliError::from),
    };
    app.close().await;
    let receipt = applied?;
    match receipt.id("events") {
        Some("0") | None => println!("{key}: nothing to change"),
        Some("1") => println!("{key}: 1 change, at position {}", receipt.position),
        Some(count) => println!("{key}: {count} changes, up to position {}", receipt.position),
    }
    Ok(())
}

/// Why the line as it is refuses the file.
async fn refusal(app: &App, file: &LineFile) -> Result<Option<BusinessLineError>, CliError> {
    let stream = StreamId::of::<BusinessLine>(&file.spec.key);
    let mut line = BusinessLine::default();
    for event in app.log.read_stream(&stream, Revision::ZERO, usize::MAX).await? {
        if let Ok(Event::BusinessLine(event)) = event.decode() {
            line.evolve(&event);
        }
    }
    Ok(line.decide(BusinessLineCommand::Apply(Box::new(file.spec.clone()))).err())
}
