//! Scores as GraphQL objects.

use async_graphql::{ComplexObject, Context};
use domain::ids::{ClueId, CustomerId, EventId};
use domain::values::LineKey;
use projections::star_customers::{ReasonItem, ScoreItem};

use crate::graphql::connection::Node;
use crate::graphql::customer::CustomerNode;
use crate::graphql::enums::Signal;
use crate::graphql::loaders::{Loaders, ReasonsOf};
use crate::graphql::scalars::{Id, Instant, Long, Position, Text};
use crate::graphql::services::Session;
use crate::plain_object;

plain_object! {
    /// How likely to buy a customer is, in a line.
    ScoreNode as "Score" (complex) {
        /// Which customer.
        customer_id "customerId": Id<CustomerId>,
        /// In which line.
        line "line": Text<LineKey>,
        /// Points now, in tenths: signals lose weight with time by the line's policy.
        points_tenths "pointsTenths": Long,
        /// Stars that were granted; 0 for none.
        stars "stars": i32,
        /// How many signals there were.
        signals "signals": i32,
        /// Place of the last of them in the log.
        position "position": Position,
    }
}

plain_object! {
    /// A strong signal, with the event that shows it.
    ScoreReasonNode as "ScoreReason" {
        /// 1 is the strongest.
        rank "rank": i32,
        /// What happened.
        signal "signal": Signal,
        /// Points at the moment that it happened.
        points "points": i32,
        /// When it happened.
        at "at": Instant,
        /// With which clue.
        clue_id "clueId": Option<Id<ClueId>>,
        /// The event that shows it.
        event_id "eventId": Id<EventId>,
        /// Its place in the log.
        position "position": Position,
    }
}

impl Node for ScoreNode {
    const CONNECTION: &'static str = "ScoreConnection";
    const EDGE: &'static str = "ScoreEdge";
}

#[ComplexObject]
impl ScoreNode {
    /// The customer; null when the caller may not see such a one.
    async fn customer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<CustomerNode>> {
        let found = ctx.data::<Loaders>()?.get().load_one(self.customer_id.0).await?;
        Ok(found.map(CustomerNode::from))
    }

    /// The strongest reasons, strongest first.
    #[graphql(complexity = "3 * child_complexity + 1")]
    async fn reasons(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<ScoreReasonNode>> {
        let key = ReasonsOf(self.customer_id.0, self.line.0.clone());
        let found = ctx.data::<Loaders>()?.get().load_one(key).await?.unwrap_or_default();
        Ok(found.into_iter().map(ScoreReasonNode::from).collect())
    }
}

impl ScoreNode {
    /// A score as it is worth now.
    #[must_use]
    pub fn new(item: ScoreItem, session: &Session) -> Self {
        let line = session.snapshot.lines.get(&item.line);
        let half_life = line.map_or(0, |line| line.definition.score().half_life_hours);
        let points = item.score.value_at(session.services.commands.clock().now(), half_life);
        // Rounded to tenths, and far within 64 bits for any policy.
        #[allow(clippy::cast_possible_truncation)]
        let points_tenths = Long((points * 10.0).round() as i64);
        Self {
            customer_id: Id(item.customer_id),
            line: Text(item.line),
            points_tenths,
            stars: i32::try_from(item.tier).unwrap_or_default(),
            signals: i32::try_from(item.signals).unwrap_or(i32::MAX),
            position: Position(item.position),
        }
    }
}

impl From<ReasonItem> for ScoreReasonNode {
    fn from(item: ReasonItem) -> Self {
        Self {
            rank: i32::try_from(item.rank).unwrap_or_default(),
            signal: item.signal.into(),
            points: i32::try_from(item.points).unwrap_or_default(),
            at: Instant(item.at),
            clue_id: item.clue_id.map(Id),
            event_id: Id(item.event_id),
            position: Position(item.position),
        }
    }
}
