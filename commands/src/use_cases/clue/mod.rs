//! Clues: capture, ownership, work, outcome.

mod capture;
mod ownership;
mod work;

pub use capture::{CaptureClue, CapturedCustomer, Route};
pub use ownership::{AssignClue, ClaimClue, PoolClue, ReleaseClue, TransferClue};
pub use work::{ClueStep, WorkClue};

use std::sync::Arc;

use domain::business_line::{BusinessLine, PolicyKind};
use domain::clue::{Assignee, AssigneeStanding, Clue, ClueCommand};
use domain::ids::{ClueId, OperatorId};
use domain::operator::Operator;
use domain::team::Team;
use domain::values::LineKey;

use crate::service::{About, Done, Stop, UnitOfWork};

/// The line of a clue; the clue's own refusal answers when there is no such clue.
async fn line_of(work: &mut UnitOfWork<'_>, clue: &Clue) -> Result<Arc<BusinessLine>, Stop> {
    match clue.line() {
        Some(line) => work.load::<BusinessLine>(line).await,
        None => Err(domain::clue::ClueError::NotFound.into()),
    }
}

fn about(clue: &Clue, line: &BusinessLine, policy: Option<PolicyKind>) -> About {
    About {
        subject: clue.customer_id().map(Into::into),
        line: clue.line().cloned(),
        policy_version: policy.map(|kind| line.policy_version(kind)).filter(|version| *version > 0),
    }
}

/// Lets the clue decide and answers with its id.
async fn decide(
    work: &mut UnitOfWork<'_>,
    id: ClueId,
    about: &About,
    command: ClueCommand,
) -> Result<Done, Stop> {
    work.decide::<Clue>(&id, about, command).await?;
    Ok(Done::plain().id("clue_id", id))
}

/// What is known of an operator who is to have a clue of the line.
async fn assignee(
    work: &mut UnitOfWork<'_>,
    operator_id: OperatorId,
    line: &LineKey,
) -> Result<Assignee, Stop> {
    let operator = work.load::<Operator>(&operator_id).await?;
    let standing = if !operator.is_registered() {
        AssigneeStanding::Unknown
    } else if !operator.is_active() {
        AssigneeStanding::Suspended
    } else if !operator.scope().lines.contains(line) {
        AssigneeStanding::OutsideLine
    } else {
        AssigneeStanding::Active
    };
    let mut team_id = None;
    for id in &operator.scope().teams {
        let team = work.load::<Team>(id).await?;
        if team.is_active() && team.line() == Some(line) {
            team_id = Some(*id);
            break;
        }
    }
    Ok(Assignee { operator_id, team_id, standing })
}
