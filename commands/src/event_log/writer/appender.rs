//! The callers' side of the writer: places in the queue and pending results.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::Position;
use domain::envelope::StreamId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use super::super::append::{Append, AppendError, Appended};

/// Most appends that wait or are in flight; further callers wait before they hand in.
const QUEUE: u32 = 4_096;

/// An append on its way.
pub(super) struct Request {
    pub append: Append,
    /// Hashes of the streams that it adds to. Two streams of one hash merely wait for each other.
    pub adds_to: Vec<u64>,
    /// Hashes of the streams that it was decided on without adding to them.
    pub decided_on: Vec<u64>,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
    _place: OwnedSemaphorePermit,
}

impl Request {
    /// Hashes of the streams that must be as they are expected when it is committed.
    pub fn depends_on(&self) -> impl Iterator<Item = u64> {
        self.adds_to.iter().chain(&self.decided_on).copied()
    }

    /// Answers the caller. One that went away is no error: its append stands.
    pub fn answer(self, result: Result<Appended, AppendError>) {
        let _ = self.reply.send(result);
    }
}

fn hash(stream: &StreamId) -> u64 {
    let mut hasher = DefaultHasher::new();
    stream.hash(&mut hasher);
    hasher.finish()
}

/// Where appends are handed in. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::UnboundedSender<Request>,
    places: Arc<Semaphore>,
    appended: watch::Receiver<Position>,
    gatherings: Arc<watch::Sender<usize>>,
    fenced: Arc<AtomicBool>,
}

/// While it lives, commits of bulk appends wait for a full batch.
pub struct Gathering(Arc<watch::Sender<usize>>);

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A place in the queue. Handing in through it never waits.
pub struct Permit {
    queue: mpsc::UnboundedSender<Request>,
    place: OwnedSemaphorePermit,
}

/// An append that was handed in. Dropping it does not cancel the append.
pub struct PendingAppend(oneshot::Receiver<Result<Appended, AppendError>>);

impl Appender {
    pub(super) fn new(
        queue: mpsc::UnboundedSender<Request>,
        appended: watch::Receiver<Position>,
        gatherings: watch::Sender<usize>,
        fenced: Arc<AtomicBool>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(QUEUE as usize));
        Self { queue, places, appended, gatherings: Arc::new(gatherings), fenced }
    }

    /// A place in the queue, once there is one.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn permit(&self) -> Result<Permit, AppendError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| writer_ended())?;
        Ok(Permit { queue: self.queue.clone(), place })
    }

    /// Lets commits wait while they hold nothing but bulk appends, until there is a full batch of
    /// them. Whoever gathers hands in more without waiting for what was handed in, and gives the
    /// gathering up before waiting for that. An append of anybody else ends the wait at once.
    #[must_use]
    pub fn gather(&self) -> Gathering {
        self.gatherings.send_modify(|count| *count += 1);
        Gathering(self.gatherings.clone())
    }

    /// The last position that this writer appended.
    #[must_use]
    pub fn appended(&self) -> watch::Receiver<Position> {
        self.appended.clone()
    }

    /// Whether an append was refused because the log's epoch went on. It stays so.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Relaxed)
    }

    /// Whether the writer has ended, which it does by itself when something is wrong with the program.
    /// Nothing is appended any more then.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.queue.is_closed()
    }

    /// Waits until everything handed in before is answered.
    pub(in super::super) async fn drained(&self) {
        let _ = self.places.acquire_many(QUEUE).await;
    }
}

impl Permit {
    /// Hands an append in. Appends that touch the same streams are committed in the order of these
    /// calls.
    #[must_use]
    pub fn submit(self, append: Append) -> PendingAppend {
        let (reply, result) = oneshot::channel();
        let adds_to = append.streams.iter().map(|entry| hash(&entry.stream)).collect();
        let decided_on = append.decided_on.iter().map(|decided| hash(&decided.stream)).collect();
        // When the writer has ended, the request is dropped here and its reply with it.
        let _ = self.queue.send(Request { append, adds_to, decided_on, reply, _place: self.place });
        PendingAppend(result)
    }
}

impl IntoFuture for PendingAppend {
    type Output = Result<Appended, AppendError>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.0.await.unwrap_or_else(|_| Err(writer_ended())) })
    }
}

fn writer_ended() -> AppendError {
    AppendError::Unavailable("the writer has ended".to_owned())
}
