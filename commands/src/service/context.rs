//! Who asks, under which id, since what.

use domain::envelope::{Actor, Revision};
use domain::ids::{CommandId, CorrelationId, EventId, OperatorId};
use domain::values::{Code, Instant};

/// What surrounds a command.
#[derive(Clone, Debug)]
pub struct CommandContext {
    /// The mutation as its caller named it, a UUIDv7.
    pub command_id: CommandId,
    /// Who asks.
    pub actor: Actor,
    /// For whom the actor asks, when for somebody else.
    pub on_behalf_of: Option<OperatorId>,
    /// The intent of the user; the command's own id when nothing led to it.
    pub correlation_id: CorrelationId,
    /// The event that made the system ask.
    pub causation_id: Option<EventId>,
    /// When it happened in the business, when not now.
    pub occurred_at: Option<Instant>,
    /// Why, as a word of the business.
    pub reason: Option<Code>,
    /// W3C `traceparent` of the request.
    pub trace: Option<String>,
    /// The revision that the caller saw; the command fails when the aggregate went on since.
    pub expected_revision: Option<Revision>,
    /// Whether it is one of very many that nobody waits for one by one: its commit may wait for the
    /// others.
    pub bulk: bool,
}

impl CommandContext {
    /// A command that nothing led to.
    #[must_use]
    pub const fn new(command_id: CommandId, actor: Actor) -> Self {
        Self {
            command_id,
            actor,
            on_behalf_of: None,
            correlation_id: CorrelationId::starting_with(command_id),
            causation_id: None,
            occurred_at: None,
            reason: None,
            trace: None,
            expected_revision: None,
            bulk: false,
        }
    }
}
