//! `cluestream parked`: events that a read model could not fold, and folding them again.

use std::collections::BTreeSet;
use std::sync::Arc;

use commands::clock::SystemClock;
use projections::Projections;

use super::CliError;
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

/// Most that are listed of what waits.
const MOST: i64 = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Of this read model alone
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Fold them again, in their order
    #[arg(long)]
    retry: bool,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let lines = if arguments.retry {
        retry(&app.projections, arguments.name.as_deref()).await
    } else {
        list(&app.projections, arguments.name.as_deref()).await
    };
    app.close().await;
    for line in lines? {
        println!("{line}");
    }
    Ok(())
}

/// A line for each event that waits.
pub(super) async fn list(projections: &Projections, name: Option<&str>) -> Result<Vec<String>, CliError> {
    let mut lines = vec!["read model\tposition\tkey\ttried\tsince\treason".to_owned()];
    let parked = projections.parked(name, MOST).await.map_err(projections::RunError::from)?;
    for event in &parked {
        // A reason may have what came from outside in it.
        let reason = event.reason.escape_debug();
        let (model, position, key) = (&event.projector, event.position, &event.key);
        lines.push(format!("{model}\t{position}\t{key}\t{}\t{}\t{reason}", event.attempts, event.parked_at));
    }
    Ok(lines)
}

/// Folds what waits again; a line for each key, with how many are left.
pub(super) async fn retry(projections: &Projections, name: Option<&str>) -> Result<Vec<String>, CliError> {
    let mut lines = Vec::new();
    let mut tried = BTreeSet::new();
    loop {
        let parked = projections.parked(name, MOST).await.map_err(projections::RunError::from)?;
        let keys: BTreeSet<_> = parked.into_iter().map(|event| (event.projector, event.key)).collect();
        let fresh: Vec<_> = keys.difference(&tried).cloned().collect();
        if fresh.is_empty() {
            return Ok(lines);
        }
        for (model, key) in fresh {
            let left = projections.retry_parked(&model, &key).await?;
            lines.push(format!("{model}\t{key}\t{left} left"));
            tried.insert((model, key));
        }
    }
}
