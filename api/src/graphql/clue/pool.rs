//! The pool: clues that nobody owns, open to claim.

use async_graphql::{ComplexObject, Context, InputObject, Object};
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::values::{Code, LineKey, StageKey};
use projections::clue_pool::{PoolFilter, PoolItem};

use crate::graphql::connection::{Connection, Node};
use crate::graphql::cursor::ListVersion;
use crate::graphql::customer::CustomerNode;
use crate::graphql::error::ApiError;
use crate::graphql::loaders::Loaders;
use crate::graphql::page::{PageArguments, rows};
use crate::graphql::scalars::{Id, Instant, Position, Text};
use crate::graphql::services::{READ_TOGETHER, Session, session};
use crate::plain_object;

/// What cursors of the pool belong to.
const POOL: ListVersion = ListVersion { list: "pool", version: 1 };
/// How far pooled clues are counted.
const COUNT: u32 = 10_000;

plain_object! {
    /// A clue that is open to claim.
    PooledClueNode as "PooledClue" (complex) {
        /// Which clue.
        id "id": Id<ClueId>,
        /// Whose.
        customer_id "customerId": Id<CustomerId>,
        /// Its line.
        line "line": Text<LineKey>,
        /// The stage where it stands.
        stage "stage": Text<StageKey>,
        /// The channel that it came through.
        source_channel "sourceChannel": Text<Code>,
        /// The campaign that brought it.
        campaign "campaign": Option<String>,
        /// When it came in.
        captured_at "capturedAt": Instant,
        /// Since when it is open to claim.
        pooled_at "pooledAt": Instant,
        /// Stars of the customer in this line; 0 for none.
        stars "stars": i32,
        /// Who gave it back last.
        former_owner_id "formerOwnerId": Option<Id<OperatorId>>,
        /// When.
        released_at "releasedAt": Option<Instant>,
        /// Until when the caller may not claim it, having given it back.
        cooldown_until "cooldownUntil": Option<Instant>,
        /// How often it was in the pool.
        times_pooled "timesPooled": i32,
        /// Whether the customer was really reached before.
        responded "responded": bool,
        /// Place of its last change in the log.
        position "position": Position,
    }
}

impl Node for PooledClueNode {
    const CONNECTION: &'static str = "PooledClueConnection";
    const EDGE: &'static str = "PooledClueEdge";
}

#[ComplexObject]
impl PooledClueNode {
    /// Whose clue it is, masked for those who may claim it.
    async fn customer(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<CustomerNode>> {
        let found = ctx.data::<Loaders>()?.get().load_one(self.customer_id.0).await?;
        Ok(found.map(CustomerNode::from))
    }
}

/// Which pooled clues. What is absent asks for nothing in particular.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PoolFilterInput {
    /// Of these lines.
    pub lines: Option<Vec<Text<LineKey>>>,
    /// In these stages.
    pub stages: Option<Vec<Text<StageKey>>>,
    /// Through these channels.
    pub source_channels: Option<Vec<Text<Code>>>,
    /// With so many stars or more.
    pub stars_at_least: Option<i32>,
    /// Captured from this instant on.
    pub captured_from: Option<Instant>,
    /// Captured before this instant.
    pub captured_until: Option<Instant>,
}

/// Queries of the pool.
#[derive(Default)]
pub struct PoolQueries;

#[Object]
impl PoolQueries {
    /// The pooled clues of the caller's lines: most stars first, then longest waiting.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "rows(first, last) * child_complexity + 1")]
    async fn pool_clues(
        &self,
        ctx: &Context<'_>,
        filter: Option<PoolFilterInput>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Connection<PooledClueNode>> {
        let session = session(ctx)?;
        let filter = PoolFilter::try_from(filter.unwrap_or_default())?;
        let arguments = PageArguments { first, after, last, before };
        let paging = session.paging(arguments, POOL)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let page = session.services.pool.page(&session.viewer, &filter, &paging).await;
        Ok(session.connection(page, POOL, |item| node(item, session))?)
    }

    /// How many pooled clues the filter finds, counted up to 10,000.
    async fn pool_count(
        &self,
        ctx: &Context<'_>,
        filter: Option<PoolFilterInput>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<i32> {
        let session = session(ctx)?;
        let filter = PoolFilter::try_from(filter.unwrap_or_default())?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let count = session.services.pool.count(&session.viewer, &filter, COUNT).await;
        Ok(i32::try_from(count.map_err(ApiError::from)?).unwrap_or(i32::MAX))
    }
}

fn node(item: PoolItem, session: &Session) -> PooledClueNode {
    let line = session.snapshot.lines.get(&item.line);
    let me = session.viewer.operator_id;
    let cooldown_until = line.zip(me).and_then(|(line, me)| item.cooldown_until(me, line.definition.pool()));
    PooledClueNode {
        id: Id(item.clue_id),
        customer_id: Id(item.customer_id),
        line: Text(item.line),
        stage: Text(item.stage),
        source_channel: Text(item.source_channel),
        campaign: item.campaign,
        captured_at: Instant(item.captured_at),
        pooled_at: Instant(item.pooled_at),
        stars: i32::try_from(item.stars).unwrap_or_default(),
        former_owner_id: item.former_owner_id.map(Id),
        released_at: item.released_at.map(Instant),
        cooldown_until: cooldown_until.map(Instant),
        times_pooled: i32::try_from(item.times_pooled).unwrap_or(i32::MAX),
        responded: item.first_response,
        position: Position(item.position),
    }
}

impl TryFrom<PoolFilterInput> for PoolFilter {
    type Error = ApiError;

    fn try_from(input: PoolFilterInput) -> Result<Self, ApiError> {
        let stars = input.stars_at_least.map(|stars| u8::try_from(stars).ok().filter(|stars| *stars <= 5));
        if stars == Some(None) {
            return Err(ApiError::bad_input("stars are 0 to 5"));
        }
        Ok(Self {
            lines: input.lines.unwrap_or_default().into_iter().map(|line| line.0).collect(),
            stages: input.stages.unwrap_or_default().into_iter().map(|stage| stage.0).collect(),
            channels: input.source_channels.unwrap_or_default().into_iter().map(|code| code.0).collect(),
            stars_at_least: stars.flatten(),
            captured_from: input.captured_from.map(|at| at.0),
            captured_until: input.captured_until.map(|at| at.0),
        })
    }
}
