//! The part of `cluestream verify` that compares with what was signed, and says so.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use commands::event_log::EventLog;
use commands::proof::{AuditError, AuditFault, AuditReport, Directory, Page, audit, live_pages, printable};
use domain::proof::VerifierKey;
use futures::Stream;

use super::CliError;
use super::progress::Progress;
use super::replay_file::pages;
use super::whole::Watched;
use crate::config::Config;
use crate::keys::Keys;

/// What a file is called in what is printed.
const REPLAY: &str = "replay";

/// What was signed, and the key that it must be signed with.
pub(super) struct Checkpoints {
    /// Where tiles and checkpoints are.
    pub place: Directory,
    /// The only thing that is trusted.
    pub key: VerifierKey,
}

/// The verifier key that is meant: itself, a file, or that of the installation.
pub(super) fn key(given: Option<&str>, config: &Config) -> Result<VerifierKey, CliError> {
    let own = Keys::verifier_file(&config.keys_dir);
    let (text, from) = match given {
        Some(text) if text.matches('+').count() >= 2 && !Path::new(text).exists() => {
            (text.to_owned(), "--key".to_owned())
        }
        given => {
            let file = given.map_or(own.as_path(), Path::new);
            let text = std::fs::read_to_string(file).map_err(|error| {
                CliError::Verifier(format!(
                    "there is no verifier key: {}: {error}; give --key the key, or a file that holds it",
                    file.display()
                ))
            })?;
            (text, file.display().to_string())
        }
    };
    text.parse().map_err(|error| CliError::Verifier(format!("{from}: {error}")))
}

/// Audits a replay without a database; fails when anything is not as it was signed.
pub(super) async fn offline(signed: &Checkpoints, replay: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::File { path: replay.display().to_string(), source };
    let faults = if replay == Path::new("-") {
        if std::io::stdin().is_terminal() {
            eprintln!("reading the replay from standard input");
        }
        whole(signed, BufReader::new(std::io::stdin())).await?
    } else {
        let file = File::open(replay).map_err(failed)?;
        whole(signed, BufReader::new(file)).await?
    };
    if faults == 0 { Ok(()) } else { Err(CliError::Faults(faults)) }
}

/// Audits lines, which have to say that they are whole; says how many faults there are.
async fn whole(signed: &Checkpoints, reader: impl Lines) -> Result<usize, CliError> {
    let (reader, tail) = Watched::new(reader);
    let faults = compare(signed, pages(reader), REPLAY).await?;
    if tail.is_whole() {
        return Ok(faults);
    }
    let message = "the replay does not end with the line {\"end\":…}: it was cut off, or an older `cluestream replay` \
                   made it, which did not say whether it is whole; make it anew";
    if faults == 0 {
        return Err(CliError::Line(message.to_owned()));
    }
    eprintln!("{message}");
    Ok(faults)
}

/// Audits the log in the database; says how many faults there are.
pub(super) async fn live(signed: &Checkpoints, log: &Arc<dyn EventLog>) -> Result<usize, CliError> {
    compare(signed, live_pages(log.clone()), "event log").await
}

async fn compare(
    signed: &Checkpoints,
    pages: impl Stream<Item = Result<Page, AuditError>> + Send,
    what: &str,
) -> Result<usize, CliError> {
    let bar = Progress::begin("proof", "events");
    let report = audit(&signed.place, &signed.key, pages, &mut |done, of| bar.show(done, of)).await;
    bar.end();
    let report = report?;
    print(&report, what);
    let gaps = |fault: &AuditFault| matches!(fault, AuditFault::Removed { closed: false, .. });
    if what == REPLAY && report.faults.iter().any(gaps) {
        eprintln!(
            "events are missing in a replay also when it was made for some types or lines only, or before the \
             newest checkpoint: make one of everything, after the checkpoints were copied, before you conclude"
        );
    }
    Ok(report.faults.len())
}

fn print(report: &AuditReport, what: &str) {
    let AuditReport { newest, checkpoints, unchecked, equal, different, beyond, tiles, faults } = report;
    for fault in faults {
        println!("{what}: {}", printable(&fault.to_string()));
    }
    println!(
        "{what}: {equal} of {} signed events are as they were signed, {checkpoints} checkpoints and {tiles} full \
         tiles are good",
        newest.size
    );
    if *different > 0 {
        println!("{what}: {different} events differ from what was signed at their positions");
    }
    if *unchecked > 0 {
        println!("{what}: {unchecked} checkpoints could not be compared any more");
    }
    if *beyond > 0 {
        println!(
            "{what}: {beyond} events came behind the newest checkpoint, which ends at position {}: NOT COVERED yet",
            newest.size
        );
    }
    println!("{what}: signed by {}, root {}", printable(&newest.origin), newest.root);
}

/// A reader of lines that another thread may read.
pub(super) trait Lines: BufRead + Send + 'static {}

impl<T: BufRead + Send + 'static> Lines for T {}
