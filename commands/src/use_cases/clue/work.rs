//! Working a clue: follow-ups, stages, need, fields, viewings, outcome.

use std::collections::BTreeMap;

use domain::business_line::{FieldValue, PolicyKind};
use domain::clue::{Clue, ClueCommand as Command, FollowUp, FollowUpChannel, FollowUpOutcome, Need};
use domain::ids::{ClueId, ViewingId};
use domain::personal::Personal;
use domain::values::{Code, FieldKey, Instant, Label, Money, StageKey};
use serde::Serialize;

use super::ownership::acting_operator;
use super::{about, decide, line_of};
use crate::service::{Done, Permission, Stop, UnitOfWork, UseCase};

/// One step in the work on a clue.
#[derive(Clone, Debug, Serialize)]
pub enum ClueStep {
    /// Log a contact with the customer.
    LogFollowUp {
        /// How.
        channel: FollowUpChannel,
        /// What came of it.
        outcome: FollowUpOutcome,
        /// Seconds that the talk lasted.
        duration_seconds: Option<u32>,
        /// When the next one is planned.
        next_at: Option<Instant>,
        /// What was said.
        note: Option<Personal<String>>,
    },
    /// Move it to another stage.
    MoveStage(StageKey),
    /// Record the customer's need.
    SetNeed(Need),
    /// Set custom fields; nothing clears one.
    SetFields(BTreeMap<FieldKey, Option<FieldValue>>),
    /// Make an appointment to see a car.
    BookViewing {
        /// When it is to be.
        at: Instant,
        /// Which car.
        car: Option<Label>,
        /// Where to meet.
        place: Option<Personal<String>>,
    },
    /// Move an appointment.
    RebookViewing {
        /// Which.
        viewing_id: ViewingId,
        /// When it is to be.
        at: Instant,
    },
    /// Call an appointment off.
    CancelViewing(ViewingId),
    /// Record that the customer saw the car.
    CompleteViewing(ViewingId),
    /// Record that the customer did not come.
    RecordNoShow(ViewingId),
    /// Hold it for lost.
    ProposeLoss {
        /// Why.
        reason: Code,
        /// Why, in words.
        note: Option<Personal<String>>,
    },
    /// Accept the proposed loss.
    ApproveLoss,
    /// Do not accept the proposed loss.
    RejectLoss {
        /// Why, in words.
        note: Option<Personal<String>>,
    },
    /// Record the deal.
    Win {
        /// For how much.
        amount: Option<Money>,
    },
    /// Record that it is no real clue.
    Invalidate(Code),
    /// Put a lost or invalid clue in the pool again.
    Reopen,
}

/// Takes one step in the work on a clue.
#[derive(Clone, Debug, Serialize)]
pub struct WorkClue {
    /// Which clue.
    pub clue_id: ClueId,
    /// Which step.
    pub step: ClueStep,
}

impl UseCase for WorkClue {
    const NAME: &'static str = "work_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let clue = work.primary::<Clue>(&self.clue_id).await?;
        work.authorize(self.step.permission(&clue)).await?;
        let line = line_of(work, &clue).await?;
        let about = about(&clue, &line, self.step.policy());
        let (now, at) = (work.now(), work.occurred_at());
        let mut made = None;
        let command = match self.step.clone() {
            ClueStep::LogFollowUp { channel, outcome, duration_seconds, next_at, note } => {
                let id = work.fresh();
                made = Some(("follow_up_id", ToString::to_string(&id)));
                let follow_up = FollowUp { id, channel, outcome, duration_seconds, at, next_at, note };
                Command::LogFollowUp { follow_up, line }
            }
            ClueStep::MoveStage(to) => Command::MoveStage { to, line },
            ClueStep::SetNeed(need) => Command::SetNeed { need },
            ClueStep::SetFields(values) => Command::SetFields { values, line },
            ClueStep::BookViewing { at, car, place } => {
                let viewing_id: ViewingId = work.fresh();
                made = Some(("viewing_id", viewing_id.to_string()));
                Command::BookViewing { viewing_id, at, car, place, now }
            }
            ClueStep::RebookViewing { viewing_id, at } => Command::RebookViewing { viewing_id, at, now },
            ClueStep::CancelViewing(viewing_id) => Command::CancelViewing { viewing_id },
            ClueStep::CompleteViewing(viewing_id) => Command::CompleteViewing { viewing_id },
            ClueStep::RecordNoShow(viewing_id) => Command::RecordNoShow { viewing_id },
            ClueStep::ProposeLoss { reason, note } => {
                Command::ProposeLoss { by: acting_operator(work)?, reason, note, line }
            }
            ClueStep::ApproveLoss => Command::ApproveLoss { by: acting_operator(work)?, line },
            ClueStep::RejectLoss { note } => Command::RejectLoss { by: acting_operator(work)?, note, line },
            ClueStep::Win { amount } => Command::Win { amount, line },
            ClueStep::Invalidate(reason) => Command::Invalidate { reason },
            ClueStep::Reopen => Command::Reopen { line },
        };
        let done = decide(work, self.clue_id, &about, command).await?;
        Ok(match made {
            Some((name, id)) => done.id(name, id),
            None => done,
        })
    }
}

impl ClueStep {
    fn permission<'a>(&self, clue: &'a Clue) -> Permission<'a> {
        match self {
            Self::ApproveLoss | Self::RejectLoss { .. } | Self::Invalidate(_) | Self::Reopen => {
                Permission::Lead(clue)
            }
            _ => Permission::Work(clue),
        }
    }

    const fn policy(&self) -> Option<PolicyKind> {
        match self {
            Self::LogFollowUp { .. } => Some(PolicyKind::FirstResponse),
            Self::ProposeLoss { .. } | Self::ApproveLoss | Self::RejectLoss { .. } => Some(PolicyKind::Loss),
            _ => None,
        }
    }
}
