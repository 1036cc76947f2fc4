//! The writer on a store that does what the tests say.

use domain::envelope::{Revision, StreamId};
use tokio::sync::Semaphore;

use super::super::append::{CommandRecord, DecidedOn, NewEvent, StreamAppend};
use super::*;
use crate::clock::{SystemClock, fresh_uuid};

/// What the store does, and what it saw.
#[derive(Default)]
struct State {
    is_away: bool,
    panics: bool,
    /// Answers to come, in front of all others.
    commits: VecDeque<BatchError>,
    stored: Option<StoredCommand>,
    /// How often anything was asked of it.
    calls: usize,
    /// Appends in the order in which they came.
    came: Vec<CommandId>,
    committed: usize,
}

#[derive(Clone)]
struct Store {
    state: Arc<Mutex<State>>,
    /// Lets commits through.
    gate: Arc<Semaphore>,
}

impl Store {
    fn new() -> Self {
        Self { state: Arc::default(), gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }

    fn with<T>(&self, of: impl FnOnce(&mut State) -> T) -> T {
        of(&mut self.state.lock().unwrap())
    }

    fn called(&self) -> Result<(), BatchError> {
        self.with(|state| {
            state.calls += 1;
            if state.is_away { Err(BatchError::Lost("away".to_owned())) } else { Ok(()) }
        })
    }

    fn writer(&self, lanes: usize) -> Appender {
        start(vec![self.clone(); lanes], Position::ZERO, &(Arc::new(SystemClock) as SharedClock))
    }
}

#[async_trait]
impl Backend for Store {
    const FIRST_PAUSE: Duration = Duration::ZERO;

    async fn commit(&mut self, batch: &[&Append], now: Instant) -> Result<Committed, BatchError> {
        self.called()?;
        self.with(|state| state.came.extend(batch.iter().map(|append| append.command.id)));
        drop(self.gate.acquire().await);
        let events: usize = batch.iter().map(|append| append.event_count()).sum();
        let (panics, answer, base) = self.with(|state| {
            let base = Position::ZERO.plus(state.committed);
            state.committed += events;
            (state.panics, state.commits.pop_front(), base)
        });
        assert!(!panics, "as the test says");
        answer.map_or(Ok(Committed { base, recorded_at: now }), Err)
    }

    async fn explain(&mut self, _: &Append) -> Result<AppendError, BatchError> {
        self.called()?;
        let stored = self.with(|state| state.stored.clone());
        stored.map(AppendError::CommandExists).ok_or(BatchError::Refused)
    }

    async fn find(&mut self, _: CommandId) -> Result<Option<(StoredCommand, Instant)>, BatchError> {
        self.called()?;
        Ok(self.with(|state| state.stored.clone()).map(|stored| (stored, Instant::from_micros(1))))
    }

    async fn reconnect(&mut self) -> Result<(), BatchError> {
        self.called()
    }
}

fn stream(name: &str) -> StreamId {
    StreamId::stored("clue", name)
}

/// An append of one event to a stream, decided on others that are not there.
fn adds(to: &str, decided_on: &[&str]) -> Append {
    let id = CommandId::new(fresh_uuid(Instant::from_micros(1)));
    let kind = domain::EventType { name: "clue.pooled", version: 1 };
    let event = NewEvent::sealed(kind, "{}".to_owned(), "{}".to_owned()).unwrap();
    let decided_on = decided_on.iter().map(|of| DecidedOn { stream: stream(of), at: Revision::ZERO });
    Append {
        streams: vec![StreamAppend { stream: stream(to), expected: Revision::ZERO, events: vec![event] }],
        decided_on: decided_on.collect(),
        ..Append::of(CommandRecord { id, fingerprint: [1; 16], result: "done".to_owned() })
    }
}

async fn append(writer: &Appender, append: Append) -> Result<super::super::Appended, AppendError> {
    writer.permit().await.unwrap().submit(append).await
}

#[tokio::test]
async fn patience_with_a_store_that_is_away_is_spent_once() {
    let store = Store::new();
    let writer = store.writer(1);
    for _ in 0..2 {
        store.with(|state| state.is_away = true);
        let mut calls = [0; 3];
        for calls in &mut calls {
            let before = store.with(|state| state.calls);
            let refused = append(&writer, adds("a", &[])).await;
            assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
            *calls = store.with(|state| state.calls) - before;
        }
        assert!(calls[0] > 5, "the first batch waits: {calls:?}");
        assert_eq!(calls[1..], [1, 1], "those behind it are answered after one attempt");
        store.with(|state| state.is_away = false);
        append(&writer, adds("a", &[])).await.expect("the store is back");
    }
}

#[tokio::test]
async fn what_adds_to_a_stream_waits_behind_what_was_held_back_and_decided_on_it() {
    let store = Store::new();
    let writer = store.writer(2);
    store.gate.forget_permits(Semaphore::MAX_PERMITS);
    let in_flight = adds("a", &[]);
    let held = adds("b", &["a", "c"]);
    let later = adds("c", &[]);
    let order = [&in_flight, &held, &later].map(|append| append.command.id);
    let mut pending = vec![writer.permit().await.unwrap().submit(in_flight)];
    while store.with(|state| state.came.is_empty()) {
        tokio::task::yield_now().await;
    }
    for append in [held, later] {
        pending.push(writer.permit().await.unwrap().submit(append));
    }
    // Everything else has its turn before the first commit goes on.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    store.gate.add_permits(Semaphore::MAX_PERMITS);
    for append in pending {
        append.await.unwrap();
    }
    assert_eq!(store.with(|state| state.came.clone()), order);
}

#[tokio::test]
async fn what_is_stored_of_another_request_with_the_same_id_does_not_answer_a_lost_one() {
    let store = Store::new();
    let writer = store.writer(1);
    let other =
        StoredCommand { fingerprint: vec![2; 16], result: "done".to_owned(), position: Position::new(7) };
    store.with(|state| {
        state.stored = Some(other.clone());
        state.commits = VecDeque::from([BatchError::Lost("cut".to_owned()), BatchError::Refused]);
    });
    let refused = append(&writer, adds("a", &[])).await;
    assert_eq!(refused, Err(AppendError::CommandExists(other)));
}

#[tokio::test]
async fn a_writer_that_ended_by_a_panic_says_so() {
    let store = Store::new();
    let writer = store.writer(1);
    append(&writer, adds("a", &[])).await.unwrap();
    assert!(!writer.has_ended());
    store.with(|state| state.panics = true);
    assert!(matches!(append(&writer, adds("a", &[])).await, Err(AppendError::Unavailable(_))));
    while !writer.has_ended() {
        tokio::task::yield_now().await;
    }
}
