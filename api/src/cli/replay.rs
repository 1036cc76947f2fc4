//! `cluestream replay`: prints the log, one event a line, personal values sealed as they are stored;
//! with `--raw` it adds the stored texts byte for byte, for audits.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use commands::clock::SystemClock;
use commands::event_log::EventLog;
use domain::Position;
use domain::ports::ReadError;

use super::CliError;
use super::progress::Progress;
use crate::app::App;
use crate::config::Config;
use crate::http::events::{raw_line, stored_line};
use crate::keys::Keys;

/// Events that are read at once.
const PAGE: usize = 1_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Begin behind this position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    pub(super) after: i64,
    /// Only events of this type, for example clue.captured; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = known_type)]
    pub(super) types: Vec<String>,
    /// With the stored texts, so that `cluestream verify --replay` can compute every proof from it
    #[arg(long)]
    pub(super) raw: bool,
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
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let printed = print(&*app.log, arguments, &mut out).await;
    app.close().await;
    printed
}

/// Prints what the log holds now.
pub(super) async fn print(
    log: &dyn EventLog,
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let types: BTreeSet<&str> = arguments.types.iter().map(String::as_str).collect();
    let head = log.head().await?.position;
    let mut at = Position::new(arguments.after);
    let bar = Progress::begin("replay", "events");
    let mut lines = Vec::new();
    let wanted = |event_type: &str| types.is_empty() || types.contains(event_type);
    while at < head {
        let next = if arguments.raw {
            raw_page(log, at, head, &wanted, &mut lines).await?
        } else {
            page(log, at, &wanted, &mut lines).await?
        };
        out.write_all(&lines)?;
        lines.clear();
        let Some(next) = next else { break };
        at = next;
        bar.positions(at, head);
    }
    bar.end();
    Ok(out.flush()?)
}

/// Prints the events behind `after`; says how far they go, when there are any.
async fn page(
    log: &dyn EventLog,
    after: Position,
    wanted: &(dyn Fn(&str) -> bool + Sync),
    lines: &mut Vec<u8>,
) -> Result<Option<Position>, CliError> {
    let page = log.read(after, PAGE).await?;
    for event in page.iter().filter(|event| wanted(&event.event_type)) {
        stored_line(lines, event).map_err(|reason| unreadable(event.position, reason))?;
    }
    Ok(page.last().map(|event| event.position))
}

/// The same with the stored texts.
async fn raw_page(
    log: &dyn EventLog,
    after: Position,
    head: Position,
    wanted: &(dyn Fn(&str) -> bool + Sync),
    lines: &mut Vec<u8>,
) -> Result<Option<Position>, CliError> {
    let page = log.read_stored(after, PAGE).await?;
    let mut at = after;
    for event in &page {
        if event.position != at.next() {
            return Err(ReadError::Hole { expected: at.next(), found: event.position }.into());
        }
        if wanted(&event.event_type) {
            raw_line(lines, event).map_err(|reason| unreadable(event.position, &reason))?;
        }
        at = event.position;
    }
    if page.is_empty() {
        return Err(ReadError::Hole { expected: at.next(), found: head }.into());
    }
    Ok(Some(at))
}

fn unreadable(position: Position, reason: &str) -> CliError {
    CliError::Line(format!("the event at {position}: {reason}"))
}
