//! Reads the directory.

use async_graphql::{Context, Object};
use domain::ids::{OperatorId, TeamId};
use domain::operator::Role;
use domain::values::LineKey;
use projections::Viewer;
use projections::operators::OperatorEntry;

use super::types::{OperatorNode, TeamNode, sees_names};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Id, Position, Text};
use crate::graphql::services::{Session, session};

/// Queries of operators and teams.
#[derive(Default)]
pub struct OperatorQuery;

#[Object]
impl OperatorQuery {
    /// Who asks.
    async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<OperatorNode> {
        let session = session(ctx)?;
        let id = session.request.caller.operator_id;
        let found = OperatorNode::find(Some(id), &session.snapshot, sees_names(&session.viewer));
        Ok(found.ok_or_else(|| ApiError::internal(&"the caller left the directory"))?)
    }

    /// The operators of the caller's business lines; all of them for auditors and administrators.
    async fn operators(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this line.")] line: Option<Text<LineKey>>,
        #[graphql(desc = "Only those of this team.")] team_id: Option<Id<TeamId>>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Vec<OperatorNode>> {
        let Session { viewer, .. } = session(ctx)?;
        let snapshot = fresh(session(ctx)?, at_least).await?;
        let wanted = |entry: &&OperatorEntry| {
            sees(viewer, entry)
                && line.as_ref().is_none_or(|line| entry.scope.lines.contains(&line.0))
                && team_id.is_none_or(|team| entry.scope.teams.contains(&team.0))
        };
        let found = snapshot.operators.values().filter(wanted);
        Ok(found.map(|entry| OperatorNode::new(entry, sees_names(viewer))).collect())
    }

    /// One operator; null when the caller may not see such a one.
    async fn operator(
        &self,
        ctx: &Context<'_>,
        id: Id<OperatorId>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Option<OperatorNode>> {
        let session = session(ctx)?;
        let snapshot = fresh(session, at_least).await?;
        let found = snapshot.operators.get(&id.0).filter(|entry| sees(&session.viewer, entry));
        Ok(found.map(|entry| OperatorNode::new(entry, sees_names(&session.viewer))))
    }

    /// The teams of the caller's business lines; all of them for auditors and administrators.
    async fn teams(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this line.")] line: Option<Text<LineKey>>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Vec<TeamNode>> {
        let session = session(ctx)?;
        let snapshot = fresh(session, at_least).await?;
        let viewer = &session.viewer;
        let teams = snapshot.teams.values();
        let teams = teams.filter(|team| oversees(viewer) || viewer.lines.contains(&team.line));
        let teams = teams.filter(|team| line.as_ref().is_none_or(|line| line.0 == team.line));
        Ok(teams.map(TeamNode::from).collect())
    }
}

fn oversees(viewer: &Viewer) -> bool {
    viewer.is(Role::Auditor) || viewer.is(Role::Admin)
}

/// Colleagues share a line; everybody sees oneself.
fn sees(viewer: &Viewer, entry: &OperatorEntry) -> bool {
    oversees(viewer) || viewer.operator_id == Some(entry.id) || !viewer.lines.is_disjoint(&entry.scope.lines)
}

/// The directory at a position or later: it is read again when the wait was for something new.
pub(in crate::graphql) async fn fresh(
    session: &Session,
    at_least: Option<Position>,
) -> Result<std::sync::Arc<projections::Snapshot>, ApiError> {
    if at_least.is_none() {
        return Ok(session.snapshot.clone());
    }
    session.at_least(&["lines", "operators"], at_least).await?;
    session.services.directory.refresh().await?;
    Ok(session.services.directory.now())
}
