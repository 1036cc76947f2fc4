//! One attempt at a use case: what it loaded, what it decided, what it will append.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cqrs_es::{AggregateError, EventStore};
use domain::envelope::{Metadata, Revision, StreamId};
use domain::ids::{EventId, SubjectId};
use domain::personal::{CLEAR_MARK, seal_personal};
use domain::ports::SealContext;
use domain::values::LineKey;
use domain::{Aggregate, EventContract, EventType, Instant, Position};
use uuid::Uuid;

use super::Inner;
use super::cache::{Entry, Step};
use super::context::CommandContext;
use super::error::{CommandError, Declined, Refused, Stop};
use super::outcome::Done;
use crate::clock::fresh_uuid;
use crate::event_log::{
    Append, AppendError, Chain, CommandRecord, DecidedOn, KeyClaim, KeyHolder, LogEventStore, NewEvent,
    Permit, StreamAppend, UniqueKey, WrappedKey,
};
use crate::vault::{DataKey, PepperedIndex, seal};

/// How JSON writes the one character that PostgreSQL stores in no text: a read model could not hold it.
const NUL: &str = "\\u0000";

/// What the events of a decision are about.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The person; personal fields are sealed under that person's key.
    pub subject: Option<SubjectId>,
    /// The business line.
    pub line: Option<LineKey>,
    /// The version of the rules that the decision used.
    pub policy_version: Option<u32>,
}

/// A decided event before it is sealed.
struct Staged {
    kind: EventType,
    /// Payload JSON; personal fields may still be in clear.
    payload: String,
    about: About,
}

/// A stream that the work looked at or adds to.
struct Open {
    loaded: Revision,
    /// The chain of appends that it rests on; none when it was read from the log.
    chain: Option<Chain>,
    state: Arc<dyn Any + Send + Sync>,
    events: Vec<Staged>,
}

/// One attempt at a use case.
pub struct UnitOfWork<'a> {
    inner: &'a Inner,
    context: &'a CommandContext,
    now: Instant,
    /// Somebody whose data key is gone, though it may still be found.
    erased: Option<SubjectId>,
    streams: BTreeMap<StreamId, Open>,
    /// The stream whose revision the caller gets back.
    primary: Option<StreamId>,
    keys: BTreeMap<SubjectId, DataKey>,
    new_keys: Vec<WrappedKey>,
    claims: Vec<KeyClaim>,
    releases: Vec<KeyHolder>,
    release_owners: Vec<String>,
    destroy_keys: Vec<SubjectId>,
}

impl<'a> UnitOfWork<'a> {
    pub(super) fn new(inner: &'a Inner, context: &'a CommandContext) -> Self {
        Self {
            inner,
            context,
            now: inner.clock.now(),
            erased: None,
            streams: BTreeMap::new(),
            primary: None,
            keys: BTreeMap::new(),
            new_keys: Vec::new(),
            claims: Vec::new(),
            releases: Vec::new(),
            release_owners: Vec::new(),
            destroy_keys: Vec::new(),
        }
    }

    /// Seals nothing for somebody of whom the log said that the data key is gone.
    pub(super) const fn without(mut self, erased: Option<SubjectId>) -> Self {
        self.erased = erased;
        self
    }

    /// Drops what was staged, keeps what was loaded.
    pub(crate) fn discard(&mut self) {
        self.streams.retain(|_, open| open.events.is_empty());
        self.primary = self.primary.take().filter(|stream| self.streams.contains_key(stream));
        self.inner.vault.forget(self.new_keys.drain(..).map(|key| key.subject));
        self.keys.clear();
        self.claims.clear();
        self.releases.clear();
        self.release_owners.clear();
        self.destroy_keys.clear();
    }

    /// What surrounds the command.
    pub(crate) const fn context(&self) -> &CommandContext {
        self.context
    }

    /// The present.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// When it happened in the business.
    pub(crate) fn occurred_at(&self) -> Instant {
        self.context.occurred_at.unwrap_or(self.now)
    }

    /// A fresh id.
    pub(crate) fn fresh<I: From<Uuid>>(&self) -> I {
        fresh_uuid(self.now).into()
    }

    /// The hashes that find contacts.
    pub(crate) fn index(&self) -> &PepperedIndex {
        &self.inner.index
    }

    /// Who has each of these unique keys.
    pub(crate) async fn holders(&self, keys: &[UniqueKey]) -> Result<Vec<Option<KeyHolder>>, Stop> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.inner.log.holders(keys).await.map_err(Stop::read)
    }

    /// The state of an aggregate as this work sees it: its own decisions included.
    pub(crate) async fn load<A: Aggregate>(&mut self, id: &A::Id) -> Result<Arc<A>, Stop> {
        let stream = StreamId::of::<A>(id);
        if let Some(open) = self.streams.get(&stream) {
            return state(&open.state);
        }
        let entry = match self.inner.cache.get(&stream) {
            Some(entry) => entry,
            None => self.load_stored::<A>(&stream).await?,
        };
        let loaded = state(&entry.state);
        let (chain, events) = (entry.chain, Vec::new());
        let open = Open { loaded: entry.revision, chain, state: entry.state, events };
        self.streams.insert(stream, open);
        loaded
    }

    async fn load_stored<A: Aggregate>(&self, stream: &StreamId) -> Result<Entry, Stop> {
        let store = LogEventStore::new(&self.inner.log);
        let context = EventStore::<A>::load_aggregate(&store, stream.id()).await.map_err(|error| {
            Stop::Fail(match error {
                AggregateError::DatabaseConnectionError(error) => {
                    CommandError::Unavailable(error.to_string())
                }
                other => CommandError::Internal(other.to_string()),
            })
        })?;
        let revision = Revision::new(i64::try_from(context.current_sequence).unwrap_or(i64::MAX));
        let entry = Entry { revision, state: Arc::new(context.aggregate), chain: None };
        if revision > Revision::ZERO {
            self.inner.cache.offer(stream.clone(), entry.clone());
        }
        Ok(entry)
    }

    /// Begins an aggregate whose id was made a moment ago: nothing can be stored of it.
    pub(crate) fn begin<A: Aggregate>(&mut self, id: &A::Id) {
        let state: Arc<dyn Any + Send + Sync> = Arc::new(A::default());
        let open = Open { loaded: Revision::ZERO, chain: None, state, events: Vec::new() };
        self.streams.insert(StreamId::of::<A>(id), open);
    }

    /// Names the aggregate that the command is about, and fails when it went on since the caller
    /// saw it.
    pub(crate) async fn primary<A: Aggregate>(&mut self, id: &A::Id) -> Result<Arc<A>, Stop> {
        let state = self.load::<A>(id).await?;
        let stream = StreamId::of::<A>(id);
        if let (Some(expected), Some(open)) = (self.context.expected_revision, self.streams.get(&stream))
            && open.loaded != expected
        {
            return Err(Stop::Declined(Declined::StaleRevision { expected, current: open.loaded }));
        }
        self.primary = Some(stream);
        Ok(state)
    }

    /// Lets an aggregate decide and stages its events.
    pub(crate) async fn decide<A: Aggregate>(
        &mut self,
        id: &A::Id,
        about: &About,
        command: A::Command,
    ) -> Result<usize, Stop> {
        let state = self.load::<A>(id).await?;
        let events = state.decide(command)?;
        if events.is_empty() {
            return Ok(0);
        }
        let mut next = Arc::unwrap_or_clone(state);
        let mut staged = Vec::with_capacity(events.len());
        for event in &events {
            next.evolve(event);
            let payload = serde_json::to_string(event)
                .map_err(|error| Stop::Fail(CommandError::Internal(error.to_string())))?;
            if holds_nul(&payload) {
                return Err(Stop::refused("text_invalid", "a text holds no NUL characters", None));
            }
            if payload.contains(CLEAR_MARK) {
                self.unlock(about.subject).await?;
            }
            staged.push(Staged { kind: event.contract(), payload, about: about.clone() });
        }
        let Some(open) = self.streams.get_mut(&StreamId::of::<A>(id)) else { return Err(Stop::Again) };
        open.events.extend(staged);
        open.state = Arc::new(next);
        Ok(events.len())
    }

    /// Announces a person who appears for the first time: a data key is made.
    pub(crate) fn new_subject(&mut self, subject: SubjectId) -> Result<(), Stop> {
        let (key, wrapped) = self.inner.vault.create(subject).map_err(Stop::read)?;
        self.keys.insert(subject, key);
        self.new_keys.push(wrapped);
        Ok(())
    }

    /// Makes sure that a person's data can be sealed; who has no key was erased.
    async fn unlock(&mut self, subject: Option<SubjectId>) -> Result<(), Stop> {
        let Some(subject) = subject else {
            return Err(Stop::Fail(CommandError::Internal("personal data of nobody".to_owned())));
        };
        if self.erased == Some(subject) {
            return Err(Stop::Declined(erased().into()));
        }
        if !self.keys.contains_key(&subject) {
            let key = self.inner.vault.key(subject).await.map_err(Stop::read)?;
            self.keys.insert(subject, key.ok_or_else(|| Stop::Declined(erased().into()))?);
        }
        Ok(())
    }

    /// Claims a unique key.
    pub(crate) fn claim(&mut self, key: UniqueKey, holder: KeyHolder) {
        self.claims.push(KeyClaim { key, holder });
    }

    /// Gives up what unique keys somebody has.
    pub(crate) fn release(&mut self, holder: KeyHolder) {
        self.releases.push(holder);
    }

    /// Forgets a person: the data key is destroyed and every unique key of `owner` given up.
    pub(crate) fn forget(&mut self, subject: SubjectId, owner: String) {
        self.destroy_keys.push(subject);
        self.release_owners.push(owner);
    }

    /// Appends what was staged, with the command's result. `None` when a stream went on meanwhile;
    /// `place` then keeps the place in the queue, so that the next attempt waits behind nobody.
    pub(super) async fn commit(
        mut self,
        done: &Done,
        fingerprint: [u8; 16],
        place: &mut Option<Permit>,
    ) -> Result<Option<(Position, Revision)>, AppendError> {
        let revision = self
            .primary
            .as_ref()
            .and_then(|stream| self.streams.get(stream))
            .map_or(Revision::ZERO, |open| open.loaded.plus(open.events.len()));
        let result = done.stored(revision).map_err(|error| AppendError::Rejected(error.to_string()))?;
        let command = CommandRecord { id: self.context.command_id, fingerprint, result };
        let mut append = Append::of(command);
        let (mut steps, mut touched) = (Vec::new(), Vec::new());
        for (stream, open) in std::mem::take(&mut self.streams) {
            if open.events.is_empty() {
                if let Some(chain) = open.chain {
                    append.rests_on.push(chain);
                    touched.push((stream.clone(), open.chain));
                }
                append.decided_on.push(DecidedOn { stream, at: open.loaded });
                continue;
            }
            let mut events = Vec::with_capacity(open.events.len());
            for staged in open.events {
                events.push(self.seal(&stream, staged)?);
            }
            let revision = open.loaded.plus(events.len());
            let fresh = || Chain::new(self.inner.chains.fetch_add(1, Ordering::Relaxed) + 1);
            let chain = open.chain.unwrap_or_else(fresh);
            append.extends.push(chain);
            touched.push((stream.clone(), Some(chain)));
            let to = Entry { revision, state: open.state, chain: Some(chain) };
            steps.push(Step { stream: stream.clone(), from: open.loaded, to });
            append.streams.push(StreamAppend { stream, expected: open.loaded, events });
        }
        append.bulk = self.context.bulk;
        append.claims = self.claims;
        append.releases = self.releases;
        append.release_owners = self.release_owners;
        let new = |subject: &SubjectId| self.new_keys.iter().any(|key| key.subject == *subject);
        append.seals_for = self.keys.keys().filter(|subject| !new(subject)).copied().collect();
        append.new_keys = self.new_keys;
        append.destroy_keys.clone_from(&self.destroy_keys);
        let mut in_flight = InFlight {
            inner: self.inner,
            streams: Vec::new(),
            new_subjects: append.new_keys.iter().map(|key| key.subject).collect(),
            destroyed: self.destroy_keys,
            done: false,
        };
        if place.is_none() {
            *place = Some(self.inner.log.appender().permit().await?);
        }
        let submit = |append| place.take().map(|permit| permit.submit(append));
        let Some(pending) = self.inner.cache.advance(steps, append, submit).flatten() else {
            // What the cache has now is of those who were faster.
            return Ok(None);
        };
        in_flight.streams = touched;
        let appended = pending.await?;
        in_flight.done = true;
        Ok(Some((appended.position, revision)))
    }

    fn seal(&self, stream: &StreamId, staged: Staged) -> Result<NewEvent, AppendError> {
        let event_id: EventId = self.fresh();
        let broken = |error: &dyn std::fmt::Display| AppendError::Rejected(error.to_string());
        let mut payload = staged.payload;
        if payload.contains(CLEAR_MARK) {
            let known = staged.about.subject.and_then(|subject| Some((subject, self.keys.get(&subject)?)));
            let (subject, key) = known.ok_or_else(|| broken(&"personal data without a key"))?;
            let sealed = seal_personal(&payload, &mut |path, clear| {
                seal(key, &SealContext { subject, stream, event_id, path }, clear)
            });
            payload = sealed.map_err(|error| broken(&error))?;
        }
        let metadata = serde_json::to_string(&Metadata {
            event_id,
            occurred_at: self.occurred_at(),
            actor: self.context.actor.clone(),
            on_behalf_of: self.context.on_behalf_of,
            line: staged.about.line,
            subject: staged.about.subject,
            command_id: self.context.command_id,
            correlation_id: self.context.correlation_id,
            causation_id: self.context.causation_id,
            reason: self.context.reason.clone(),
            policy_version: staged.about.policy_version,
            trace: self.context.trace.clone(),
        });
        NewEvent::sealed(staged.kind, payload, metadata.map_err(|error| broken(&error))?)
    }
}

/// What an append that failed, or was abandoned, leaves in memory must go.
struct InFlight<'a> {
    inner: &'a Inner,
    /// With the chains of appends that made them what they were taken to be. None until it was handed in:
    /// whoever goes away before that has changed nothing.
    streams: Vec<(StreamId, Option<Chain>)>,
    new_subjects: Vec<SubjectId>,
    /// Whose keys are destroyed with it, now or later, whoever waits for that.
    destroyed: Vec<SubjectId>,
    done: bool,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.inner.vault.forget(self.destroyed.drain(..));
        if !self.done {
            self.inner.cache.evict(&self.streams);
            self.inner.vault.forget(self.new_subjects.iter().copied());
        }
    }
}

/// Whether a text in the JSON has a NUL character, and not the six characters that write one.
fn holds_nul(json: &str) -> bool {
    let escaped = |at: usize| json[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    json.match_indices(NUL).any(|(at, _)| !escaped(at))
}

fn state<A: Aggregate>(state: &Arc<dyn Any + Send + Sync>) -> Result<Arc<A>, Stop> {
    state
        .clone()
        .downcast::<A>()
        .map_err(|_| Stop::Fail(CommandError::Internal("a stream holds another aggregate".to_owned())))
}

/// What happens to a person whose key was destroyed.
pub(crate) fn erased() -> Refused {
    Refused::new("customer_erased", "the customer was erased", None)
}
