//! Reads facts.

use async_graphql::{Context, Object};
use domain::values::LineKey;
use projections::fact_clue_stage::FactClueStage;

use super::types::{StageIntervalNode, StageSummaryNode};
use crate::graphql::connection::Connection;
use crate::graphql::cursor::ListVersion;
use crate::graphql::error::ApiError;
use crate::graphql::page::{PageArguments, rows};
use crate::graphql::scalars::{Instant, Position, Text};
use crate::graphql::services::session;

/// What cursors of stage intervals belong to.
const INTERVALS: ListVersion = ListVersion { list: "fact_clue_stage", version: 1 };

/// Queries of facts.
#[derive(Default)]
pub struct BiQueries;

#[Object]
impl BiQueries {
    /// The intervals that clues of a line stood in stages, in the order in which they began.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "rows(first, last) * child_complexity + 1")]
    async fn stage_intervals(
        &self,
        ctx: &Context<'_>,
        line: Text<LineKey>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Connection<StageIntervalNode>> {
        let session = session(ctx)?;
        let arguments = PageArguments { first, after, last, before };
        let paging = session.paging(arguments, INTERVALS)?;
        session.at_least(&[FactClueStage::NAME], at_least).await?;
        let page = session.services.stages.page(&session.viewer, &line.0, &paging).await;
        Ok(session.connection(page, INTERVALS, StageIntervalNode::from)?)
    }

    /// How clues went through a line's stages: of the stays that began in a span of time.
    async fn stage_summary(
        &self,
        ctx: &Context<'_>,
        line: Text<LineKey>,
        #[graphql(desc = "Stays that began at this instant or later.")] from: Instant,
        #[graphql(desc = "Stays that began before this instant.")] until: Instant,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Vec<StageSummaryNode>> {
        let session = session(ctx)?;
        session.at_least(&[FactClueStage::NAME], at_least).await?;
        let summary = session.services.stages.summary(&session.viewer, &line.0, from.0, until.0).await;
        Ok(summary.map_err(ApiError::from)?.into_iter().map(StageSummaryNode::from).collect())
    }
}
