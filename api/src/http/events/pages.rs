//! Pages of the log, read and put into their form ahead of the client: while one goes out, the next
//! ones are read and encoded by other threads.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use axum::body::Bytes;
use domain::Position;
use domain::envelope::RecordedEvent;
use domain::ports::{EventReader, ReadError};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::access::{Access, View};
use super::data::Unreadable;
use super::format::{Columns, Format, FormatError, Piece};
use super::query::Types;
use super::row::{self, Entry};
use super::{EventsState, ReplaySettings};

/// Pages that are read ahead of the one that goes out.
const AHEAD: usize = 2;
/// Pages begin at this part of their full size: the first ones tell how large events are.
const FIRST_PAGE: usize = 8;
/// From so many events on, a page is read as a stretch and encoded off the runtime.
const LONG: usize = 64;

/// About how much of a line is beside the payload.
const ENVELOPE: usize = 800;

/// Which events, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    pub types: Types,
    pub access: Access,
    pub format: Format,
    /// With the stored texts, byte for byte; for lines alone.
    pub raw: bool,
}

/// Rows of a page.
enum Rows {
    /// Lines, and where each ends.
    Lines {
        bytes: Bytes,
        ends: Vec<usize>,
    },
    Batch(RecordBatch),
}

/// A page in the form in which it goes out.
pub(super) struct Page {
    rows: Rows,
    /// Where each row is in the log.
    positions: Vec<Position>,
    /// How many rows went out.
    taken: usize,
    /// Everything up to here was looked at.
    through: Position,
    /// What is wrong with the event behind that.
    fault: Option<ReadError>,
    /// Bytes of payloads, and of how many events.
    weight: (usize, usize),
}

/// Why a page is not there.
#[derive(Debug)]
pub(super) enum PageError {
    Read(ReadError),
    Format(FormatError),
}

impl From<ReadError> for PageError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl Page {
    /// Puts events, which come behind `after`, into their form. Stored ones are all that the log has up to
    /// `until`, when that is known: lines say where it has nothing.
    pub fn of<E: Entry>(
        after: Position,
        until: Option<Position>,
        entries: &[E],
        selection: &Selection,
    ) -> Result<Self, FormatError> {
        let mut sink = Sink::new(selection, entries);
        let (mut positions, mut through, mut fault) = (Vec::new(), after, None);
        for entry in entries {
            if entry.stored().is_some() {
                positions.extend(sink.pass(through, Position::new(entry.position().get() - 1)));
            }
            match sink.take(through.next(), entry, selection) {
                Ok(Some(position)) => positions.push(position),
                Ok(None) => {}
                Err(wrong) => {
                    fault = Some(wrong);
                    break;
                }
            }
            through = entry.position();
        }
        if let Some(until) = until.filter(|_| fault.is_none()) {
            positions.extend(sink.pass(through, until));
            through = through.max(until);
        }
        let weight = (entries.iter().map(Entry::bytes).sum(), entries.len());
        Ok(Self { rows: sink.finish()?, positions, taken: 0, through, fault, weight })
    }

    /// The next rows: about so many bytes of lines, or all columns; `most` rows at most. With how many
    /// these are.
    pub fn take(&mut self, bytes: usize, most: u64) -> Option<(Piece, u64)> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let from = self.taken;
        let left = (self.positions.len() - from).min(most);
        if left == 0 {
            return None;
        }
        let (piece, count) = match &self.rows {
            Rows::Lines { bytes: lines, ends } => {
                let start = from.checked_sub(1).map_or(0, |index| ends[index]);
                let full = ends[from..from + left].iter().position(|end| end - start >= bytes);
                let count = full.map_or(left, |index| index + 1);
                (Piece::Lines(lines.slice(start..ends[from + count - 1])), count)
            }
            Rows::Batch(batch) => (Piece::Batch(batch.slice(from, left)), left),
        };
        self.taken += count;
        Some((piece, count as u64))
    }

    /// Whether the log had nothing there, and no row says so.
    pub const fn is_empty(&self) -> bool {
        self.weight.1 == 0 && self.positions.is_empty()
    }

    /// Whether every row went out.
    pub fn is_done(&self) -> bool {
        self.taken == self.positions.len()
    }

    /// The position of the last row that went out.
    pub fn told(&self) -> Option<Position> {
        self.taken.checked_sub(1).map(|index| self.positions[index])
    }

    /// Everything up to here was looked at.
    pub const fn through(&self) -> Position {
        self.through
    }

    /// Up to where the page reaches when `most` of its rows go out.
    pub fn reach(&self, most: u64) -> Position {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match most.checked_sub(1).and_then(|last| self.positions.get(last)) {
            Some(last) if most <= self.positions.len() => *last,
            _ => self.through,
        }
    }

    /// What is wrong with the event behind the page.
    pub const fn fault(&mut self) -> Option<ReadError> {
        self.fault.take()
    }
}

/// Gathers rows.
enum Sink {
    Lines { bytes: Vec<u8>, ends: Vec<usize>, view: View },
    Columns(Box<Columns>),
}

impl Sink {
    fn new<E: Entry>(selection: &Selection, entries: &[E]) -> Self {
        let view = selection.access.view;
        // Where only some match nobody knows how much that is.
        let rows = if selection.types.are_all() { entries.len() } else { 0 };
        match selection.format {
            Format::Ndjson => {
                let bytes = entries[..rows].iter().map(|entry| ENVELOPE + entry.bytes()).sum();
                Self::Lines { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(rows), view }
            }
            Format::Arrow | Format::Parquet => Self::Columns(Box::new(Columns::with_capacity(rows, view))),
        }
    }

    /// Takes the event that belongs at `expected` in, when it is one of those selected; says where it is.
    fn take<E: Entry>(
        &mut self,
        expected: Position,
        entry: &E,
        selection: &Selection,
    ) -> Result<Option<Position>, ReadError> {
        let position = entry.position();
        if entry.stored().is_none() && position != expected {
            return Err(ReadError::Hole { expected, found: position });
        }
        if entry.stored().is_some_and(|stored| !selection.types.contain(&stored.event_type)) {
            return Ok(None);
        }
        match self.row(entry, selection) {
            Ok(written) => Ok(written.then_some(position)),
            Err(ReadError::Corrupt { reason, .. })
                if visible(entry, &selection.access) && self.bare(entry, &reason) =>
            {
                Ok(Some(position))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the row of an event when it is one of those selected; says whether it is.
    fn row<E: Entry>(&mut self, entry: &E, selection: &Selection) -> Result<bool, ReadError> {
        let (event, metadata) = entry.open()?;
        let selected = selection.types.contain(&event.event_type) && selection.access.sees(&event);
        if selected {
            let position = entry.position();
            self.push(&event, metadata)
                .map_err(|wrong| ReadError::Corrupt { position, reason: wrong.0.to_owned() })?;
        }
        Ok(selected)
    }

    /// Writes a stored event that cannot be read; says whether there is a form for that. Whoever audits a
    /// log needs the events most that somebody made unreadable.
    fn bare<E: Entry>(&mut self, entry: &E, reason: &str) -> bool {
        match (self, entry.stored()) {
            (Self::Lines { bytes, ends, .. }, Some(stored)) => {
                row::write_bare(bytes, stored, reason);
                ends.push(bytes.len());
                true
            }
            _ => false,
        }
    }

    /// Says that the log has nothing behind one position up to another one, if there are any between.
    fn pass(&mut self, after: Position, until: Position) -> Option<Position> {
        match self {
            Self::Lines { bytes, ends, .. } if until > after => {
                row::write_missing(bytes, until, until.get() - after.get());
                ends.push(bytes.len());
                Some(until)
            }
            _ => None,
        }
    }

    fn push(&mut self, event: &RecordedEvent, metadata: Option<&str>) -> Result<(), Unreadable> {
        match self {
            Self::Lines { bytes, ends, view } => {
                row::write(bytes, event, *view, metadata)?;
                ends.push(bytes.len());
                Ok(())
            }
            Self::Columns(columns) => columns.push(event),
        }
    }

    fn finish(self) -> Result<Rows, FormatError> {
        Ok(match self {
            Self::Lines { bytes, ends, .. } => Rows::Lines { bytes: bytes.into(), ends },
            Self::Columns(columns) => Rows::Batch(columns.finish()?),
        })
    }
}

/// Whether a caller sees an event that cannot be written: where its envelope can be read, as any other.
fn visible<E: Entry>(entry: &E, access: &Access) -> bool {
    access.is_whole() || entry.open().is_ok_and(|(event, _)| access.sees(&event))
}

/// Reads pages in order.
pub(super) struct Pages {
    reader: Arc<dyn EventReader>,
    turns: Arc<Semaphore>,
    selection: Arc<Selection>,
    settings: ReplaySettings,
    /// How many events the next page has.
    size: usize,
    /// Whether the size is that of events which were seen.
    measured: bool,
    ahead: VecDeque<Ahead>,
}

/// A page that is being read.
struct Ahead {
    after: Position,
    until: Position,
    page: JoinHandle<Result<Page, PageError>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Nobody waits for it any more; a page that was taken has ended already.
        self.page.abort();
    }
}

impl Pages {
    pub fn new(state: &EventsState, selection: Selection) -> Self {
        Self {
            reader: Arc::clone(&state.reader),
            turns: Arc::clone(&state.turns),
            selection: Arc::new(selection),
            settings: state.settings,
            size: (state.settings.page / FIRST_PAGE).max(1),
            measured: false,
            ahead: VecDeque::new(),
        }
    }

    /// From now on the caller may read this. What was read ahead for less or more is thrown away.
    pub fn allow(&mut self, access: &Access) {
        if self.selection.access != *access {
            self.selection = Arc::new(Selection { access: access.clone(), ..(*self.selection).clone() });
            self.ahead.clear();
        }
    }

    /// The page behind `after`, up to `until`, where the log is known to reach.
    pub async fn known(&mut self, after: Position, until: Position) -> Result<Page, PageError> {
        if self.ahead.front().is_some_and(|page| page.after != after || page.until > until) {
            self.ahead.clear();
        }
        let wanted = if self.measured { 1 + AHEAD } else { 1 };
        while self.ahead.len() < wanted {
            let from = self.ahead.back().map_or(after, |page| page.until);
            if from >= until {
                break;
            }
            self.begin(from, from.plus(self.size).min(until));
        }
        // Waited for in its place, so that nothing is lost when the caller does not wait to the end.
        let Some(next) = self.ahead.front_mut() else { return self.next(after).await };
        let read = (&mut next.page).await;
        let until = next.until;
        self.ahead.pop_front();
        let page = read.unwrap_or_else(|_| Err(interrupted()))?;
        self.measure(&page);
        if page.through == after && page.fault.is_none() {
            return Err(ReadError::Hole { expected: after.next(), found: until }.into());
        }
        Ok(page)
    }

    /// The page behind `after`, empty at the end of the log.
    pub async fn next(&mut self, after: Position) -> Result<Page, PageError> {
        let page = read(&self.reader, &self.turns, after, Wanted::Count(self.size), &self.selection).await?;
        self.measure(&page);
        Ok(page)
    }

    fn begin(&mut self, after: Position, until: Position) {
        let (reader, selection) = (Arc::clone(&self.reader), Arc::clone(&self.selection));
        let turns = Arc::clone(&self.turns);
        let page = tokio::spawn(async move {
            let count = usize::try_from(until.get() - after.get()).unwrap_or(0);
            // Where events may be missing, a count of them says nothing of how far they reach.
            let short = count < LONG && !selection.raw;
            let wanted = if short { Wanted::Count(count) } else { Wanted::Until(until) };
            read(&reader, &turns, after, wanted, &selection).await
        });
        self.ahead.push_back(Ahead { after, until, page });
    }

    /// Pages of large events have fewer of them.
    fn measure(&mut self, page: &Page) {
        let (bytes, events) = page.weight;
        if let Some(average) = bytes.checked_div(events) {
            self.size = (self.settings.page_bytes / average.max(1)).clamp(1, self.settings.page);
            self.measured = true;
        }
    }
}

/// How far a page reaches.
#[derive(Clone, Copy)]
enum Wanted {
    /// At most so many events.
    Count(usize),
    /// A long stretch that is known to be there.
    Until(Position),
}

/// Reads a page when it is its turn, and puts it into its form.
async fn read(
    reader: &Arc<dyn EventReader>,
    turns: &Semaphore,
    after: Position,
    wanted: Wanted,
    selection: &Arc<Selection>,
) -> Result<Page, PageError> {
    let turn = turns.acquire().await.map_err(|_| interrupted())?;
    if selection.raw {
        let (events, until) = match wanted {
            Wanted::Count(count) => (reader.read_stored(after, count).await?, None),
            Wanted::Until(until) => (reader.read_stored_range(after, until).await?, Some(until)),
        };
        drop(turn);
        return encode(after, until, events, Arc::clone(selection)).await;
    }
    let events = match wanted {
        Wanted::Count(count) => reader.read(after, count).await?,
        Wanted::Until(until) => reader.read_range(after, until).await?,
    };
    drop(turn);
    encode(after, None, events, Arc::clone(selection)).await
}

async fn encode<E: Entry>(
    after: Position,
    until: Option<Position>,
    entries: Vec<E>,
    selection: Arc<Selection>,
) -> Result<Page, PageError> {
    if entries.len() < LONG {
        return Page::of(after, until, &entries, &selection).map_err(PageError::Format);
    }
    let encode = move || Page::of(after, until, &entries, &selection).map_err(PageError::Format);
    off_runtime(encode).await.unwrap_or_else(|| Err(interrupted()))
}

/// Runs what takes long for the runtime's threads; `None` when the program ends.
pub(super) async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn interrupted() -> PageError {
    PageError::Read(ReadError::Unavailable("interrupted".to_owned()))
}
