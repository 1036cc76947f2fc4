//! Events from the log, decoded once for every read model that stands at the same place.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use domain::Event;
use domain::codec::DecodeError;
use domain::envelope::{Position, RecordedEvent};
use domain::ids::SubjectId;
use domain::ports::{ClearError, EventReader, KeyRing, ReadError, UnsealError, Unsealer};
use tokio::sync::{Mutex, OnceCell};

use super::error::RunError;

/// Chunks kept for the models that come a moment later.
const RECENT: usize = 4;
/// From so many events on, decoding goes to a thread of its own and off the runtime.
const OFFLOAD: usize = 64;
/// How a sealed value begins in stored JSON.
const SEALED: &str = "\"$sealed\"";

/// What decoding an event came to.
#[derive(Clone, Debug)]
pub(crate) enum Decoded {
    Event(Event),
    /// Broken: it parks.
    Malformed(&'static str),
    /// A newer program wrote it: the reader stops.
    Newer(DecodeError),
}

impl Decoded {
    fn plain(result: Result<Event, DecodeError>) -> Self {
        match result {
            Ok(event) => Self::Event(event),
            Err(error) if error.is_newer() => Self::Newer(error),
            Err(_) => Self::Malformed("the payload does not have the shape of its type"),
        }
    }

    fn clear(result: Result<Event, ClearError>) -> Result<Self, UnsealError> {
        match result {
            Ok(event) => Ok(Self::Event(event)),
            Err(ClearError::Decode(error)) => Ok(Self::plain(Err(error))),
            Err(ClearError::Unseal(UnsealError::Tampered { .. })) => {
                Ok(Self::Malformed("a sealed value does not open under its key"))
            }
            Err(ClearError::Unseal(error)) => Err(error),
        }
    }
}

/// Consecutive events.
pub(crate) struct Chunk {
    after: Position,
    pub events: Vec<RecordedEvent>,
    plain: OnceCell<Vec<Decoded>>,
    /// Those with sealed values, opened.
    clear: OnceCell<HashMap<usize, Decoded>>,
}

impl Chunk {
    fn new(after: Position, events: Vec<RecordedEvent>) -> Self {
        Self { after, events, plain: OnceCell::new(), clear: OnceCell::new() }
    }

    /// A chunk from the beginning of the log, not decoded.
    #[cfg(test)]
    pub fn of(events: Vec<RecordedEvent>) -> Self {
        Self::new(Position::ZERO, events)
    }

    fn decode_plain(&self) -> Vec<Decoded> {
        self.events.iter().map(|event| Decoded::plain(event.decode())).collect()
    }

    fn decode_clear(&self, keys: &dyn KeyRing) -> Result<HashMap<usize, Decoded>, UnsealError> {
        let sealed = self.events.iter().enumerate().filter(|(_, event)| event.payload.contains(SEALED));
        sealed.map(|(index, event)| Ok((index, Decoded::clear(event.decode_clear(keys))?))).collect()
    }

    async fn decode(self: &Arc<Self>, unsealer: Option<&dyn Unsealer>) -> Result<(), RunError> {
        let this = Arc::clone(self);
        self.plain.get_or_try_init(|| off_runtime(this.events.len(), move || this.decode_plain())).await?;
        let Some(unsealer) = unsealer else { return Ok(()) };
        let opened = async {
            let sealed = self.events.iter().filter(|event| event.payload.contains(SEALED));
            let subjects: BTreeSet<SubjectId> = sealed.filter_map(|event| event.metadata.subject).collect();
            let subjects: Vec<SubjectId> = subjects.into_iter().collect();
            let keys = unsealer.keys(&subjects).await?;
            let this = Arc::clone(self);
            let opened = off_runtime(this.events.len(), move || this.decode_clear(keys.as_ref())).await?;
            Ok::<_, RunError>(opened?)
        };
        self.clear.get_or_try_init(|| opened).await.map(drop)
    }

    /// What event number `index` decodes to; call after the chunk was decoded that way.
    pub fn decoded(&self, index: usize, clear: bool) -> Option<&Decoded> {
        let opened = self.clear.get().filter(|_| clear).and_then(|opened| opened.get(&index));
        opened.or_else(|| self.plain.get()?.get(index))
    }
}

async fn off_runtime<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RunError> {
    if size < OFFLOAD {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| RunError::Interrupted)
}

/// Reads the log for all read models of this process.
pub(crate) struct Feed {
    reader: Arc<dyn EventReader>,
    unsealer: Arc<dyn Unsealer>,
    recent: Mutex<VecDeque<Arc<Chunk>>>,
}

impl Feed {
    pub fn new(reader: Arc<dyn EventReader>, unsealer: Arc<dyn Unsealer>) -> Self {
        Self { reader, unsealer, recent: Mutex::default() }
    }

    pub fn reader(&self) -> &dyn EventReader {
        self.reader.as_ref()
    }

    /// The events behind `after`, decoded; shared with the models that stand at the same place.
    pub async fn after(&self, after: Position, limit: usize, clear: bool) -> Result<Arc<Chunk>, RunError> {
        let mut recent = self.recent.lock().await;
        let known = recent.iter().find(|chunk| chunk.after == after && chunk.events.len() <= limit);
        let chunk = match known {
            Some(chunk) => Arc::clone(chunk),
            None => {
                let chunk = self.read(after, limit).await?;
                if chunk.events.is_empty() {
                    // At the end of the log nobody is behind by much: keep nothing in clear.
                    recent.clear();
                } else {
                    recent.truncate(RECENT - 1);
                    recent.push_front(Arc::clone(&chunk));
                }
                chunk
            }
        };
        drop(recent);
        chunk.decode(clear.then_some(self.unsealer.as_ref())).await?;
        Ok(chunk)
    }

    /// The events behind `after`, decoded, for one reader alone.
    pub async fn fresh(&self, after: Position, limit: usize, clear: bool) -> Result<Arc<Chunk>, RunError> {
        let chunk = self.read(after, limit).await?;
        chunk.decode(clear.then_some(self.unsealer.as_ref())).await?;
        Ok(chunk)
    }

    /// All events behind `after` up to `until`, which the log has, decoded, for one reader alone.
    pub async fn stretch(
        &self,
        after: Position,
        until: Position,
        clear: bool,
    ) -> Result<Arc<Chunk>, RunError> {
        let chunk = Self::dense(after, self.reader.read_range(after, until).await?)?;
        let last = chunk.events.last().map_or(after, |event| event.position);
        if last < until {
            return Err(ReadError::Hole { expected: last.next(), found: until }.into());
        }
        chunk.decode(clear.then_some(self.unsealer.as_ref())).await?;
        Ok(chunk)
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Arc<Chunk>, ReadError> {
        Self::dense(after, self.reader.read(after, limit).await?)
    }

    fn dense(after: Position, events: Vec<RecordedEvent>) -> Result<Arc<Chunk>, ReadError> {
        // The port promises density. A gap that slipped through would be a silent loss, so look.
        let mut expected = after;
        for event in &events {
            expected = expected.next();
            if event.position != expected {
                return Err(ReadError::Hole { expected, found: event.position });
            }
        }
        Ok(Arc::new(Chunk::new(after, events)))
    }
}
