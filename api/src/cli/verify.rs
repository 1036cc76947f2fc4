//! `cluestream verify`: the log is dense and consistent, every read model equals a replay from zero; with
//! `--checkpoints` the log, or a replay of it, is what was signed.

use std::path::PathBuf;
use std::sync::Arc;

use commands::clock::SystemClock;
use commands::event_log::verify;
use commands::proof::{Directory, printable};
use projections::{Report, RunError};

use super::CliError;
use super::audit::{self, Checkpoints};
use super::progress::Progress;
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Compare with the checkpoints and tiles in this directory
    #[arg(long, value_name = "DIRECTORY")]
    checkpoints: Option<PathBuf>,
    /// Compare this replay, made with raw=true or --raw, and not the database; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "checkpoints")]
    replay: Option<PathBuf>,
    /// The verifier key, or a file that holds it; that of KEYS_DIR when absent
    #[arg(long, value_name = "KEY", requires = "checkpoints")]
    key: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let Some(checkpoints) = &arguments.checkpoints else { return live(None, config).await };
    let key = audit::key(arguments.key.as_deref(), config)?;
    let signed = Checkpoints { place: Directory::new(checkpoints), key };
    match &arguments.replay {
        Some(replay) => audit::offline(&signed, replay).await,
        None => live(Some(signed), config).await,
    }
}

async fn live(signed: Option<Checkpoints>, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let faults = faults(&app, signed).await;
    app.close().await;
    match faults? {
        0 => Ok(()),
        faults => Err(CliError::Faults(faults)),
    }
}

/// How many faults the log and the read models have.
async fn faults(app: &App, signed: Option<Checkpoints>) -> Result<usize, CliError> {
    let bar = Progress::begin("event log", "events");
    let log = verify(&app.log, &mut |position, head| bar.positions(position, head)).await?;
    bar.end();
    // Without a server nobody moves the read models; with one, it does, and holds the leases.
    match app.projections.catch_up().await {
        Ok(()) | Err(RunError::Held(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let mut faults = log.faults.len();
    if log.faults.is_empty() {
        println!("event log: {} events, dense and consistent", log.events);
    }
    for fault in &log.faults {
        println!("event log: {}", printable(&fault.to_string()));
    }
    if let Some(signed) = &signed {
        faults += audit::live(signed, &app.log).await?;
    }
    for name in app.projections.names() {
        faults += usize::from(!read_model(app, name).await?);
    }
    Ok(faults)
}

async fn read_model(app: &App, name: &str) -> Result<bool, CliError> {
    let bar = Progress::begin(name, "events");
    let show = |at| bar.replay(name, at);
    let report = app.projections.verify(name, &show).await;
    bar.end();
    let report = report?;
    print(&report);
    Ok(report.is_equal() && report.parked == 0)
}

/// One line a table that differs, or one line for the model.
pub(super) fn print(report: &Report) {
    let (model, position) = (report.model, report.position);
    if report.parked > 0 {
        println!("{model}: {} events could not be folded and are parked", report.parked);
    }
    if report.is_equal() {
        let rows: i64 = report.tables.iter().map(|table| table.live).sum();
        println!("{model}: {rows} rows equal a replay from zero, at position {position}");
        return;
    }
    for table in report.tables.iter().filter(|table| !table.is_equal()) {
        println!("{model}: {table:?} at position {position}");
    }
}
