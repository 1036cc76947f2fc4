//! Reading a long stretch of the log: positions are dense, so the next pages are known and read
//! ahead, several at once, while the ones before are looked at.

use std::sync::Arc;

use domain::Position;
use domain::envelope::RecordedEvent;
use domain::ports::{EventReader, ReadError};
use futures::{Stream, StreamExt, future, stream};

use super::dense;

/// Events of a page, for whoever has no reason for another size: smaller pages cost more an event.
pub const REPLAY_PAGE: usize = 4_000;
/// Pages that are read ahead.
const AHEAD: usize = 3;

/// The events behind `after` up to `until`, in order and without a hole, in pages of `page` events.
/// It ends with the first error, and early when the log does. What was read ahead when it is dropped
/// is read to its end.
///
/// # Errors
/// See [`ReadError`].
pub fn replay(
    log: Arc<dyn EventReader>,
    after: Position,
    until: Position,
    page: usize,
) -> impl Stream<Item = Result<Vec<RecordedEvent>, ReadError>> + Send {
    let page = page.max(1);
    let starts = (after.get()..until.get()).step_by(page).map(Position::new);
    let read = move |from: Position| {
        let (log, to) = (log.clone(), from.plus(page).min(until));
        let read = tokio::spawn(async move { log.read_range(from, to).await });
        async move { read.await.unwrap_or_else(|_| Err(ReadError::Unavailable("interrupted".to_owned()))) }
    };
    let pages = stream::iter(starts).map(read).buffered(AHEAD);
    // A page that is short is the end of the log, unless another one follows.
    let in_order = pages.scan(Some(after), |state, page| {
        let Some(last) = *state else { return future::ready(None) };
        let checked = page.and_then(|page| dense(last, &page[..page.len().min(1)]).map(|()| page));
        *state = match &checked {
            Ok(page) => Some(page.last().map_or(last, |event| event.position)),
            Err(_) => None,
        };
        future::ready(Some(checked))
    });
    in_order.filter(|page| future::ready(!matches!(page, Ok(page) if page.is_empty())))
}
