//! `cluestream import clues`: takes the clues of a delimited file in.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::Subcommand;
use commands::clock::SystemClock;
use commands::import::{ImportError, Map, Options, Summary, import};
use domain::values::LineKey;

use super::CliError;
use super::progress::Progress;
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Clues, with their customers. Exit code 0: every row accepted or known; 3: some rejected
    Clues {
        /// The file: any separator, quote and line end, UTF-8 or GB18030
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The business line that works them
        #[arg(long, value_name = "KEY", value_parser = LineKey::from_str)]
        line: LineKey,
        /// What the columns mean (TOML); docs/maps has an example
        #[arg(long, value_name = "MAP")]
        map: PathBuf,
        /// Append nothing, tell what would happen
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CliError> {
    let What::Clues { file, line, map, dry_run } = &arguments.what;
    let name = map.display().to_string();
    let text =
        std::fs::read_to_string(map).map_err(|source| CliError::File { path: name.clone(), source })?;
    let map = Map::parse(&text).map_err(|error| CliError::Line(format!("{name}: {error}")))?;
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let bar = Progress::begin(&file.display().to_string(), "bytes");
    let options = Options { dry_run: *dry_run, ..Options::default() };
    let mut show = |at: commands::import::Progress| bar.show(at.bytes, at.total_bytes);
    let summary = import(&app.commands, &map, line, file, options, &mut show).await;
    bar.end();
    app.close().await;
    let path = file.display().to_string();
    let summary = summary.map_err(|error| match error {
        ImportError::Read(source) => CliError::File { path, source },
        other => other.into(),
    })?;
    print(&summary);
    Ok(ExitCode::from(summary.exit_code()))
}

fn print(summary: &Summary) {
    let Summary { rows, accepted, known, won, .. } = summary;
    let would = if summary.dry_run { "would be " } else { "" };
    println!(
        "{rows} rows: {accepted} {would}accepted ({won} of them won), {known} known already, {} rejected",
        summary.rejected_rows()
    );
    for (code, count) in &summary.rejected {
        println!("  {code}: {count}");
    }
    if let Some(file) = &summary.rejected_file {
        println!("rejected rows with line, column and reason: {}", file.display());
    }
    let layout = &summary.layout;
    let header = if layout.header.is_some() { "with" } else { "without" };
    let separator = char::from(layout.dialect.separator);
    eprintln!(
        "read as {:?}, separator {separator:?}, {header} header, {} columns",
        layout.dialect.encoding, layout.columns
    );
    eprintln!("correlation id of this run: {}", summary.run);
}
