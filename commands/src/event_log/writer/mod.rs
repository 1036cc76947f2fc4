//! Group commit: a detached task appends whatever queued while the last commits were in flight.
//!
//! A backend may have several lanes (connections): while one waits for the disk, the next batch is
//! on its way over another. An append never overtakes one that it builds on: what touches a stream
//! in flight, or was decided on it, is held back until that stream has landed, and so is what adds to a
//! stream that anything held back was decided on.
//!
//! Deliberately absent: what a batch becomes when it is refused or its reply is lost (see `lane`).

mod appender;
mod chains;
mod lane;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::ids::CommandId;
use domain::{Instant, Position};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Duration, Instant as Deadline};

use super::append::{Append, AppendError, StoredCommand};
use crate::clock::SharedClock;
use appender::Request;
pub use appender::{Appender, Gathering, PendingAppend, Permit};
use lane::Lane;

/// Most appends of one commit.
const MAX_APPENDS: usize = 256;
/// How long a commit of bulk appends waits for more of them.
const LONGEST_GATHER: Duration = Duration::from_secs(1);
/// How long it waits for the next of them.
const LONGEST_GAP: Duration = Duration::from_millis(50);

/// One connection that commits batches.
#[async_trait]
pub(super) trait Backend: Send + 'static {
    /// Bytes of events after which a commit takes no more appends.
    const MAX_BYTES: usize = 1 << 20;
    /// Pause before a commit is tried again when the store does not answer.
    const FIRST_PAUSE: Duration = Duration::from_millis(50);

    /// Commits the batch in one transaction, in this order. The first event gets the position
    /// behind the returned base.
    async fn commit(&mut self, batch: &[&Append], now: Instant) -> Result<Committed, BatchError>;

    /// Why this one append is refused.
    async fn explain(&mut self, append: &Append) -> Result<AppendError, BatchError>;

    /// The recorded result of a command.
    async fn find(&mut self, command: CommandId) -> Result<Option<(StoredCommand, Instant)>, BatchError>;

    /// Drops a broken connection and makes a new one, with the epoch that it had.
    async fn reconnect(&mut self) -> Result<(), BatchError>;
}

/// A committed batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    /// The log's last position before the batch.
    pub base: Position,
    /// When the log took it.
    pub recorded_at: Instant,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(super) enum BatchError {
    /// Something in it conflicts; nothing was written.
    Refused,
    /// The store cannot take the data; nothing was written.
    Rejected(String),
    /// The connection broke or timed out; the outcome is not known.
    Lost(String),
}

/// Starts a writer on the lanes of a backend.
pub(super) fn start<B: Backend>(lanes: Vec<B>, head: Position, clock: &SharedClock) -> Appender {
    let (queue, requests) = mpsc::unbounded_channel();
    let (announce, appended) = watch::channel(head);
    let (gatherings, gathering) = watch::channel(0);
    let fenced = Arc::new(AtomicBool::new(false));
    let failed = Arc::new(Mutex::default());
    let lane = |backend| Lane::new(backend, announce.clone(), clock.clone(), fenced.clone(), failed.clone());
    let idle = lanes.into_iter().map(lane).collect();
    let (in_flight, held) = (JoinSet::new(), Held::default());
    tokio::spawn(Writer { requests, held, idle, in_flight, touched: HashSet::new(), gathering }.run());
    Appender::new(queue, appended, gatherings, fenced)
}

struct Writer<B> {
    requests: mpsc::UnboundedReceiver<Request>,
    held: Held,
    idle: Vec<Lane<B>>,
    /// Lanes that commit, with the streams that their batches add to.
    in_flight: JoinSet<(Lane<B>, Vec<u64>)>,
    /// Streams that batches in flight add to.
    touched: HashSet<u64>,
    /// How many gather at this moment.
    gathering: watch::Receiver<usize>,
}

/// Requests that must wait for what is in flight, in their order.
#[derive(Default)]
struct Held {
    requests: VecDeque<Request>,
    /// Streams that they add to: later requests on these wait behind them.
    touched: HashSet<u64>,
    /// Streams that they were decided on: later requests that add to these wait, too, or they would be
    /// refused for what came after them.
    seen: HashSet<u64>,
}

impl Held {
    fn push(&mut self, request: Request) {
        self.touched.extend(&request.adds_to);
        self.seen.extend(&request.decided_on);
        self.requests.push_back(request);
    }

    /// Whether a request must wait behind them.
    fn holds_back(&self, request: &Request) -> bool {
        request.depends_on().any(|stream| self.touched.contains(&stream))
            || request.adds_to.iter().any(|stream| self.seen.contains(stream))
    }

    /// Whether nothing may pass: see `Append::gives_up`.
    fn barred(&self) -> bool {
        self.requests.front().is_some_and(|request| request.append.gives_up())
    }
}

impl<B: Backend> Writer<B> {
    async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            metrics::histogram!("event_log_batch_appends")
                .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
            let adds_to: Vec<u64> = batch.iter().flat_map(|request| &request.adds_to).copied().collect();
            self.touched.extend(&adds_to);
            fail::fail_point!("log.batch-taken");
            let Some(mut lane) = self.idle.pop() else { return };
            self.in_flight.spawn(async move {
                lane.commit(batch).await;
                (lane, adds_to)
            });
        }
        while let Some(landed) = self.in_flight.join_next().await {
            self.land(landed);
        }
    }

    /// The next batch, once there is a lane for it. `None` when all senders are gone.
    async fn next_batch(&mut self) -> Option<Vec<Request>> {
        while self.idle.is_empty() {
            let landed = self.in_flight.join_next().await?;
            self.land(landed);
        }
        // Callers that were just answered come back first, so that they share the next commit.
        tokio::task::yield_now().await;
        let mut batch = Batch::default();
        self.release(&mut batch);
        while batch.requests.is_empty() {
            let room = self.held.requests.len() < MAX_APPENDS;
            tokio::select! {
                biased;
                Some(landed) = self.in_flight.join_next() => {
                    self.land(landed);
                    self.release(&mut batch);
                }
                Some(request) = self.requests.recv(), if room => self.sort(request, &mut batch),
                else => return None,
            }
        }
        self.fill(&mut batch).await;
        Some(batch.requests)
    }

    /// Adds what is in the queue, and if that is bulk, what is gathered.
    async fn fill(&mut self, batch: &mut Batch) {
        let deadline = Deadline::now() + LONGEST_GATHER;
        while !batch.is_full(B::MAX_BYTES) && !self.held.barred() && self.held.requests.len() < MAX_APPENDS {
            let next = match self.requests.try_recv() {
                Ok(next) => Some(next),
                Err(_) if batch.bulk && self.held.requests.is_empty() => self.gathered(deadline).await,
                Err(_) => None,
            };
            let Some(next) = next else { return };
            self.sort(next, batch);
        }
    }

    /// The next request, if somebody gathers and it comes in time.
    async fn gathered(&mut self, deadline: Deadline) -> Option<Request> {
        let deadline = deadline.min(Deadline::now() + LONGEST_GAP);
        while *self.gathering.borrow_and_update() > 0 {
            tokio::select! {
                biased;
                next = self.requests.recv() => return next,
                changed = self.gathering.changed() => changed.ok()?,
                () = tokio::time::sleep_until(deadline) => return None,
            }
        }
        None
    }

    /// Puts a request into the batch, or behind those that wait.
    fn sort(&mut self, request: Request, batch: &mut Batch) {
        let is_in_flight = request.depends_on().any(|stream| self.touched.contains(&stream));
        // What gives something up goes alone, when nothing else is in flight.
        let alone = request.append.gives_up() && !(batch.requests.is_empty() && self.in_flight.is_empty());
        let waits = alone || batch.is_full(B::MAX_BYTES) || self.held.barred();
        if waits || is_in_flight || self.held.holds_back(&request) {
            self.held.push(request);
        } else {
            batch.push(request);
        }
    }

    /// Looks anew at those that wait.
    fn release(&mut self, batch: &mut Batch) {
        let held = std::mem::take(&mut self.held);
        for request in held.requests {
            self.sort(request, batch);
        }
    }

    /// Takes a lane back.
    fn land(&mut self, landed: Result<(Lane<B>, Vec<u64>), JoinError>) {
        match landed {
            Ok((lane, adds_to)) => {
                self.idle.push(lane);
                for stream in adds_to {
                    self.touched.remove(&stream);
                }
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// Requests that are to be committed together.
#[derive(Default)]
struct Batch {
    requests: Vec<Request>,
    bytes: usize,
    /// Whether there is nothing but bulk appends in it.
    bulk: bool,
}

impl Batch {
    fn push(&mut self, request: Request) {
        self.bytes += request.append.bytes();
        self.bulk = request.append.bulk && (self.bulk || self.requests.is_empty());
        self.requests.push(request);
    }

    fn is_full(&self, max_bytes: usize) -> bool {
        let alone = self.requests.first().is_some_and(|request| request.append.gives_up());
        alone || self.requests.len() >= MAX_APPENDS || self.bytes >= max_bytes
    }
}
