//! What a read model is to the runner: a pure fold over events, in memory.

use async_trait::async_trait;
use domain::Event;
use domain::customer::CustomerEvent;
use domain::envelope::{Position, RecordedEvent};
use domain::ids::{ClueId, CustomerId};
use domain::values::Instant;

use crate::changes::ChangedClue;
use crate::sql::{SqlError, Suffix, TableBatch, TableDef, Tx, Value};

/// An event on its way into a read model.
#[derive(Clone, Copy, Debug)]
pub struct Folding<'a> {
    /// As the log holds it.
    pub recorded: &'a RecordedEvent,
    /// Decoded; in clear when the read model asks for personal data.
    pub event: &'a Event,
}

impl Folding<'_> {
    /// Its place in the log.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.recorded.position
    }

    /// Its business time.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.recorded.metadata.occurred_at
    }

    /// The customer that it is about.
    #[must_use]
    pub fn customer(&self) -> Option<CustomerId> {
        self.recorded.metadata.subject.map(|subject| CustomerId::new(subject.uuid()))
    }

    /// The customer that it is about.
    ///
    /// # Errors
    /// When its envelope names none.
    pub fn known_customer(&self) -> Result<CustomerId, Poison> {
        self.customer().ok_or(Poison("the envelope names no subject"))
    }

    /// The clue whose stream, or whose attempts, it is in.
    ///
    /// # Errors
    /// When the stream's id is no clue's.
    pub fn clue(&self) -> Result<ClueId, Poison> {
        self.recorded.stream.id().parse().map_err(|_| Poison("the stream's id is not a clue's"))
    }

    /// The customer whom it erases, when it does.
    #[must_use]
    pub fn erases(&self) -> Option<CustomerId> {
        match self.event {
            Event::Customer(CustomerEvent::Erased { .. }) => self.customer(),
            _ => None,
        }
    }
}

/// Why an event cannot be folded. The text is the program's own, so that it never holds personal
/// data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poison(pub &'static str);

/// A read model's fold over one batch of events.
pub trait Batch: Send {
    /// Notes the rows that folding this event needs. Called for every event before the first fold.
    fn want(&mut self, event: &Folding<'_>);

    /// Folds one event. After an error the whole batch is thrown away.
    ///
    /// # Errors
    /// When the event contradicts what came before; it parks, and its successors of the same key.
    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison>;

    /// Its tables, each once.
    fn tables(&mut self) -> Vec<&mut dyn TableBatch>;

    /// What the batch changed, for those who watch; empty unless the model can be watched.
    fn changes(&self) -> Vec<ChangedClue> {
        Vec::new()
    }
}

/// A read model as the runner sees it.
///
/// Invariant: folding depends on nothing but events and the model's own rows. No clock, no other
/// model: else a replay would not end in the same rows.
#[async_trait]
pub trait Projector: Send + Sync + 'static {
    /// Its name for ever: of its checkpoint, its lease and its metrics.
    fn name(&self) -> &'static str;

    /// Version of its code. A higher one than the tables were built with rebuilds them beside.
    fn version(&self) -> i64;

    /// Its tables.
    fn tables(&self) -> &'static [&'static TableDef];

    /// Whether it keeps personal data, so that events must be opened for it.
    fn reads_personal(&self) -> bool {
        false
    }

    /// What a poison event takes down with it: its successors of the same key. `None` when the
    /// event does not concern the model.
    fn key(&self, event: &RecordedEvent) -> Option<String>;

    /// Whether folding the event concerns rows of other keys: it changes some, or makes rows that
    /// events of other keys read. A rebuild by several workers folds everything before it first, and
    /// what is behind it afterwards. Who says nothing is folded by one worker.
    fn shared(&self, _event: &RecordedEvent) -> bool {
        true
    }

    /// An empty batch.
    fn batch(&self) -> Box<dyn Batch>;

    /// Whether the event touches more rows than memory should hold, so that
    /// [`Projector::apply_alone`] takes it instead of a batch.
    fn alone(&self, _event: &Event) -> bool {
        false
    }

    /// Takes what names or describes these people out of a retired copy, which stands before their
    /// erasure, and leaves it to fold on from there; whether it did. A model whose rows do not depend on
    /// the order of an erasure and what came before it need not: the erasure is folded into the copy.
    ///
    /// # Errors
    /// See [`SqlError`].
    async fn forget(&self, _tx: &mut Tx, _copy: Suffix, _people: &Value) -> Result<bool, SqlError> {
        Ok(false)
    }

    /// Applies one event that must be applied alone.
    ///
    /// # Errors
    /// See [`SqlError`].
    async fn apply_alone(&self, _tx: &mut Tx, _suffix: Suffix, _event: &Folding<'_>) -> Result<(), SqlError> {
        Ok(())
    }
}

/// Whether an event of a model whose keys are people and business lines concerns more than one key:
/// what a line defines is read when events of people are folded.
#[must_use]
pub fn concerns_a_line(event: &RecordedEvent) -> bool {
    event.stream.aggregate_type() == "business_line"
}

/// The key of models that fold everything about one person together: the envelope's subject.
#[must_use]
pub fn subject_key(event: &RecordedEvent) -> String {
    event.metadata.subject.map_or_else(|| event.stream.to_string(), |subject| subject.to_string())
}
