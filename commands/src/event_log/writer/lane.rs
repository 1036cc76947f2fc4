//! One lane: commits batch after batch and answers the callers.
//!
//! Invariant: one batch is one transaction. When it is refused, the batch is split, so that each
//! conflict is answered to its own caller alone. When its reply is lost, the command ids are looked
//! up before anything is sent again, so that nothing is appended twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::Position;
use tokio::sync::watch;

use super::super::append::{Append, AppendError, Appended};
use super::appender::Request;
use super::chains::FailedChains;
use super::{Backend, BatchError, Committed};
use crate::clock::SharedClock;

/// How often a commit is tried while the store does not answer, with a growing pause between.
const ATTEMPTS: u32 = 8;

/// One connection that commits batches, and what it needs to answer them.
pub(super) struct Lane<B> {
    backend: B,
    announce: watch::Sender<Position>,
    clock: SharedClock,
    /// Set when the epoch has gone on.
    fenced: Arc<AtomicBool>,
    /// Of all lanes.
    failed: Arc<Mutex<FailedChains>>,
    /// Whether the store did not answer to the last batch, however often it was tried.
    away: bool,
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

impl<B: Backend> Lane<B> {
    pub const fn new(
        backend: B,
        announce: watch::Sender<Position>,
        clock: SharedClock,
        fenced: Arc<AtomicBool>,
        failed: Arc<Mutex<FailedChains>>,
    ) -> Self {
        Self { backend, announce, clock, fenced, failed, away: false }
    }

    /// Commits a batch, splitting it while it is refused. A stack instead of recursion keeps the
    /// order of positions and the order of the queue the same.
    pub async fn commit(&mut self, batch: Vec<Request>) {
        let mut stack = vec![batch];
        while let Some(batch) = stack.pop() {
            let mut batch = self.refuse_what_rests_on_failures(batch);
            if batch.is_empty() {
                continue;
            }
            match self.try_commit(&batch).await {
                Ok(appended) => self.acknowledge(batch, appended),
                Err(BatchError::Refused) if batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    stack.push(second);
                    stack.push(batch);
                }
                Err(error) => self.decline(batch, error).await,
            }
        }
    }

    /// Refuses what is behind an append that failed, to be decided again. The others are left.
    fn refuse_what_rests_on_failures(&self, batch: Vec<Request>) -> Vec<Request> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if !batch.iter().any(|request| failed.has_failed_before(&request.append)) {
            return batch;
        }
        let mut rest = Vec::with_capacity(batch.len());
        for request in batch {
            // What is in a chain has a stream.
            let first = request.append.expectations().next();
            let first = first.map(|(stream, expected)| (stream.clone(), expected));
            match first.filter(|_| failed.has_failed_before(&request.append)) {
                Some((stream, expected)) => {
                    failed.add(&request.append);
                    request.answer(Err(AppendError::WrongExpectedRevision { stream, expected }));
                }
                None => rest.push(request),
            }
        }
        rest
    }

    /// Commits a batch, with patience while the store does not answer. It is spent once: until the store
    /// answers again, every further batch gets one attempt, so that callers are not answered one after
    /// the other's patience.
    async fn try_commit(&mut self, batch: &[Request]) -> Result<Vec<Appended>, BatchError> {
        let appends: Vec<&Append> = batch.iter().map(|request| &request.append).collect();
        let committed =
            if self.away { self.attempt_once(&appends).await } else { self.attempt(&appends, 1).await };
        self.away = matches!(committed, Err(BatchError::Lost(_)));
        committed
    }

    /// The one attempt while the store is away. Nothing was sent of this batch, so nothing is looked up.
    async fn attempt_once(&mut self, appends: &[&Append]) -> Result<Vec<Appended>, BatchError> {
        match self.backend.reconnect().await {
            Ok(()) => self.attempt(appends, ATTEMPTS).await,
            Err(BatchError::Lost(reason) | BatchError::Rejected(reason)) => Err(BatchError::Lost(reason)),
            Err(BatchError::Refused) => Err(BatchError::Lost("the store refuses a connection".to_owned())),
        }
    }

    /// Commits a batch; `attempt` is how many attempts count as made, this one included.
    async fn attempt(&mut self, appends: &[&Append], mut attempt: u32) -> Result<Vec<Appended>, BatchError> {
        let mut pause = B::FIRST_PAUSE;
        loop {
            fail::fail_point!("log.before-commit");
            let lost = match self.backend.commit(appends, self.clock.now()).await {
                Ok(committed) => {
                    fail::fail_point!("log.after-commit");
                    return Ok(committed.positions(appends));
                }
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
                match self.found(appends).await {
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
                Some((stored, recorded_at)) if stored.is_of(&append.command) => {
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
            request.answer(Ok(appended));
        }
        self.announce.send_if_modified(|known| {
            let forward = last > *known;
            *known = last.max(*known);
            forward
        });
    }

    async fn decline(&mut self, batch: Vec<Request>, error: BatchError) {
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
            if matches!(answer, AppendError::Fenced { .. }) && !self.fenced.swap(true, Ordering::Relaxed) {
                tracing::error!("this process was fenced off: it appends nothing any more, start it again");
            }
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).add(&request.append);
            request.answer(Err(answer));
        }
    }
}
