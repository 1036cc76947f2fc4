//! The command service: from a use case to events in the log.
//!
//! Guarantees: a use case is decided on the newest state that this process knows; when another
//! process was faster, it is decided again (unless the caller pinned a revision); a command id has
//! one effect and one result, whatever the answer is; personal fields are sealed before they leave.
//!
//! Deliberately absent: rules of the business (in `domain`) and knowledge of read models.

mod authorize;
mod cache;
mod context;
mod error;
mod outcome;
mod unit_of_work;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use domain::Aggregate;
use domain::envelope::{Position, Revision};
use domain::ids::CommandId;
use domain::ports::ReadError;
use serde::Serialize;

use crate::clock::SharedClock;
use crate::event_log::{AppendError, EventLog, StoredCommand};
use crate::vault::{PepperedIndex, Vault};

pub(crate) use authorize::Permission;
use cache::AggregateCache;
pub use context::CommandContext;
pub(crate) use error::Stop;
pub use error::{CommandError, Refused};
pub(crate) use outcome::Done;
pub use outcome::Receipt;
pub(crate) use unit_of_work::{About, UnitOfWork};

/// How long the result of a command is kept; an older command id is refused.
pub const COMMAND_RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How far ahead of the log's clock a command id may be.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);
/// How often a use case is decided again when another writer was faster.
const ATTEMPTS: usize = 32;

/// One thing that a user can do, with its input. The input's JSON tells repeats from reuse.
pub trait UseCase: Serialize + Send + Sync {
    /// The stable name, for example `claim_clue`.
    const NAME: &'static str;

    /// Looks facts up, decides, and stages events. It may run several times, so it has no effect
    /// but on `work`.
    fn execute(&self, work: &mut UnitOfWork<'_>) -> impl Future<Output = Result<Done, Stop>> + Send;
}

/// Runs use cases. Cheap to clone.
#[derive(Clone)]
pub struct CommandService(Arc<Inner>);

struct Inner {
    log: Arc<dyn EventLog>,
    vault: Arc<Vault>,
    index: PepperedIndex,
    cache: AggregateCache,
    clock: SharedClock,
    /// The number of the last chain of appends that was begun: see `Append::extends`.
    chains: AtomicU64,
}

impl CommandService {
    /// A service over a log and its vault.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, vault: Arc<Vault>, clock: SharedClock) -> Self {
        let index = vault.blind_index();
        // A log may have several services: their chains begin apart.
        let chains = AtomicU64::new(rand::random::<u64>() >> 1);
        Self(Arc::new(Inner { log, vault, index, cache: AggregateCache::default(), clock, chains }))
    }

    /// The log that the service appends to.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn EventLog> {
        &self.0.log
    }

    /// The clock that the service tells time by.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    /// Does it: at most once for each command id, whatever happens on the way.
    ///
    /// # Errors
    /// See [`CommandError`]. After `Unavailable` the same command may be sent again.
    pub async fn execute<U: UseCase>(
        &self,
        context: &CommandContext,
        use_case: &U,
    ) -> Result<Receipt, CommandError> {
        self.check_command_id(context.command_id)?;
        let input =
            serde_json::to_vec(use_case).map_err(|error| CommandError::Internal(error.to_string()))?;
        let fingerprint = self.0.index.fingerprint(U::NAME, &input);
        let (mut place, mut erased) = (None, None);
        for _ in 0..ATTEMPTS {
            let mut work = UnitOfWork::new(&self.0, context).without(erased);
            let done = match use_case.execute(&mut work).await {
                Ok(done) => done,
                Err(Stop::Declined(declined)) => {
                    work.discard();
                    Done::declined(declined)
                }
                Err(Stop::Fail(error)) => {
                    return self.repeat_or(context.command_id, fingerprint, error).await;
                }
                Err(Stop::Again) => {
                    tokio::task::yield_now().await;
                    continue;
                }
            };
            match work.commit(&done, fingerprint, &mut place).await {
                Ok(Some(at)) => {
                    fail::fail_point!("command.before-reply");
                    return done.answer(at);
                }
                Ok(None) => tokio::task::yield_now().await,
                Err(AppendError::CommandExists(stored)) => return repeat(&stored, fingerprint),
                Err(AppendError::WrongExpectedRevision { stream, expected }) => {
                    self.0.cache.evict_read(&stream, expected);
                    metrics::counter!("commands_decided_again").increment(1);
                }
                Err(AppendError::KeyDestroyed { subject }) => {
                    self.0.vault.forget([subject]);
                    erased = Some(subject);
                    metrics::counter!("commands_decided_again").increment(1);
                }
                Err(AppendError::KeyTaken { .. }) => {
                    metrics::counter!("commands_decided_again").increment(1);
                }
                Err(error) => return self.repeat_or(context.command_id, fingerprint, error.into()).await,
            }
        }
        Err(CommandError::Contended)
    }

    /// Decides without doing it: says what [`Self::execute`] would refuse at this moment.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn dry_run<U: UseCase>(
        &self,
        context: &CommandContext,
        use_case: &U,
    ) -> Result<(), CommandError> {
        let mut work = UnitOfWork::new(&self.0, context);
        let done = use_case.execute(&mut work).await;
        work.discard();
        match done {
            Ok(done) => done.answer((Position::ZERO, Revision::ZERO)).map(|_| ()),
            Err(stop) => Err(stop.unremembered()),
        }
    }

    /// The newest state of an aggregate that this process knows, for a decision to come.
    pub(crate) async fn look<A: Aggregate>(
        &self,
        context: &CommandContext,
        id: &A::Id,
    ) -> Result<Arc<A>, CommandError> {
        UnitOfWork::new(&self.0, context).load::<A>(id).await.map_err(Stop::unremembered)
    }

    /// A failure may hide that the command was done before: its first result then counts.
    async fn repeat_or(
        &self,
        id: CommandId,
        fingerprint: [u8; 16],
        error: CommandError,
    ) -> Result<Receipt, CommandError> {
        match self.0.log.command(id).await {
            Ok(Some(stored)) => repeat(&stored, fingerprint),
            Ok(None) | Err(_) => Err(error),
        }
    }

    fn check_command_id(&self, id: CommandId) -> Result<(), CommandError> {
        let millis = id.unix_millis().ok_or(CommandError::CommandIdInvalid)?;
        let made =
            domain::Instant::from_micros(i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1_000));
        let now = self.0.clock.now();
        if made + COMMAND_RETENTION < now {
            return Err(CommandError::CommandIdExpired);
        }
        if made > now + CLOCK_SKEW {
            return Err(CommandError::CommandIdFromFuture);
        }
        Ok(())
    }

    /// Forgets results of commands that are older than the retention; says how many.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn forget_old_commands(&self) -> Result<u64, ReadError> {
        let retention = i64::try_from(COMMAND_RETENTION.as_micros()).unwrap_or(i64::MAX);
        let before = domain::Instant::from_micros(self.0.clock.now().micros().saturating_sub(retention));
        self.0.log.forget_commands(before).await
    }
}

fn repeat(stored: &StoredCommand, fingerprint: [u8; 16]) -> Result<Receipt, CommandError> {
    if stored.fingerprint != fingerprint {
        return Err(CommandError::CommandIdReused);
    }
    Receipt::stored(stored)
}
