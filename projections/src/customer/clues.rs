//! Whose clues a customer has.

use domain::clue::{ClueEvent, Lifecycle};

use super::rows::CustomerClueRow;
use crate::runner::{Folding, Poison};
use crate::sql::Records;

pub(super) fn fold(
    clues: &mut Records<CustomerClueRow>,
    event: &Folding<'_>,
    fact: &ClueEvent,
) -> Result<(), Poison> {
    let customer_id = event.known_customer()?;
    let clue_id = event.clue()?;
    if let ClueEvent::Captured { line, at, .. } = fact {
        clues.put(CustomerClueRow {
            clue_id,
            customer_id,
            line: line.clone(),
            lifecycle: Lifecycle::Captured,
            owner_id: None,
            team_id: None,
            captured_at: *at,
        });
        return Ok(());
    }
    let unknown = Poison("the clue was never captured");
    if clues.get(&customer_id, &(clue_id,)).is_none() {
        return Err(unknown);
    }
    let next = match fact {
        ClueEvent::Pooled {} | ClueEvent::Released { .. } | ClueEvent::Reopened { .. } => Lifecycle::Pooled,
        ClueEvent::Assigned { .. } | ClueEvent::Claimed { .. } | ClueEvent::Transferred { .. } => {
            Lifecycle::Owned
        }
        ClueEvent::LossRejected { .. } => Lifecycle::Owned,
        ClueEvent::LossProposed { .. } => Lifecycle::LossReview,
        ClueEvent::Lost { .. } => Lifecycle::Lost,
        ClueEvent::Won { .. } => Lifecycle::Won,
        ClueEvent::Invalidated { .. } => Lifecycle::Invalid,
        _ => return Ok(()),
    };
    let row = clues.get_mut(&customer_id, &(clue_id,)).ok_or(unknown)?;
    row.lifecycle = next;
    match fact {
        ClueEvent::Assigned { operator_id, team_id, .. }
        | ClueEvent::Claimed { operator_id, team_id, .. } => {
            row.owner_id = Some(*operator_id);
            row.team_id = *team_id;
        }
        ClueEvent::Transferred { to, team_id, .. } => {
            row.owner_id = Some(*to);
            row.team_id = *team_id;
        }
        _ if next == Lifecycle::Pooled => {
            row.owner_id = None;
            row.team_id = None;
        }
        _ => {}
    }
    Ok(())
}
