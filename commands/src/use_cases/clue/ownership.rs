//! Who works a clue: pool, assign, claim, release, transfer.

use domain::Aggregate;
use domain::business_line::PolicyKind;
use domain::clue::{Clue, ClueCommand as Command, ClueError};
use domain::clue_attempts::{ClueAttempts, ClueAttemptsCommand};
use domain::ids::{ClueId, OperatorId};
use domain::personal::Personal;
use domain::values::Code;
use serde::Serialize;

use super::{about, assignee, decide, line_of};
use crate::service::{Done, Permission, Refused, Stop, UnitOfWork, UseCase};

/// Puts a captured clue in the pool.
#[derive(Clone, Debug, Serialize)]
pub struct PoolClue {
    /// Which clue.
    pub clue_id: ClueId,
}

impl UseCase for PoolClue {
    const NAME: &'static str = "pool_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let clue = work.primary::<Clue>(&self.clue_id).await?;
        work.authorize(Permission::Lead(&clue)).await?;
        let line = line_of(work, &clue).await?;
        decide(work, self.clue_id, &about(&clue, &line, None), Command::Pool).await
    }
}

/// Gives a clue to an operator.
#[derive(Clone, Debug, Serialize)]
pub struct AssignClue {
    /// Which clue.
    pub clue_id: ClueId,
    /// To whom.
    pub operator_id: OperatorId,
}

impl UseCase for AssignClue {
    const NAME: &'static str = "assign_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let clue = work.primary::<Clue>(&self.clue_id).await?;
        work.authorize(Permission::Lead(&clue)).await?;
        let line = line_of(work, &clue).await?;
        let about = about(&clue, &line, None);
        let to = assignee(work, self.operator_id, line_key(&clue)?).await?;
        decide(work, self.clue_id, &about, Command::Assign { to, at: work.occurred_at() }).await
    }
}

/// Gives an owned clue to another operator.
#[derive(Clone, Debug, Serialize)]
pub struct TransferClue {
    /// Which clue.
    pub clue_id: ClueId,
    /// To whom.
    pub operator_id: OperatorId,
}

impl UseCase for TransferClue {
    const NAME: &'static str = "transfer_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let clue = work.primary::<Clue>(&self.clue_id).await?;
        work.authorize(Permission::Lead(&clue)).await?;
        let line = line_of(work, &clue).await?;
        let about = about(&clue, &line, None);
        let to = assignee(work, self.operator_id, line_key(&clue)?).await?;
        decide(work, self.clue_id, &about, Command::Transfer { to, at: work.occurred_at() }).await
    }
}

/// Takes a clue from the pool. A refused claim is a fact too: it is recorded with who had won.
#[derive(Clone, Debug, Serialize)]
pub struct ClaimClue {
    /// Which clue.
    pub clue_id: ClueId,
}

impl UseCase for ClaimClue {
    const NAME: &'static str = "claim_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let clue = work.primary::<Clue>(&self.clue_id).await?;
        let line = line_of(work, &clue).await?;
        let key = line_key(&clue)?;
        work.authorize(Permission::Claim(key)).await?;
        let operator_id = acting_operator(work)?;
        let by = assignee(work, operator_id, key).await?;
        let at = work.occurred_at();
        let about = about(&clue, &line, Some(PolicyKind::Pool));
        let claim = Command::Claim { by, line, at };
        let Err(refusal) = clue.decide(claim.clone()) else {
            return decide(work, self.clue_id, &about, claim).await;
        };
        let (winner, won_at) = match refusal {
            ClueError::NotPooled { owner, since } => (owner, since),
            _ => (None, None),
        };
        let reason = Code::new(refusal.code()).map_err(|_| Stop::Again)?;
        let attempt = ClueAttemptsCommand::RecordRefusedClaim { operator_id, at, reason, winner, won_at };
        work.decide::<ClueAttempts>(&self.clue_id, &about, attempt).await?;
        Ok(Done::declined(Refused::of(&refusal)))
    }
}

/// Gives a clue back to the pool.
#[derive(Clone, Debug, Serialize)]
pub struct ReleaseClue {
    /// Which clue.
    pub clue_id: ClueId,
    /// Why, in the owner's words.
    pub note: Option<Personal<String>>,
}

impl UseCase for ReleaseClue {
    const NAME: &'static str = "release_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let clue = work.primary::<Clue>(&self.clue_id).await?;
        work.authorize(Permission::Work(&clue)).await?;
        let line = line_of(work, &clue).await?;
        let command = Command::Release { at: work.occurred_at(), note: self.note.clone() };
        decide(work, self.clue_id, &about(&clue, &line, None), command).await
    }
}

/// The operator who acts, or for whom the system acts.
pub(super) fn acting_operator(work: &UnitOfWork<'_>) -> Result<OperatorId, Stop> {
    let context = work.context();
    context
        .on_behalf_of
        .or_else(|| context.actor.operator())
        .ok_or_else(|| Stop::refused("operator_required", "an operator does this, not the system", None))
}

fn line_key(clue: &Clue) -> Result<&domain::values::LineKey, Stop> {
    clue.line().ok_or_else(|| ClueError::NotFound.into())
}
