//! How a batch is committed: laid into the replica's open transaction, which decides whether it fits;
//! appended to the stream at exactly that head; kept in the replica.
//!
//! Invariants: nothing is decided on a replica that lags, since an append at another end of the stream
//! is refused and the batch decided anew; what the replica keeps is what the stream has, byte for byte,
//! even when an append that counted as lost arrives late; the replica's head is held until the stream
//! has answered, so writers that share it stand in one line and a fenced one appends nothing.

use std::time::Duration;

use async_trait::async_trait;
use domain::Position;
use domain::ids::CommandId;
use domain::ports::ReadError;
use tokio::time::Instant;

use super::super::append::{Append, AppendError, StoredCommand};
use super::super::writer::{Backend, BatchError, Committed};
use super::compare;
use super::entry::{Entry, lay_out};
use super::replica::{Replica, Staged};
use super::source::{AppendFailure, DEADLINE, Source};

/// How often a batch is decided anew because others appended first, before it counts as lost.
const RACES: usize = 16;
/// How long to wait when an append is refused for its end while the stream has no other.
const UNDECIDED: Duration = Duration::from_millis(10);
/// How long an append of unknown outcome may still arrive: what the server may take, and a moment to get
/// there.
const ON_ITS_WAY: Duration = DEADLINE.saturating_add(Duration::from_secs(1));

/// What appends to the stream and feeds the replica.
pub(in super::super) struct EventStoreWriter<R> {
    replica: R,
    source: Source,
    /// Where the last append of unknown outcome was to go, and when it was given up.
    unknown: Option<(Position, Instant)>,
}

impl<R: Replica> EventStoreWriter<R> {
    pub fn new(replica: R, source: Source) -> Self {
        Self { replica, source, unknown: None }
    }

    /// Lays the batch into the replica's transaction. When it does not fit, the replica may lag behind
    /// what it would have to be decided on. `None` when it still does not fit.
    async fn stage(&mut self, batch: &[&Append], now: domain::Instant) -> Result<Option<Staged>, BatchError> {
        for _ in 0..RACES {
            if let Some(staged) = self.replica.stage(batch, now).await? {
                return Ok(Some(staged));
            }
            if catch_up(&mut self.replica, &mut self.source).await? == 0 {
                return Ok(None);
            }
        }
        Err(outrun())
    }

    /// Appends what was staged and keeps it. `None` when others were faster.
    async fn settle(&mut self, batch: &[&Append], staged: Staged) -> Result<Option<Committed>, BatchError> {
        let committed = staged.committed;
        let events = lay_out(batch, committed.base, committed.recorded_at, staged.epoch)
            .and_then(|entries| entries.into_iter().map(Entry::proposed).collect::<Result<Vec<_>, _>>());
        fail::fail_point!("log.staged");
        let appended = match events {
            Ok(events) if events.is_empty() => return self.settle_without_events(committed).await,
            Ok(events) => self.source.append(committed.base, events).await,
            Err(reason) => Err(AppendFailure::Unfit(reason)),
        };
        fail::fail_point!("log.in-stream");
        match appended {
            Ok(()) if self.unknown_at(committed.base).is_none() => {
                self.replica.keep().await?;
                Ok(Some(committed))
            }
            Ok(()) => self.kept_by_the_stream(batch, committed).await.map(Some),
            Err(failure) => {
                if matches!(failure, AppendFailure::Unknown(_)) {
                    self.unknown = Some((committed.base, Instant::now()));
                }
                self.replica.discard().await?;
                match failure {
                    AppendFailure::Behind => self.follow_from(committed.base).await.map(|()| None),
                    AppendFailure::Unfit(_) if batch.len() > 1 => Err(BatchError::Refused),
                    AppendFailure::Unfit(reason) | AppendFailure::Denied(reason) => {
                        Err(BatchError::Rejected(reason))
                    }
                    AppendFailure::NotTaken(reason) | AppendFailure::Unknown(reason) => {
                        Err(BatchError::Lost(reason))
                    }
                }
            }
        }
    }

    /// Nothing goes to the stream, so it is asked whether it ends where the batch was decided: a refusal,
    /// too, rests on everything that was appended before. What may still arrive there is waited for, or
    /// somebody would be refused what is then done.
    async fn settle_without_events(&mut self, committed: Committed) -> Result<Option<Committed>, BatchError> {
        let since = self.unknown_at(committed.base);
        let is_on_its_way = since.is_some_and(|since| since.elapsed() < ON_ITS_WAY);
        let end = self.source.end().await;
        let is_end = end.as_ref().is_ok_and(|end| *end == committed.base);
        if is_end && !is_on_its_way {
            self.replica.keep().await?;
            return Ok(Some(committed));
        }
        self.replica.discard().await?;
        if is_end {
            return Err(BatchError::Lost("an append may still be on its way".to_owned()));
        }
        end.map_err(unreadable)?;
        self.follow_from(committed.base).await.map(|()| None)
    }

    /// Brings a replica that lags on from where it was.
    async fn follow_from(&mut self, base: Position) -> Result<(), BatchError> {
        let taken = catch_up(&mut self.replica, &mut self.source).await?;
        if taken == 0 && self.replica.tip().await? == base {
            tokio::time::sleep(UNDECIDED).await;
        }
        Ok(())
    }

    /// Since when an append of unknown outcome has been on its way to this end of the stream. Once that has
    /// another one, it is in there, or comes too late.
    fn unknown_at(&self, end: Position) -> Option<Instant> {
        self.unknown.filter(|(at, _)| *at == end).map(|(_, since)| since)
    }

    /// The server recognises events by their ids, so the append that it confirms may be one that counted
    /// as lost, recorded at another time: what the stream has is what the replica takes.
    async fn kept_by_the_stream(
        &mut self,
        batch: &[&Append],
        committed: Committed,
    ) -> Result<Committed, BatchError> {
        self.replica.discard().await?;
        catch_up(&mut self.replica, &mut self.source).await?;
        let first = batch.first().ok_or(BatchError::Refused)?;
        match self.replica.find(first.command.id).await? {
            Some((_, recorded_at)) => Ok(Committed { recorded_at, ..committed }),
            None => Err(BatchError::Lost("an append that was confirmed is not in the stream".to_owned())),
        }
    }
}

fn outrun() -> BatchError {
    BatchError::Lost("other writers append faster".to_owned())
}

/// Brings a replica to the end of the stream; says how many events it took. A replica whose last event is
/// not where the stream has it is none of this stream any more, as when the stream was restored from an
/// older backup.
pub(super) async fn catch_up<R: Replica>(replica: &mut R, source: &mut Source) -> Result<u64, BatchError> {
    let mut taken = 0;
    loop {
        let after = replica.tip().await?;
        let (at_tip, entries) = source.read_from(after).await.map_err(unreadable)?;
        if after > Position::ZERO {
            let here = replica.rows(Position::new(after.get() - 1), 1).await?;
            if let Some(reason) = compare::ends_differ(here.first(), at_tip.as_ref()) {
                let reason = format!(
                    "the replica is none of the stream in EventStoreDB: at position {after}, {reason}"
                );
                return Err(BatchError::Rejected(reason));
            }
        }
        let Some(last) = entries.last() else { return Ok(taken) };
        let to = last.row.position;
        match replica.apply(after, &entries).await {
            Ok(true) => tracing::debug!(%after, %to, "the replica took events of the stream"),
            Ok(false) => {}
            Err(BatchError::Refused) => {
                let reason = "the replica holds something else than the stream in EventStoreDB";
                return Err(BatchError::Rejected(format!("behind position {after}, {reason}")));
            }
            Err(other) => return Err(other),
        }
        taken += entries.len() as u64;
    }
}

/// A stream that cannot be read as a log takes no append; one that does not answer may later.
fn unreadable(error: ReadError) -> BatchError {
    match error {
        ReadError::Unavailable(reason) => BatchError::Lost(reason),
        other => BatchError::Rejected(other.to_string()),
    }
}

#[async_trait]
impl<R: Replica> Backend for EventStoreWriter<R> {
    /// Half of what the server takes: an event is bigger there than here, for what stands beside it.
    const MAX_BYTES: usize = 1 << 19;

    async fn commit(&mut self, batch: &[&Append], now: domain::Instant) -> Result<Committed, BatchError> {
        self.replica.store_keys(batch, now).await?;
        for _ in 0..RACES {
            let staged = self.stage(batch, now).await?.ok_or(BatchError::Refused)?;
            if let Some(committed) = self.settle(batch, staged).await? {
                return Ok(committed);
            }
        }
        Err(outrun())
    }

    async fn explain(&mut self, append: &Append) -> Result<AppendError, BatchError> {
        self.replica.explain(append).await
    }

    async fn find(
        &mut self,
        command: CommandId,
    ) -> Result<Option<(StoredCommand, domain::Instant)>, BatchError> {
        self.replica.find(command).await
    }

    /// The replica is brought to the end of the stream before anybody looks anything up in it.
    async fn reconnect(&mut self) -> Result<(), BatchError> {
        self.replica.reconnect().await?;
        catch_up(&mut self.replica, &mut self.source).await.map(drop)
    }
}
