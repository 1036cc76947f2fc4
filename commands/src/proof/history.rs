//! Every checkpoint that was signed, in files of their own, and a copy of the newest one.
//!
//! `checkpoint` is the newest, where C2SP `tlog-tiles` wants it. `checkpoints/<million>/<size>` keeps all
//! of them, with digits enough that the order of names is the order of sizes.

use std::collections::VecDeque;

use domain::proof::{Checkpoint, CheckpointError, VerifierKey};

use super::audit::printable;
use super::place::{Place, PlaceError};

/// The newest checkpoint.
pub const NEWEST: &str = "checkpoint";
/// All of them.
const ALL: &str = "checkpoints";

/// Where the checkpoint of a size is kept.
pub fn name(size: u64) -> String {
    format!("{ALL}/{:014}/{size:020}", size / 1_000_000)
}

/// A checkpoint with the text that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
}

/// A file that should hold a checkpoint and does not hold a good one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", printable(.name))]
pub struct BadCheckpoint {
    /// Which.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why there is no newest checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The place does not answer.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A file is not what it should be.
    #[error(transparent)]
    Bad(#[from] BadCheckpoint),
}

fn open(name: &str, content: Vec<u8>, key: &VerifierKey) -> Result<Kept, BadCheckpoint> {
    let bad = |reason: String| BadCheckpoint { name: name.to_owned(), reason };
    let note = String::from_utf8(content).map_err(|_| bad("it is not text".to_owned()))?;
    let checkpoint = Checkpoint::open(&note, key).map_err(|error: CheckpointError| bad(error.to_string()))?;
    Ok(Kept { checkpoint, note })
}

/// The checkpoint of one size.
pub async fn at(place: &dyn Place, key: &VerifierKey, size: u64) -> Result<Option<Kept>, HistoryError> {
    let name = name(size);
    let Some(content) = place.read(&name).await? else { return Ok(None) };
    let kept = open(&name, content, key)?;
    if kept.checkpoint.size == size {
        return Ok(Some(kept));
    }
    let reason = format!("it is the checkpoint of size {}", kept.checkpoint.size);
    Err(BadCheckpoint { name, reason }.into())
}

/// The copy of the newest checkpoint; after a kill it may be that of an earlier one, until the log is signed
/// again.
pub async fn copy(place: &dyn Place, key: &VerifierKey) -> Result<Option<Kept>, HistoryError> {
    let Some(content) = place.read(NEWEST).await? else { return Ok(None) };
    Ok(Some(open(NEWEST, content, key)?))
}

/// The newest checkpoint that was signed, wherever it is kept: a kill may come between the two files.
pub async fn newest(place: &dyn Place, key: &VerifierKey) -> Result<Option<Kept>, HistoryError> {
    let copy = copy(place, key).await?;
    let mut last = None;
    for folder in place.names(ALL).await?.iter().rev() {
        let names = place.names(&format!("{ALL}/{folder}")).await?;
        if let Some(size) = names.last().and_then(|name| name.parse().ok()) {
            last = at(place, key, size).await?;
            break;
        }
    }
    if let (Some(copy), Some(last)) = (&copy, &last)
        && copy.checkpoint.size == last.checkpoint.size
        && copy.checkpoint.root != last.checkpoint.root
    {
        let reason = format!("it contradicts {}: two histories were signed", name(last.checkpoint.size));
        return Err(BadCheckpoint { name: NEWEST.to_owned(), reason }.into());
    }
    Ok(match (copy, last) {
        (Some(copy), Some(last)) if copy.checkpoint.size < last.checkpoint.size => Some(last),
        (None, last) => last,
        (copy, _) => copy,
    })
}

/// The newest checkpoint that is good, and the copy of the newest one, good or not, when there is one.
pub async fn newest_good(
    place: &dyn Place,
    key: &VerifierKey,
) -> Result<(Option<Kept>, Option<Result<Kept, BadCheckpoint>>), PlaceError> {
    let copy = place.read(NEWEST).await?.map(|content| open(NEWEST, content, key));
    let good = copy.clone().and_then(Result::ok);
    for folder in place.names(ALL).await?.iter().rev() {
        for name in place.names(&format!("{ALL}/{folder}")).await?.iter().rev() {
            let Ok(size) = name.parse() else { continue };
            match at(place, key, size).await {
                Ok(Some(last)) => {
                    let good = good.filter(|good| good.checkpoint.size > size);
                    return Ok((good.or(Some(last)), copy));
                }
                Ok(None) | Err(HistoryError::Bad(_)) => {}
                Err(HistoryError::Place(error)) => return Err(error),
            }
        }
    }
    Ok((good, copy))
}

/// All checkpoints by size, read one after the other.
pub struct History<'a> {
    place: &'a dyn Place,
    key: &'a VerifierKey,
    folders: VecDeque<String>,
    names: VecDeque<String>,
}

impl<'a> History<'a> {
    pub async fn begin(place: &'a dyn Place, key: &'a VerifierKey) -> Result<Self, PlaceError> {
        let folders = place.names(ALL).await?.into();
        Ok(Self { place, key, folders, names: VecDeque::new() })
    }

    /// The next one, good or not; `None` behind the last.
    pub async fn next(&mut self) -> Result<Option<Result<Kept, BadCheckpoint>>, PlaceError> {
        loop {
            if let Some(file) = self.names.pop_front() {
                let size = file.rsplit('/').next().and_then(|size| size.parse::<u64>().ok());
                let Some(size) = size.filter(|size| name(*size) == file) else {
                    let reason = "it has not the name of a checkpoint".to_owned();
                    return Ok(Some(Err(BadCheckpoint { name: file, reason })));
                };
                return match at(self.place, self.key, size).await {
                    Ok(Some(kept)) => Ok(Some(Ok(kept))),
                    Ok(None) => continue,
                    Err(HistoryError::Bad(bad)) => Ok(Some(Err(bad))),
                    Err(HistoryError::Place(error)) => Err(error),
                };
            }
            let Some(folder) = self.folders.pop_front() else { return Ok(None) };
            let folder = format!("{ALL}/{folder}");
            let names = self.place.names(&folder).await?;
            self.names = names.into_iter().map(|name| format!("{folder}/{name}")).collect();
        }
    }
}
