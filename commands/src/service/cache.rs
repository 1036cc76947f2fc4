//! Recently used aggregates, as they will be once the appends in flight are committed.
//!
//! A stale entry does no harm: the log refuses what adds to a stream that went on, and what was decided
//! on one, refusals included; the entry is then evicted.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use domain::envelope::{Revision, StreamId};
use lru::LruCache;

use crate::event_log::{Append, Chain, DecidedOn};

/// Aggregates kept in memory.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// The state of an aggregate at a revision.
#[derive(Clone)]
pub(super) struct Entry {
    pub revision: Revision,
    pub state: Arc<dyn Any + Send + Sync>,
    /// The chain of appends that brings it there; none when it was read from the log.
    pub chain: Option<Chain>,
}

/// A stream's step from one revision to the next.
pub(super) struct Step {
    pub stream: StreamId,
    pub from: Revision,
    pub to: Entry,
}

/// Recently used aggregates.
pub(super) struct AggregateCache(Mutex<LruCache<StreamId, Entry>>);

impl Default for AggregateCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CAPACITY)))
    }
}

impl AggregateCache {
    pub fn get(&self, stream: &StreamId) -> Option<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned()
    }

    /// Keeps a loaded state, unless a newer one is known.
    pub fn offer(&self, stream: StreamId, entry: Entry) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.peek(&stream).is_none_or(|known| known.revision < entry.revision) {
            cache.put(stream, entry);
        }
    }

    /// Takes all steps and hands the append to `submit`, or does neither when a stream went on meanwhile
    /// that it adds to or was decided on. Both happen under one lock, so appends enter the queue in the
    /// order of their revisions.
    pub fn advance<T>(
        &self,
        steps: Vec<Step>,
        append: Append,
        submit: impl FnOnce(Append) -> T,
    ) -> Option<T> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let went_on = |step: &Step| cache.peek(&step.stream).is_some_and(|known| known.revision != step.from);
        let seen_on = |decided: &DecidedOn| {
            cache.peek(&decided.stream).is_some_and(|known| known.revision != decided.at)
        };
        if steps.iter().any(went_on) || append.decided_on.iter().any(seen_on) {
            return None;
        }
        for step in steps {
            cache.put(step.stream, step.to);
        }
        Some(submit(append))
    }

    /// Forgets these streams as far as they are what these chains of appends made of them. What somebody
    /// knows better by now stays, or everybody who fails would take the others' ground away.
    pub fn evict(&self, streams: &[(StreamId, Option<Chain>)]) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, chain) in streams {
            if cache.peek(stream).is_some_and(|known| known.chain == *chain) {
                cache.pop(stream);
            }
        }
    }

    /// Forgets a stream that was read from the log at a revision.
    pub fn evict_read(&self, stream: &StreamId, at: Revision) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.peek(stream).is_some_and(|known| known.chain.is_none() && known.revision == at) {
            cache.pop(stream);
        }
    }
}
