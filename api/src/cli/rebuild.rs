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
    /// Go back to the copy that the last rebuild retired
    #[arg(long, conflicts_with = "all")]
    roll_back: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let known = app.projections.names();
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
            app.projections.roll_back(name).await?;
            println!("{name}: the former copy serves again");
            continue;
        }
        let bar = Progress::begin(name, "events");
        let show = |at: projections::Progress| bar.positions(at.position, at.head);
        let report = app.projections.rebuild(name, &show).await;
        bar.end();
        verify::print(&report?);
    }
    app.close().await;
    Ok(())
}
