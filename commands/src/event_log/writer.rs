//! Group commit: a detached task appends whatever queued while the last commit was in flight.
//!
//! Invariant: one batch is one transaction. When it is refused, the batch is split, so that each
//! conflict is answered to its own caller alone. When its reply is lost, the command ids are looked
//! up before anything is sent again, so that nothing is appended twice.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::CommandId;
use domain::{Instant, Position};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant as Deadline;

use super::append::{Append, AppendError, Appended, StoredCommand};
use crate::clock::SharedClock;

/// Most appends of one commit.
const MAX_APPENDS: usize = 256;
/// Most bytes of events of one commit.
const MAX_BYTES: usize = 1 << 20;
/// Most appends that wait; further callers wait before they hand in.
const QUEUE: usize = 4_096;
/// How often a commit is tried while the store does not answer, with a growing pause between.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long a commit of bulk appends waits for more of them.
const LONGEST_GATHER: Duration = Duration::from_secs(1);
/// How long it waits for the next of them.
const LONGEST_GAP: Duration = Duration::from_millis(50);

/// What a backend does with a batch.
#[async_trait]
pub(super) trait Backend: Send + 'static {
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

impl Committed {
    /// Where each append of the batch ends.
    fn positions(self, appends: &[&Append]) -> Vec<Appended> {
        let mut position = self.base;
        let place = |append: &&Append| {
            position = position.plus(append.event_count());
            Appended { position, recorded_at: self.recorded_at }
        };
        appends.iter().map(place).collect()
    }
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

struct Request {
    append: Append,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

/// Where appends are handed in. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Clone)]
pub struct Appender {
    queue: mpsc::Sender<Request>,
    appended: watch::Receiver<Position>,
    gatherings: Arc<watch::Sender<usize>>,
}

/// While it lives, commits of bulk appends wait for a full batch.
pub struct Gathering(Arc<watch::Sender<usize>>);

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A place in the queue. Handing in through it never waits.
pub struct Permit(mpsc::OwnedPermit<Request>);

/// An append that was handed in. Dropping it does not cancel the append.
pub struct PendingAppend(oneshot::Receiver<Result<Appended, AppendError>>);

impl Appender {
    /// Starts a writer on a backend.
    pub(super) fn start<B: Backend>(backend: B, head: Position, clock: SharedClock) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let (announce, appended) = watch::channel(head);
        let (gatherings, gathering) = watch::channel(0);
        tokio::spawn(Writer { backend, requests, announce, gathering, clock }.run());
        Self { queue, appended, gatherings: Arc::new(gatherings) }
    }

    /// A place in the queue, once there is one.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn permit(&self) -> Result<Permit, AppendError> {
        self.queue.clone().reserve_owned().await.map(Permit).map_err(|_| writer_ended())
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

    /// Waits until everything handed in before is answered.
    pub(super) async fn drained(&self) {
        let Ok(places) = self.queue.reserve_many(QUEUE).await else { return };
        drop(places);
    }
}

impl Permit {
    /// Hands an append in. Appends are committed in the order of these calls.
    #[must_use]
    pub fn submit(self, append: Append) -> PendingAppend {
        let (reply, result) = oneshot::channel();
        self.0.send(Request { append, reply });
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

struct Writer<B> {
    backend: B,
    requests: mpsc::Receiver<Request>,
    announce: watch::Sender<Position>,
    /// How many gather at this moment.
    gathering: watch::Receiver<usize>,
    clock: SharedClock,
}

impl<B: Backend> Writer<B> {
    async fn run(mut self) {
        let mut held = None;
        loop {
            let first = match held.take() {
                Some(request) => request,
                None => match self.requests.recv().await {
                    Some(request) => request,
                    None => return,
                },
            };
            let batch = self.collect(first, &mut held).await;
            metrics::histogram!("event_log_batch_appends")
                .record(f64::from(u32::try_from(batch.len()).unwrap_or(u32::MAX)));
            self.commit(batch).await;
        }
    }

    /// The next batch: what is in the queue, and if that is bulk, what is gathered.
    async fn collect(&mut self, first: Request, held: &mut Option<Request>) -> Vec<Request> {
        let deadline = Deadline::now() + LONGEST_GATHER;
        let (mut bytes, mut bulk) = (first.append.bytes(), first.append.bulk);
        let mut batch = vec![first];
        // What gives something up goes alone: see `Append::gives_up`.
        while batch.len() < MAX_APPENDS && bytes < MAX_BYTES && !batch[0].append.gives_up() {
            let next = match self.requests.try_recv() {
                Ok(next) => Some(next),
                Err(_) if bulk => self.gathered(deadline).await,
                Err(_) => None,
            };
            let Some(next) = next else { break };
            if next.append.gives_up() {
                *held = Some(next);
                break;
            }
            bytes += next.append.bytes();
            bulk &= next.append.bulk;
            batch.push(next);
        }
        batch
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

    /// Commits a batch, splitting it while it is refused. A stack instead of recursion keeps the
    /// order of positions and the order of the queue the same.
    async fn commit(&mut self, batch: Vec<Request>) {
        let mut stack = vec![batch];
        while let Some(mut batch) = stack.pop() {
            match self.try_commit(&batch).await {
                Ok(appended) => self.acknowledge(batch, appended),
                Err(BatchError::Refused) if batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    stack.push(second);
                    stack.push(batch);
                }
                Err(error) => self.answer(batch, error).await,
            }
        }
    }

    async fn try_commit(&mut self, batch: &[Request]) -> Result<Vec<Appended>, BatchError> {
        let appends: Vec<&Append> = batch.iter().map(|request| &request.append).collect();
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let lost = match self.backend.commit(&appends, self.clock.now()).await {
                Ok(committed) => return Ok(committed.positions(&appends)),
                Err(BatchError::Lost(reason)) => reason,
                Err(other) => return Err(other),
            };
            // The reply is lost, not necessarily the batch: ask before sending again.
            loop {
                tracing::warn!(attempt, reason = lost.as_str(), "the event log does not answer");
                metrics::counter!("event_log_lost_replies").increment(1);
                if attempt >= ATTEMPTS {
                    return Err(BatchError::Lost(lost));
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
                attempt += 1;
                if self.backend.reconnect().await.is_err() {
                    continue;
                }
                match self.found(&appends).await {
                    Ok(Some(appended)) => return Ok(appended),
                    Ok(None) => break,
                    Err(_) => {}
                }
            }
        }
    }

    /// Where the batch went, when the log has all of it. A batch of which the log has only a part
    /// holds repeated commands; sent again it is refused and split.
    async fn found(&mut self, appends: &[&Append]) -> Result<Option<Vec<Appended>>, BatchError> {
        let mut found = Vec::with_capacity(appends.len());
        for append in appends {
            match self.backend.find(append.command.id).await? {
                Some((stored, recorded_at)) if stored.result == append.command.result => {
                    found.push(Appended { position: stored.position, recorded_at });
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    fn acknowledge(&self, batch: Vec<Request>, appended: Vec<Appended>) {
        let last = appended.iter().map(|appended| appended.position).max().unwrap_or_default();
        for (request, appended) in batch.into_iter().zip(appended) {
            // A caller that went away is no error: its append stands.
            let _ = request.reply.send(Ok(appended));
        }
        self.announce.send_if_modified(|known| {
            let forward = last > *known;
            *known = last.max(*known);
            forward
        });
    }

    async fn answer(&mut self, batch: Vec<Request>, error: BatchError) {
        for request in batch {
            let answer = match &error {
                BatchError::Lost(reason) => AppendError::Unavailable(reason.clone()),
                BatchError::Rejected(reason) => AppendError::Rejected(reason.clone()),
                BatchError::Refused => match self.backend.explain(&request.append).await {
                    Ok(reason) => reason,
                    Err(BatchError::Lost(reason)) => AppendError::Unavailable(reason),
                    Err(BatchError::Rejected(reason)) => AppendError::Rejected(reason),
                    Err(BatchError::Refused) => AppendError::Rejected("refused without a reason".to_owned()),
                },
            };
            let _ = request.reply.send(Err(answer));
        }
    }
}
