//! Asks for proofs.

use async_graphql::{Context, Object};

use super::types::{ConsistencyProofNode, InclusionProofNode, LogCheckpointNode};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::Position;
use crate::graphql::services::session;

/// Queries of proofs.
#[derive(Default)]
pub struct ProofQueries;

#[Object]
impl ProofQueries {
    /// The newest signed checkpoint of the log, for BI and auditors.
    async fn log_checkpoint(&self, ctx: &Context<'_>) -> async_graphql::Result<LogCheckpointNode> {
        let session = session(ctx)?;
        let signed = session.services.proofs.checkpoint(&session.request.caller.roles).await;
        Ok(signed.map_err(ApiError::from)?.into())
    }

    /// The proof that an event is in the log, for auditors.
    async fn inclusion_proof(
        &self,
        ctx: &Context<'_>,
        position: Position,
        #[graphql(desc = "In the tree of this size; that of the newest checkpoint when absent.")]
        size: Option<Position>,
    ) -> async_graphql::Result<InclusionProofNode> {
        let session = session(ctx)?;
        let roles = &session.request.caller.roles;
        let proof = session.services.proofs.inclusion(roles, position.0, size.map(number)).await;
        Ok(proof.map_err(ApiError::from)?.into())
    }

    /// The proof that the log of one size is the beginning of the log of a later size, for auditors.
    async fn consistency_proof(
        &self,
        ctx: &Context<'_>,
        from: Position,
        #[graphql(desc = "That of the newest checkpoint when absent.")] to: Option<Position>,
    ) -> async_graphql::Result<ConsistencyProofNode> {
        let session = session(ctx)?;
        let roles = &session.request.caller.roles;
        let proof = session.services.proofs.consistency(roles, number(from), to.map(number)).await;
        Ok(proof.map_err(ApiError::from)?.into())
    }
}

fn number(position: Position) -> u64 {
    position.0.get().unsigned_abs()
}
