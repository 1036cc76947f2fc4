//! What the double remembers: streams of events, and the faults that it still has to make.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;
use uuid::Uuid;

/// The most bytes of one append, as EventStoreDB has it unless it is told otherwise.
const MAX_APPEND: usize = 1 << 20;

/// What happens to an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// The connection is cut before it takes effect.
    CutBefore,
    /// The connection is cut when it has taken effect.
    CutAfter,
    /// The connection is cut, and it takes effect later, when the test says so.
    Late,
    /// What is late takes effect a moment before this one is looked at.
    BehindLate,
    /// It is never answered and takes no effect.
    Stall,
    /// It is refused, for whoever asks has no right to it.
    Deny,
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: Uuid,
    /// Type, content type and when it was written.
    pub metadata: HashMap<String, String>,
    /// What its writer said about it.
    pub custom_metadata: Vec<u8>,
    /// Its payload.
    pub data: Vec<u8>,
}

/// What the stream must be like for an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Any,
    NoStream,
    Exists,
    Revision(u64),
}

/// An append.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub stream: String,
    pub expected: Expected,
    pub events: Vec<Written>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is in the stream, which ends at this revision; it may have been there before.
    Written(u64),
    /// The stream ends elsewhere, or is not there.
    Wrong(Option<u64>),
    /// It is too big.
    TooBig,
}

/// The memory of all nodes.
#[derive(Default)]
pub(super) struct Streams {
    streams: Mutex<HashMap<String, Vec<Written>>>,
    faults: Mutex<VecDeque<AppendFault>>,
    late: Mutex<Vec<Proposal>>,
    /// Counts appends, so that subscriptions look again.
    pub changed: watch::Sender<u64>,
    /// The node that leads.
    pub leader: AtomicUsize,
    /// Whether events are delivered twice.
    pub twice: AtomicBool,
    /// How many reads were answered.
    pub reads: AtomicUsize,
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Written>>> {
        self.streams.lock().expect("no test panics here")
    }

    pub fn fail_appends(&self, faults: &[AppendFault]) {
        self.faults.lock().expect("no test panics here").extend(faults);
    }

    pub fn faults_left(&self) -> usize {
        self.faults.lock().expect("no test panics here").len()
    }

    pub fn next_fault(&self) -> Option<AppendFault> {
        self.faults.lock().expect("no test panics here").pop_front()
    }

    /// Keeps an append for later.
    pub fn delay(&self, proposal: Proposal) {
        self.late.lock().expect("no test panics here").push(proposal);
    }

    pub fn arrive(&self) {
        let late = std::mem::take(&mut *self.late.lock().expect("no test panics here"));
        for proposal in late {
            self.append(proposal);
        }
    }

    pub fn write(&self, stream: &str, event: Written) {
        self.lock().entry(stream.to_owned()).or_default().push(event);
        self.changed.send_modify(|count| *count += 1);
    }

    pub fn rewind(&self, stream: &str, events: usize) {
        self.lock().entry(stream.to_owned()).or_default().truncate(events);
    }

    pub fn all_of(&self, stream: &str) -> Vec<Written> {
        self.lock().get(stream).cloned().unwrap_or_default()
    }

    /// Up to `count` events from a revision on, with the revision where the stream ends; `None` when
    /// there is no such stream.
    pub fn page(&self, stream: &str, from: u64, count: usize) -> Option<(Vec<(u64, Written)>, u64)> {
        let streams = self.lock();
        let events = streams.get(stream)?;
        let page = events.iter().enumerate().skip(usize::try_from(from).unwrap_or(usize::MAX)).take(count);
        let page = page.map(|(revision, event)| (revision as u64, event.clone())).collect();
        Some((page, (events.len() as u64).saturating_sub(1)))
    }

    /// Appends as EventStoreDB does: whole or not at all, and once, if the same events come again with
    /// the same expectation.
    pub fn append(&self, proposal: Proposal) -> Outcome {
        let size = |event: &Written| event.data.len() + event.custom_metadata.len();
        if proposal.events.iter().map(size).sum::<usize>() > MAX_APPEND {
            return Outcome::TooBig;
        }
        let mut streams = self.lock();
        let events = streams.get(&proposal.stream).map_or(&[][..], Vec::as_slice);
        let end = (events.len() as u64).checked_sub(1);
        let begin = match proposal.expected {
            Expected::NoStream => 0,
            Expected::Revision(revision) => revision + 1,
            Expected::Exists if end.is_none() => return Outcome::Wrong(end),
            Expected::Any | Expected::Exists => {
                let first = proposal.events.first().map(|event| event.id);
                let known = events.iter().position(|event| Some(event.id) == first);
                known.unwrap_or(events.len()) as u64
            }
        };
        let behind = usize::try_from(begin).unwrap_or(usize::MAX);
        if behind > events.len() {
            return Outcome::Wrong(end);
        }
        if behind < events.len() {
            let there = events[behind..].iter().map(|event| event.id);
            let again = proposal.events.len() <= events.len() - behind
                && proposal.events.iter().map(|event| event.id).eq(there.take(proposal.events.len()));
            return if again {
                Outcome::Written((begin + proposal.events.len() as u64).saturating_sub(1))
            } else {
                Outcome::Wrong(end)
            };
        }
        let stream = streams.entry(proposal.stream).or_default();
        stream.extend(proposal.events);
        let end = (stream.len() as u64).saturating_sub(1);
        drop(streams);
        self.changed.send_modify(|count| *count += 1);
        Outcome::Written(end)
    }

    /// How often an event is delivered.
    pub fn copies(&self) -> usize {
        if self.twice.load(Ordering::SeqCst) { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u128) -> Written {
        let (metadata, custom_metadata) = (HashMap::new(), Vec::new());
        Written { id: Uuid::from_u128(id), metadata, custom_metadata, data: vec![1] }
    }

    fn append(streams: &Streams, expected: Expected, ids: &[u128]) -> Outcome {
        let events = ids.iter().copied().map(event).collect();
        streams.append(Proposal { stream: "log".to_owned(), expected, events })
    }

    #[test]
    fn an_append_goes_to_the_end_that_it_expects_or_nowhere() {
        let streams = Streams::default();
        assert_eq!(append(&streams, Expected::Revision(0), &[1]), Outcome::Wrong(None));
        assert_eq!(append(&streams, Expected::NoStream, &[1, 2]), Outcome::Written(1));
        assert_eq!(append(&streams, Expected::NoStream, &[3]), Outcome::Wrong(Some(1)));
        assert_eq!(append(&streams, Expected::Revision(2), &[3]), Outcome::Wrong(Some(1)));
        assert_eq!(append(&streams, Expected::Revision(1), &[3]), Outcome::Written(2));
        assert_eq!(append(&streams, Expected::Any, &[4]), Outcome::Written(3));
        assert_eq!(streams.all_of("log").len(), 4);
    }

    #[test]
    fn an_append_that_comes_again_is_recognised_if_all_of_it_is_there() {
        let streams = Streams::default();
        append(&streams, Expected::NoStream, &[1, 2]);
        append(&streams, Expected::Revision(1), &[3, 4]);
        assert_eq!(append(&streams, Expected::Revision(1), &[3, 4]), Outcome::Written(3));
        assert_eq!(append(&streams, Expected::NoStream, &[1, 2]), Outcome::Written(1));
        assert_eq!(append(&streams, Expected::Revision(1), &[3]), Outcome::Written(2));
        assert_eq!(append(&streams, Expected::Revision(1), &[3, 4, 5]), Outcome::Wrong(Some(3)));
        assert_eq!(append(&streams, Expected::Revision(1), &[4, 3]), Outcome::Wrong(Some(3)));
        assert_eq!(streams.all_of("log").len(), 4);
    }

    #[test]
    fn what_is_too_big_is_not_taken() {
        let streams = Streams::default();
        let big = Written { data: vec![0; MAX_APPEND + 1], ..event(1) };
        let proposal = Proposal { stream: "log".to_owned(), expected: Expected::Any, events: vec![big] };
        assert_eq!(streams.append(proposal), Outcome::TooBig);
        assert_eq!(streams.page("log", 0, 10), None);
    }
}
