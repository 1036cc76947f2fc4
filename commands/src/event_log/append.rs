//! What is handed to the log, and what comes back.

use domain::envelope::{Revision, StreamId};
use domain::ids::{CommandId, SubjectId};
use domain::personal::CLEAR_MARK;
use domain::{EventType, Instant, Position};

/// An event on its way into the log. Its personal fields are sealed already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub(super) event_type: &'static str,
    pub(super) event_version: String,
    pub(super) payload: String,
    pub(super) metadata: String,
}

impl NewEvent {
    /// An event for the log.
    ///
    /// # Errors
    /// When a personal field of the payload is still in clear: such an event never enters the log.
    pub fn sealed(kind: EventType, payload: String, metadata: String) -> Result<Self, AppendError> {
        if payload.contains(CLEAR_MARK) {
            return Err(AppendError::Rejected(format!("{kind} has personal data in clear")));
        }
        Ok(Self { event_type: kind.name, event_version: kind.version.to_string(), payload, metadata })
    }
}

/// New events of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// The revision that the stream must have now; zero for a new stream.
    pub expected: Revision,
    /// The events, at least one.
    pub events: Vec<NewEvent>,
}

/// A stream that something was decided on without adding to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedOn {
    /// The stream.
    pub stream: StreamId,
    /// The revision that it had then, and must have now; zero for none.
    pub at: Revision,
}

/// Appends that build on each other before they are committed: see [`Append::extends`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chain(u64);

impl Chain {
    /// The chain of this number. Whoever makes chains gives each a number of its own.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

/// The first result of a command, to be stored with its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// The command's id.
    pub id: CommandId,
    /// Keyed hash of what was asked; the same id with another hash is an error.
    pub fingerprint: [u8; 16],
    /// Ids, codes and positions as JSON; never personal data.
    pub result: String,
}

/// A command that was recorded before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCommand {
    /// Keyed hash of what was asked.
    pub fingerprint: Vec<u8>,
    /// Its first result as JSON.
    pub result: String,
    /// The log's last position when it was recorded, its own events included.
    pub position: Position,
}

impl StoredCommand {
    /// Whether it is what this append would have stored: the same request, with the same result.
    pub(super) fn is_of(&self, command: &CommandRecord) -> bool {
        self.fingerprint == command.fingerprint && self.result == command.result
    }
}

/// A key that at most one owner has, across all streams.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueKey {
    /// What kind of key, for example `contact:1` or `source:used-car-sales:website`.
    pub scope: String,
    /// The key within its scope.
    pub key: String,
}

/// Somebody's claim to a unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClaim {
    /// The key.
    pub key: UniqueKey,
    /// Who gets it.
    pub holder: KeyHolder,
}

/// Who has a unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The aggregate, for example `customer:<id>`.
    pub owner: String,
    /// Which part of the aggregate, for example a contact point; empty when the whole.
    pub item: String,
}

/// A data key under the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Whose personal data it seals.
    pub subject: SubjectId,
    /// The encrypted key.
    pub wrapped: Vec<u8>,
    /// Which master key encrypted it.
    pub master_version: u32,
}

/// One atomic change of the log. It may be without events: a refusal is only a command's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The command that it is the result of.
    pub command: CommandRecord,
    /// New events, at most one entry a stream.
    pub streams: Vec<StreamAppend>,
    /// Streams that it was decided on without adding to them: appends to these that were handed in
    /// before are committed before, and it is refused when one has gone on since, in whichever process.
    pub decided_on: Vec<DecidedOn>,
    /// Unique keys to claim.
    pub claims: Vec<KeyClaim>,
    /// Who gives unique keys up.
    pub releases: Vec<KeyHolder>,
    /// Owners that give up every unique key they have.
    pub release_owners: Vec<String>,
    /// Data keys of people who appear for the first time.
    pub new_keys: Vec<WrappedKey>,
    /// People under whose data keys, which are there already, something of it is sealed: it is refused when
    /// one of these was destroyed since, in whichever process.
    pub seals_for: Vec<SubjectId>,
    /// People whose data keys are to be destroyed.
    pub destroy_keys: Vec<SubjectId>,
    /// Whether its commit may wait for others like it: see `Appender::gather`.
    pub bulk: bool,
    /// Chains of appends that it goes on with: whoever decides on the effects of an append before they
    /// are committed gives his own append the same chain. When one of a chain fails, those behind it are
    /// refused, though another process may have brought the stream to the revision that they expect.
    pub extends: Vec<Chain>,
    /// Chains that it was decided on without going on with them.
    pub rests_on: Vec<Chain>,
}

impl Append {
    /// An append of nothing but a command's result.
    #[must_use]
    pub const fn of(command: CommandRecord) -> Self {
        Self {
            command,
            streams: Vec::new(),
            decided_on: Vec::new(),
            claims: Vec::new(),
            releases: Vec::new(),
            release_owners: Vec::new(),
            new_keys: Vec::new(),
            seals_for: Vec::new(),
            destroy_keys: Vec::new(),
            bulk: false,
            extends: Vec::new(),
            rests_on: Vec::new(),
        }
    }

    /// Streams with the revisions that they must have: those that it adds to, then the others.
    pub(super) fn expectations(&self) -> impl Iterator<Item = (&StreamId, Revision)> {
        let others = self.decided_on.iter().map(|decided| (&decided.stream, decided.at));
        self.streams.iter().map(|entry| (&entry.stream, entry.expected)).chain(others)
    }

    /// Somebody for whom something of it is sealed, and whose data key is none of these.
    pub(super) fn sealed_without_key(&self, kept: &[String]) -> Option<SubjectId> {
        self.seals_for.iter().copied().find(|subject| !kept.contains(&subject.to_string()))
    }

    /// How many events it has.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.streams.iter().map(|stream| stream.events.len()).sum()
    }

    /// Bytes of its events, for the size of a batch.
    pub(super) fn bytes(&self) -> usize {
        let events = self.streams.iter().flat_map(|stream| &stream.events);
        events.map(|event| event.payload.len() + event.metadata.len()).sum()
    }

    /// Whether it gives anything up, which one statement cannot do together with other appends.
    pub(super) const fn gives_up(&self) -> bool {
        !self.releases.is_empty() || !self.release_owners.is_empty() || !self.destroy_keys.is_empty()
    }
}

/// Where an append went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of its last event, or the log's last position when it has none.
    pub position: Position,
    /// When the log took it.
    pub recorded_at: Instant,
}

/// Why an append did not happen. Nothing of it is in the log, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream is not at the expected revision.
    #[error("stream {stream} is not at revision {expected}")]
    WrongExpectedRevision {
        /// The stream.
        stream: StreamId,
        /// The revision that was expected.
        expected: Revision,
    },
    /// Somebody else owns a unique key.
    #[error("a unique key of scope {} is taken", key.scope)]
    KeyTaken {
        /// The key.
        key: UniqueKey,
        /// Who has it.
        holder: KeyHolder,
    },
    /// Something is sealed for a person whose data key is gone.
    #[error("the data key of {subject} was destroyed")]
    KeyDestroyed {
        /// Who was erased.
        subject: SubjectId,
    },
    /// The command was recorded before.
    #[error("the command was recorded before")]
    CommandExists(StoredCommand),
    /// Another writer took the log over.
    #[error("this writer was fenced off: the log's epoch is no longer {epoch}")]
    Fenced {
        /// The writer's epoch.
        epoch: i64,
    },
    /// The store refuses the data itself.
    #[error("the event log refuses the append: {0}")]
    Rejected(String),
    /// The store did not answer in time. The append may or may not be in the log: look the command
    /// id up, or send the same command again.
    #[error("the event log is not available: {0}")]
    Unavailable(String),
}
