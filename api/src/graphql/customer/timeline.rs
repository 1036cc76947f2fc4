//! What happened with a customer or a clue: one typed row an event.

use domain::Actor;
use domain::ids::{ClueId, CustomerId, EventId, OperatorId};
use domain::values::LineKey;
use projections::customer::TimelineItem;

use crate::graphql::connection::Node;
use crate::graphql::cursor::ListVersion;
use crate::graphql::enums::{FollowUpChannel, FollowUpOutcome};
use crate::graphql::personal::PersonalText;
use crate::graphql::scalars::{Id, Instant, Money, Position, Text};
use crate::plain_object;

/// What cursors of timelines belong to.
pub const TIMELINE: ListVersion = ListVersion { list: "timeline", version: 1 };

plain_object! {
    /// Something that happened with a customer.
    TimelineNode as "TimelineEntry" {
        /// Its event's identity.
        id "id": Id<EventId>,
        /// Its event's place in the log.
        position "position": Position,
        /// The event's stored type, for example `clue.follow_up_logged`.
        kind "kind": String,
        /// Business time.
        occurred_at "occurredAt": Instant,
        /// When the log took it.
        recorded_at "recordedAt": Instant,
        /// With whom.
        customer_id "customerId": Id<CustomerId>,
        /// With which clue.
        clue_id "clueId": Option<Id<ClueId>>,
        /// In which line.
        line "line": Option<Text<LineKey>>,
        /// The operator who did it; null when a part of the system did.
        actor_id "actorId": Option<Id<OperatorId>>,
        /// The part of the system that did it; null when an operator did.
        system "system": Option<String>,
        /// For whom it was done.
        on_behalf_of_id "onBehalfOfId": Option<Id<OperatorId>>,
        /// The operator whom it concerns.
        operator_id "operatorId": Option<Id<OperatorId>>,
        /// Another operator: the former owner, the approver, the winner.
        other_operator_id "otherOperatorId": Option<Id<OperatorId>>,
        /// The follow-up, viewing, contact point or other customer that it is about.
        subject_ref "subjectRef": Option<Id<String>>,
        /// The stage before, or where something came from.
        from_word "from": Option<String>,
        /// The stage after, a reason, a purpose, a kind.
        to_word "to": Option<String>,
        /// When it is to be, or was.
        at "at": Option<Instant>,
        /// When the next contact is planned.
        next_at "nextAt": Option<Instant>,
        /// How long the talk was, in seconds.
        duration_seconds "durationSeconds": Option<i32>,
        /// How the contact was.
        channel "channel": Option<FollowUpChannel>,
        /// What came of it.
        outcome "outcome": Option<FollowUpOutcome>,
        /// For how much, when the caller sees amounts.
        amount "amount": Option<Money>,
        /// How many stars, when it is about stars.
        stars "stars": Option<i32>,
        /// What was written.
        note "note": Option<PersonalText>,
    }
}

impl Node for TimelineNode {
    const CONNECTION: &'static str = "TimelineConnection";
    const EDGE: &'static str = "TimelineEdge";
}

impl From<TimelineItem> for TimelineNode {
    fn from(item: TimelineItem) -> Self {
        let (actor_id, system) = match item.actor {
            Actor::Operator(id) => (Some(Id(id)), None),
            Actor::System(name) => (None, Some(name.to_string())),
        };
        let money = |minor, currency| Money(domain::values::Money { minor, currency });
        let stars = item.currency.is_none().then_some(item.amount_minor).flatten();
        Self {
            id: Id(item.event_id),
            position: Position(item.position),
            kind: item.kind,
            occurred_at: Instant(item.occurred_at),
            recorded_at: Instant(item.recorded_at),
            customer_id: Id(item.customer_id),
            clue_id: item.clue_id.map(Id),
            line: item.line.map(Text),
            actor_id,
            system,
            on_behalf_of_id: item.on_behalf_of.map(Id),
            operator_id: item.operator_id.map(Id),
            other_operator_id: item.other_operator_id.map(Id),
            subject_ref: item.subject_ref.map(Id),
            from_word: item.from,
            to_word: item.to,
            at: item.at.map(Instant),
            next_at: item.next_at.map(Instant),
            duration_seconds: item.duration_seconds.and_then(|seconds| seconds.try_into().ok()),
            channel: item.channel.map(Into::into),
            outcome: item.outcome.map(Into::into),
            amount: item.amount_minor.zip(item.currency).map(|(minor, currency)| money(minor, currency)),
            stars: stars.and_then(|stars| stars.try_into().ok()),
            note: item.note.map(Into::into),
        }
    }
}
