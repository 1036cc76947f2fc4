//! `cluestream replay`: writes the log out, personal values sealed as they are stored; with `--raw` it
//! adds the stored texts byte for byte, for audits.
//!
//! What goes to a file appears under its name only when it is whole; lines say so with their last one, for
//! whoever has them from standard output.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use commands::clock::SystemClock;
use commands::event_log::{EventLog, REPLAY_PAGE, replay};
use domain::ports::ReadError;
use domain::proof::StoredEvent;
use domain::{Position, RecordedEvent};
use futures::{Stream, StreamExt, stream};

use super::CliError;
use super::progress::Progress;
use crate::app::App;
use crate::config::Config;
use crate::http::events::{ExportError, Exporter, Format, known_types};
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Begin behind this position
    #[arg(long, value_name = "POSITION", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    pub(super) after: i64,
    /// Only events of this type, for example clue.captured, or clue.* for all of an aggregate; may be given
    /// several times
    #[arg(long = "type", value_name = "TYPE", value_parser = known_type)]
    pub(super) types: Vec<String>,
    /// With the stored texts, so that `cluestream verify --replay` can compute every proof from it
    #[arg(long)]
    pub(super) raw: bool,
    /// As lines of JSON, as an Arrow stream, or as a Parquet file
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// Write to this file, which appears when it is whole; to standard output without
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

fn known_type(text: &str) -> Result<String, String> {
    let text = text.to_owned();
    known_types(std::slice::from_ref(&text)).map(|()| text)
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    if arguments.output.is_none() && arguments.format != Format::Ndjson && io::stdout().is_terminal() {
        let message = "this format is not for a terminal: name a file with --output, or redirect the output";
        return Err(CliError::Line(message.to_owned()));
    }
    if arguments.raw && arguments.format != Format::Ndjson {
        let message = "--raw is for --format ndjson: columns have no stored texts";
        return Err(CliError::Line(message.to_owned()));
    }
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let written = write(&app.log, arguments).await;
    app.close().await;
    written
}

/// Writes what the log holds now.
pub(super) async fn write(log: &Arc<dyn EventLog>, arguments: &Arguments) -> Result<(), CliError> {
    let head = log.head().await?.position;
    let after = Position::new(arguments.after);
    if after > head {
        return Err(CliError::Line(format!("--after is beyond the end of the log, which is at {head}")));
    }
    let types = arguments.types.iter().map(String::as_str);
    let mut exporter = Exporter::new(arguments.format, after, head, types).map_err(failed)?;
    let mut target = Target::open(arguments.output.as_deref())?;
    let bar = Progress::begin("replay", "events");
    let mut pages = pages(log, after, head, arguments.raw);
    while let Some(page) = pages.next().await {
        let page = page?;
        let work = move || {
            for bytes in page.write(&mut exporter).map_err(failed)? {
                target.write_all(&bytes)?;
            }
            Ok::<_, CliError>((exporter, target))
        };
        (exporter, target) = blocking(work).await?;
        bar.positions(exporter.position(), head);
    }
    bar.end();
    if exporter.position() < head {
        let reached = exporter.position();
        return Err(CliError::Line(format!("the log ends at {reached}, and its head says {head}")));
    }
    let lines = arguments.format == Format::Ndjson;
    blocking(move || {
        let end = lines.then(|| end_line(exporter.position()));
        let last = exporter.finish().map_err(failed)?;
        target.write_all(&last)?;
        target.write_all(end.unwrap_or_default().as_bytes())?;
        target.complete()
    })
    .await
}

/// The last line of lines that are whole, as over HTTP.
fn end_line(position: Position) -> String {
    format!("{}\n", serde_json::json!({ "end": { "position": position } }))
}

/// Consecutive events.
enum Page {
    Read(Vec<RecordedEvent>),
    /// All that the log has up to a position.
    Stored(Vec<StoredEvent>, Position),
}

impl Page {
    fn write(&self, exporter: &mut Exporter) -> Result<Vec<Bytes>, ExportError> {
        match self {
            Self::Read(events) => exporter.write(events),
            Self::Stored(events, until) => exporter.write_raw(events, *until),
        }
    }
}

/// The log behind `after` up to `head`, page by page.
fn pages(
    log: &Arc<dyn EventLog>,
    after: Position,
    head: Position,
    raw: bool,
) -> Pin<Box<dyn Stream<Item = Result<Page, ReadError>> + Send>> {
    let log = log.clone();
    if !raw {
        return Box::pin(replay(log, after, head, REPLAY_PAGE).map(|page| page.map(Page::Read)));
    }
    let starts = (after.get()..head.get()).step_by(REPLAY_PAGE).map(Position::new);
    Box::pin(stream::iter(starts).then(move |from| {
        let (log, until) = (log.clone(), from.plus(REPLAY_PAGE).min(head));
        async move { log.read_stored_range(from, until).await.map(|events| Page::Stored(events, until)) }
    }))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(CliError::Line("the replay was interrupted".to_owned())))
}

fn failed(error: ExportError) -> CliError {
    match error {
        ExportError::Read(error) => error.into(),
        other => CliError::Line(other.to_string()),
    }
}

/// Where the bytes go.
enum Target {
    Stdout(BufWriter<io::Stdout>),
    /// A file beside the one that is asked for, until it is whole.
    File {
        out: BufWriter<File>,
        part: PathBuf,
        path: PathBuf,
    },
}

impl Target {
    fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(io::stdout()))) };
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part);
        let file = file.map_err(|source| CliError::File { path: part.display().to_string(), source })?;
        Ok(Self::File { out: BufWriter::new(file), part, path: path.to_owned() })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File { out, .. } => out.write_all(bytes),
        }
    }

    /// On the disk, and under its name.
    fn complete(self) -> Result<(), CliError> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File { out, part, path } => {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
                let named = std::fs::rename(&part, &path);
                named.map_err(|source| CliError::File { path: path.display().to_string(), source })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        let mut target = Target::open(Some(&path)).unwrap();
        target.write_all(b"half").unwrap();
        drop(target);
        assert!(!path.exists(), "an interrupted replay leaves a part by another name");
        let mut target = Target::open(Some(&path)).unwrap();
        target.write_all(b"whole").unwrap();
        target.complete().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let missing = Path::new("/no/such/folder/events.parquet");
        let refused = Target::open(Some(missing)).err().unwrap().to_string();
        assert!(refused.contains("/no/such/folder"), "{refused}");
    }
}
