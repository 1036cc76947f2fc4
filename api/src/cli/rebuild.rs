//! `cluestream rebuild`: builds a read model beside the live one, compares, swaps.

use std::sync::Arc;

use commands::clock::SystemClock;

use super::progress::Progress;
use super::{CliError, verify};
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Which read model
    #[arg(value_name = "NAME", required_unless_present = "all")]
    name: Option<String>,
    /// Every read model, one after the other
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// How many workers fold events, 1 to 8; as many as there are cores, up to 4, without. SQLite has
    /// one writer, so there it is always one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    workers: Option<u8>,
    /// Go back to the copy that the last rebuild retired
    #[arg(long, conflicts_with = "all")]
    roll_back: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let done = all(arguments, &app).await;
    app.close().await;
    done
}

async fn all(arguments: &Arguments, app: &App) -> Result<(), CliError> {
    let projections = match arguments.workers {
        Some(workers) => app.projections.clone().with_workers(usize::from(workers)),
        None => app.projections.clone(),
    };
    let known = projections.names();
    let names: Vec<&str> = match &arguments.name {
        Some(name) => vec![name],
        None => known.clone(),
    };
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        let there_are = known.join(", ");
        return Err(CliError::Line(format!("no read model is called {name}; there are {there_are}")));
    }
    for name in &names {
        if arguments.roll_back {
            projections.roll_back(name).await?;
            println!("{name}: the former copy serves again");
            continue;
        }
        let bar = Progress::begin(name, "events");
        let show = |at| bar.replay(name, at);
        let report = projections.rebuild(name, &show).await;
        bar.end();
        verify::print(&report?);
    }
    Ok(())
}
