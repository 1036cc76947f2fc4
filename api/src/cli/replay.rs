//! `cluestream replay`: prints the log, one event a line, personal values sealed as they are stored.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use commands::clock::SystemClock;
use domain::Position;

use super::CliError;
use super::progress::Progress;
use crate::app::App;
use crate::config::Config;
use crate::http::EventLine;
use crate::keys::Keys;

/// Events that are read at once.
const PAGE: usize = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Begin behind this position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: i64,
    /// Only events of this type, for example clue.captured; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = known_type)]
    types: Vec<String>,
}

fn known_type(text: &str) -> Result<String, String> {
    let known = domain::contracts::event_types().any(|known| known.name == text);
    if known {
        Ok(text.to_owned())
    } else {
        Err("no such type; `cluestream schema events` lists them".to_owned())
    }
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let printed = print(&app, arguments).await;
    app.close().await;
    printed
}

async fn print(app: &App, arguments: &Arguments) -> Result<(), CliError> {
    let types: BTreeSet<&str> = arguments.types.iter().map(String::as_str).collect();
    let head = app.log.head().await?.position;
    let mut at = Position::new(arguments.after);
    let bar = Progress::begin("replay", "events");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    while at < head {
        let page = app.log.read(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for event in page.iter().filter(|event| types.is_empty() || types.contains(&*event.event_type)) {
            let line = EventLine::new(event, event.payload.to_string()).map_err(std::io::Error::from)?;
            serde_json::to_writer(&mut out, &line).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        bar.positions(at, head);
    }
    bar.end();
    Ok(out.flush()?)
}
