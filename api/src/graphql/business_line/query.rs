//! Reads business lines. They hold no personal data, so everybody who may sign in may read them.

use async_graphql::{Context, Object};
use domain::values::LineKey;

use super::types::BusinessLineNode;
use crate::graphql::operator::fresh;
use crate::graphql::scalars::{Position, Text};
use crate::graphql::services::session;

/// Queries of business lines.
#[derive(Default)]
pub struct BusinessLineQuery;

#[Object]
impl BusinessLineQuery {
    /// Every business line, in the order of the keys.
    async fn business_lines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Vec<BusinessLineNode>> {
        let snapshot = fresh(session(ctx)?, at_least).await?;
        Ok(snapshot.lines.values().map(BusinessLineNode::from).collect())
    }

    /// One business line.
    async fn business_line(
        &self,
        ctx: &Context<'_>,
        key: Text<LineKey>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Option<BusinessLineNode>> {
        let snapshot = fresh(session(ctx)?, at_least).await?;
        Ok(snapshot.lines.get(&key.0).map(BusinessLineNode::from))
    }
}
