//! Reads clues.

use async_graphql::{Context, Object, SimpleObject};
use domain::ids::ClueId;

use super::filter::{ClueFilterInput, ClueSort};
use super::types::ClueNode;
use crate::graphql::connection::Connection;
use crate::graphql::cursor::ListVersion;
use crate::graphql::error::ApiError;
use crate::graphql::history::AsOf;
use crate::graphql::page::{PageArguments, rows};
use crate::graphql::scalars::{Id, Instant, Long, Position};
use crate::graphql::services::{READ_TOGETHER, session};

/// What cursors of the clue list belong to.
const CLUES: ListVersion = ListVersion { list: "clues", version: 1 };
/// How far clues are counted when nobody says.
const COUNT: i32 = 1_000;
/// How far clues are counted at most.
const MAX_COUNT: i32 = 100_000;

/// How many clues there are, counted up to a limit.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct ClueCount {
    /// How many were counted.
    pub count: Long,
    /// Whether there are no more than that.
    pub exact: bool,
}

/// Queries of clues.
#[derive(Default)]
pub struct ClueQuery;

#[Object]
impl ClueQuery {
    /// One clue; null when the caller may not see such a one.
    async fn clue(
        &self,
        ctx: &Context<'_>,
        id: Id<ClueId>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
        #[graphql(
            desc = "The state at this instant, by when the log took events, to be seen with the rights of today; \
                          the present when absent."
        )]
        as_of: Option<Instant>,
    ) -> async_graphql::Result<Option<ClueNode>> {
        let session = session(ctx)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        if let Some(moment) = session.as_of(as_of).await? {
            let history = &session.services.history;
            let found = history.clues_at(&session.viewer, &[id.0], moment.position).await;
            let found = found.map_err(ApiError::from)?.remove(&id.0);
            return Ok(found.map(|item| ClueNode::at(item, session, Some((&moment).into()))));
        }
        let found = session.services.clues.by_ids(&session.viewer, &[id.0]).await;
        Ok(found.map_err(ApiError::from)?.remove(&id.0).map(|item| ClueNode::new(item, session)))
    }

    /// The clues that the caller works or oversees.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "rows(first, last) * child_complexity + 1")]
    async fn clues(
        &self,
        ctx: &Context<'_>,
        filter: Option<ClueFilterInput>,
        #[graphql(desc = "By last change when absent.")] sort: Option<ClueSort>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
        #[graphql(
            desc = "The list at this instant, by when the log took events: filters, orders and names are of \
                          then, the rights of today. Cursors are good for the same moment only; the present \
                          when absent."
        )]
        as_of: Option<Instant>,
    ) -> async_graphql::Result<Connection<ClueNode>> {
        let session = session(ctx)?;
        let filter = filter.unwrap_or_default().filter(session)?;
        let arguments = PageArguments { first, after, last, before };
        let paging = session.paging(arguments, CLUES)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let sort = sort.unwrap_or_default().into();
        if let Some(moment) = session.as_of(as_of).await? {
            let history = &session.services.history;
            let page = history.page(&session.viewer, &filter, sort, &moment, &paging).await;
            let as_of = Some(AsOf::from(&moment));
            let connection = session.connection(page, CLUES, |item| ClueNode::at(item, session, as_of))?;
            return Ok(connection.of(as_of));
        }
        let page = session.services.clues.page(&session.viewer, &filter, sort, &paging).await;
        Ok(session.connection(page, CLUES, |item| ClueNode::new(item, session))?)
    }

    /// How many clues the filter finds, counted up to a limit: exact totals of large lists cost more
    /// than they say.
    async fn clue_count(
        &self,
        ctx: &Context<'_>,
        filter: Option<ClueFilterInput>,
        #[graphql(desc = "How far to count, at most 100,000; 1,000 when absent.")] limit: Option<i32>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<ClueCount> {
        let session = session(ctx)?;
        let limit = u32::try_from(limit.unwrap_or(COUNT))
            .ok()
            .filter(|limit| (1..=MAX_COUNT.unsigned_abs()).contains(limit));
        let limit = limit.ok_or_else(|| ApiError::bad_input("clues are counted up to 1 to 100,000"))?;
        let filter = filter.unwrap_or_default().filter(session)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let count = session.services.clues.count(&session.viewer, &filter, limit).await;
        let count = count.map_err(ApiError::from)?;
        Ok(ClueCount { count: Long(count.count), exact: count.exact })
    }

    /// The last position of the log at this moment. A list that is read at least at it, and a subscription
    /// behind it, miss nothing between them.
    async fn log_position(&self, ctx: &Context<'_>) -> async_graphql::Result<Position> {
        let head = session(ctx)?.services.commands.log().head().await;
        Ok(Position(head.map_err(|error| ApiError::internal(&error))?.position))
    }
}
