//! The leaves of a long stretch of the log: pages are read ahead, and hashed off the runtime's threads.

use std::sync::Arc;

use domain::Position;
use domain::ports::ReadError;
use domain::proof::{Hash, StoredEvent};
use futures::{Stream, StreamExt, stream};

use crate::event_log::EventLog;

/// Events of a page.
const PAGE: usize = 4_000;
/// Pages that are read and hashed at once.
const AHEAD: usize = 3;

/// Events and, in the same order, their leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaves {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Their leaves.
    pub hashes: Vec<Hash>,
}

impl Leaves {
    /// The leaves of some events.
    #[must_use]
    pub fn of(events: Vec<StoredEvent>) -> Self {
        let hashes = events.iter().map(StoredEvent::leaf).collect();
        Self { events, hashes }
    }
}

/// The events behind `after` up to `until` with their leaves, in pages, those that are there: whoever
/// reads them looks for holes. What was read ahead when it is dropped is read to its end.
///
/// # Errors
/// When the store does not answer.
pub fn leaves(
    log: Arc<dyn EventLog>,
    after: Position,
    until: Position,
) -> impl Stream<Item = Result<Leaves, ReadError>> + Send {
    let read = move |from: Position| {
        let (log, to) = (log.clone(), from.plus(PAGE).min(until));
        let page = tokio::spawn(async move {
            let events = log.read_stored_range(from, to).await?;
            tokio::task::spawn_blocking(|| Leaves::of(events)).await.map_err(|_| interrupted())
        });
        async move { page.await.unwrap_or_else(|_| Err(interrupted())) }
    };
    let starts = (after.get()..until.get()).step_by(PAGE).map(Position::new);
    stream::iter(starts).map(read).buffered(AHEAD)
}

fn interrupted() -> ReadError {
    ReadError::Unavailable("interrupted".to_owned())
}
