//! Reads scores.

use async_graphql::{Context, Enum, Object};
use domain::ids::CustomerId;
use domain::values::LineKey;
use projections::star_customers::StarOrder;

use super::types::ScoreNode;
use crate::graphql::connection::Connection;
use crate::graphql::cursor::ListVersion;
use crate::graphql::error::ApiError;
use crate::graphql::page::{PageArguments, rows};
use crate::graphql::scalars::{Id, Position, Text};
use crate::graphql::services::{READ_TOGETHER, session};

/// What cursors of star customers belong to.
const STARS: ListVersion = ListVersion { list: "star_customers", version: 1 };

/// An order of star customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[graphql(remote = "StarOrder")]
pub enum StarSort {
    /// Highest score first.
    #[default]
    Score,
    /// Most stars first, then highest score.
    Tier,
}

/// Queries of star customers.
#[derive(Default)]
pub struct StarQueries;

#[Object]
impl StarQueries {
    /// The likely buyers of a line. Agents and team leads see those whose clues they work.
    #[allow(clippy::too_many_arguments)]
    #[graphql(complexity = "rows(first, last) * child_complexity + 1")]
    async fn star_customers(
        &self,
        ctx: &Context<'_>,
        line: Text<LineKey>,
        #[graphql(desc = "By score when absent.")] sort: Option<StarSort>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Connection<ScoreNode>> {
        let session = session(ctx)?;
        let arguments = PageArguments { first, after, last, before };
        let paging = session.paging(arguments, STARS)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let sort = sort.unwrap_or_default().into();
        let page = session.services.stars.page(&session.viewer, &line.0, sort, &paging).await;
        Ok(session.connection(page, STARS, |item| ScoreNode::new(item, session))?)
    }

    /// The scores of a customer, one for each line in which there is one.
    async fn scores(
        &self,
        ctx: &Context<'_>,
        customer_id: Id<CustomerId>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Vec<ScoreNode>> {
        let session = session(ctx)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let found = session.services.stars.by_ids(&session.viewer, &[customer_id.0]).await;
        let found = found.map_err(ApiError::from)?.remove(&customer_id.0).unwrap_or_default();
        Ok(found.into_iter().map(|item| ScoreNode::new(item, session)).collect())
    }
}
