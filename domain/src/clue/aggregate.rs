//! State of a clue and its decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::capture::{captured, check_field};
use super::command::{Assignee, ClueCommand as Command, CustomerStanding};
use super::error::ClueError as Error;
use super::event::{ClueEvent as Event, FollowUp, Source};
use super::lifecycle::Lifecycle;
use super::need::Need;
use super::viewing::ViewingState;
use crate::aggregate::{Aggregate, delegate_to_cqrs_es};
use crate::business_line::{BusinessLine, FieldDefinition, FieldValue, StageCategory};
use crate::ids::{ClueId, CustomerId, OperatorId, TeamId, ViewingId};
use crate::personal::Personal;
use crate::values::{Code, FieldKey, Instant, LineKey, Money, StageKey};

/// Who works a clue, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Who.
    pub operator_id: OperatorId,
    /// The owner's team.
    pub team_id: Option<TeamId>,
    /// Since when.
    pub since: Instant,
}

/// A loss that waits for a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Proposal {
    by: OperatorId,
    reason: Code,
}

/// What a clue was captured with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    customer_id: CustomerId,
    line: LineKey,
    source: Source,
}

/// A clue as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    lifecycle: Lifecycle,
    origin: Option<Origin>,
    stage: Option<StageKey>,
    owner: Option<Owner>,
    /// Who gave it back to the pool last, and when.
    former_owner: Option<(OperatorId, Instant)>,
    first_response: bool,
    need: Option<Need>,
    /// Whether the need came with a note; the note itself is personal and not kept.
    need_noted: bool,
    fields: BTreeSet<FieldKey>,
    viewings: BTreeMap<ViewingId, ViewingState>,
    proposal: Option<Proposal>,
}

delegate_to_cqrs_es!(Clue, "clue", Command, Event, Error);

impl Aggregate for Clue {
    type Id = ClueId;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        if let Command::Capture { customer_id, customer, line_key, line, source, need, fields, at } = command
        {
            self.capturable(customer, &line)?;
            return captured(customer_id, line_key, &line, source, need, fields, at);
        }
        if self.lifecycle == Lifecycle::Absent {
            return Err(Error::NotFound);
        }
        match command {
            Command::Capture { .. } => Err(Error::AlreadyCaptured),
            Command::Pool => self.pool(),
            Command::Assign { to, at } => self.assign(to, at),
            Command::Claim { by, line, at } => self.claim(by, &line, at),
            Command::Release { at, note } => self.release(at, note),
            Command::Transfer { to, at } => self.transfer(to, at),
            Command::LogFollowUp { follow_up, line } => self.log_follow_up(follow_up, &line),
            Command::MoveStage { to, line } => self.move_stage(to, &line),
            Command::SetNeed { need } => self.set_need(need),
            Command::SetFields { values, line } => self.set_fields(values, &line),
            Command::BookViewing { viewing_id, at, car, place, now } => {
                self.workable()?;
                ahead(at, now)?;
                if self.viewings.contains_key(&viewing_id) {
                    return Err(Error::ViewingExists { viewing: viewing_id });
                }
                Ok(vec![Event::ViewingBooked { viewing_id, at, car, place }])
            }
            Command::RebookViewing { viewing_id, at, now } => self.rebook(viewing_id, at, now),
            Command::CancelViewing { viewing_id } => {
                self.end_viewing(viewing_id, ViewingState::Cancelled, Event::ViewingCancelled { viewing_id })
            }
            Command::CompleteViewing { viewing_id } => {
                self.end_viewing(viewing_id, ViewingState::Completed, Event::ViewingCompleted { viewing_id })
            }
            Command::RecordNoShow { viewing_id } => {
                self.end_viewing(viewing_id, ViewingState::Missed, Event::ViewingNoShowed { viewing_id })
            }
            Command::ProposeLoss { by, reason, note, line } => self.propose_loss(by, reason, note, &line),
            Command::ApproveLoss { by, line } => self.approve_loss(by, &line),
            Command::RejectLoss { by, note, line } => {
                self.loss_decision(by, &line)?;
                Ok(vec![Event::LossRejected { by, note }])
            }
            Command::Win { amount, line } => self.win(amount, &line),
            Command::Invalidate { reason } => self.invalidate(reason),
            Command::Reopen { line } => self.reopen(&line),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Captured { customer_id, line, source, stage, .. } => {
                self.lifecycle = Lifecycle::Captured;
                self.stage = Some(stage.clone());
                self.origin =
                    Some(Origin { customer_id: *customer_id, line: line.clone(), source: source.clone() });
            }
            Event::Pooled {} => self.lifecycle = Lifecycle::Pooled,
            Event::Assigned { operator_id, team_id, at } | Event::Claimed { operator_id, team_id, at } => {
                self.lifecycle = Lifecycle::Owned;
                self.owner = Some(Owner { operator_id: *operator_id, team_id: *team_id, since: *at });
            }
            Event::Transferred { to, team_id, at, .. } => {
                self.owner = Some(Owner { operator_id: *to, team_id: *team_id, since: *at });
            }
            Event::Released { operator_id, at, .. } => {
                self.lifecycle = Lifecycle::Pooled;
                self.owner = None;
                self.former_owner = Some((*operator_id, *at));
            }
            Event::FollowUpLogged { .. } => {}
            Event::FirstResponseRecorded { .. } => self.first_response = true,
            Event::StageMoved { to, .. } => self.stage = Some(to.clone()),
            // Without the note, which is personal: state is kept in memory longer than a command.
            Event::NeedUpdated { need } => {
                self.need_noted = need.note.is_some();
                self.need = Some(Need { note: None, ..need.clone() });
            }
            Event::FieldsSet { values } => {
                for (key, value) in values {
                    if value.is_some() {
                        self.fields.insert(key.clone());
                    } else {
                        self.fields.remove(key);
                    }
                }
            }
            Event::ViewingBooked { viewing_id, at, .. } | Event::ViewingRebooked { viewing_id, at } => {
                self.viewings.insert(*viewing_id, ViewingState::Booked { at: *at });
            }
            Event::ViewingCancelled { viewing_id } => {
                self.viewings.insert(*viewing_id, ViewingState::Cancelled);
            }
            Event::ViewingCompleted { viewing_id } => {
                self.viewings.insert(*viewing_id, ViewingState::Completed);
            }
            Event::ViewingNoShowed { viewing_id } => {
                self.viewings.insert(*viewing_id, ViewingState::Missed);
            }
            Event::LossProposed { by, reason, .. } => {
                self.lifecycle = Lifecycle::LossReview;
                self.proposal = Some(Proposal { by: *by, reason: reason.clone() });
            }
            Event::LossRejected { .. } => {
                self.lifecycle = Lifecycle::Owned;
                self.proposal = None;
            }
            Event::Lost { stage, .. } => self.end(Lifecycle::Lost, Some(stage)),
            Event::Won { stage, .. } => self.end(Lifecycle::Won, Some(stage)),
            Event::Invalidated { .. } => self.end(Lifecycle::Invalid, None),
            Event::Reopened { stage, .. } => {
                self.lifecycle = Lifecycle::Pooled;
                self.stage = Some(stage.clone());
                self.owner = None;
            }
        }
    }
}

impl Clue {
    /// Where it is in its life.
    #[must_use]
    pub const fn lifecycle(&self) -> Lifecycle {
        self.lifecycle
    }

    /// Its business line; `None` before capture.
    #[must_use]
    pub fn line(&self) -> Option<&LineKey> {
        self.origin.as_ref().map(|origin| &origin.line)
    }

    /// Whose clue it is; `None` before capture.
    #[must_use]
    pub fn customer_id(&self) -> Option<CustomerId> {
        self.origin.as_ref().map(|origin| origin.customer_id)
    }

    /// Who works it, or worked it when it ended.
    #[must_use]
    pub const fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// The stage where it stands.
    #[must_use]
    pub const fn stage(&self) -> Option<&StageKey> {
        self.stage.as_ref()
    }

    /// Whether the customer was really reached.
    #[must_use]
    pub const fn has_first_response(&self) -> bool {
        self.first_response
    }

    fn end(&mut self, lifecycle: Lifecycle, stage: Option<&StageKey>) {
        self.lifecycle = lifecycle;
        self.proposal = None;
        if let Some(stage) = stage {
            self.stage = Some(stage.clone());
        }
    }

    fn capturable(&self, customer: CustomerStanding, line: &BusinessLine) -> Result<(), Error> {
        if self.lifecycle != Lifecycle::Absent {
            return Err(Error::AlreadyCaptured);
        }
        match customer {
            CustomerStanding::Registered => {}
            CustomerStanding::Unknown => return Err(Error::CustomerUnknown),
            CustomerStanding::Erased => return Err(Error::CustomerErased),
        }
        if line.takes_clues() { Ok(()) } else { Err(Error::LineClosed) }
    }

    /// The clue has not ended.
    fn live(&self) -> Result<(), Error> {
        if self.lifecycle.has_ended() {
            return Err(Error::Ended { lifecycle: self.lifecycle.as_str() });
        }
        Ok(())
    }

    /// Somebody works the clue, and no loss is under review.
    fn workable(&self) -> Result<Owner, Error> {
        self.live()?;
        match (self.lifecycle, self.owner) {
            (Lifecycle::LossReview, _) => Err(Error::InLossReview),
            (Lifecycle::Owned, Some(owner)) => Ok(owner),
            _ => Err(Error::NotOwned),
        }
    }

    fn pool(&self) -> Result<Vec<Event>, Error> {
        self.live()?;
        match self.lifecycle {
            Lifecycle::Captured => Ok(vec![Event::Pooled {}]),
            Lifecycle::Pooled => Ok(vec![]),
            _ => Err(self.held()),
        }
    }

    fn held(&self) -> Error {
        self.owner.map_or(Error::NotOwned, |owner| Error::AlreadyOwned { owner: owner.operator_id })
    }

    fn assign(&self, to: Assignee, at: Instant) -> Result<Vec<Event>, Error> {
        self.live()?;
        if self.lifecycle == Lifecycle::Owned
            && self.owner.is_some_and(|owner| owner.operator_id == to.operator_id)
        {
            return Ok(vec![]);
        }
        if !matches!(self.lifecycle, Lifecycle::Captured | Lifecycle::Pooled) {
            return Err(self.held());
        }
        to.check()?;
        Ok(vec![Event::Assigned { operator_id: to.operator_id, team_id: to.team_id, at }])
    }

    fn claim(&self, by: Assignee, line: &BusinessLine, at: Instant) -> Result<Vec<Event>, Error> {
        self.live()?;
        by.check()?;
        if self.lifecycle != Lifecycle::Pooled {
            let mine = self.owner.is_some_and(|owner| owner.operator_id == by.operator_id);
            if mine && self.lifecycle == Lifecycle::Owned {
                return Ok(vec![]);
            }
            return Err(Error::NotPooled {
                owner: self.owner.map(|owner| owner.operator_id),
                since: self.owner.map(|owner| owner.since),
            });
        }
        if let Some((former, released)) = self.former_owner {
            let until = released + line.pool().former_owner_cooldown();
            if former == by.operator_id && at < until {
                return Err(Error::Cooldown { until });
            }
        }
        Ok(vec![Event::Claimed { operator_id: by.operator_id, team_id: by.team_id, at }])
    }

    fn release(&self, at: Instant, note: Option<Personal<String>>) -> Result<Vec<Event>, Error> {
        if self.lifecycle == Lifecycle::Pooled {
            return Err(Error::AlreadyPooled);
        }
        let owner = self.workable()?;
        Ok(vec![Event::Released { operator_id: owner.operator_id, at, note }])
    }

    fn transfer(&self, to: Assignee, at: Instant) -> Result<Vec<Event>, Error> {
        let owner = self.workable()?;
        if owner.operator_id == to.operator_id {
            return Ok(vec![]);
        }
        to.check()?;
        Ok(vec![Event::Transferred { from: owner.operator_id, to: to.operator_id, team_id: to.team_id, at }])
    }

    fn log_follow_up(&self, follow_up: FollowUp, line: &BusinessLine) -> Result<Vec<Event>, Error> {
        self.live()?;
        if !matches!(self.lifecycle, Lifecycle::Owned | Lifecycle::LossReview) {
            return Err(Error::NotOwned);
        }
        if follow_up.next_at.is_some_and(|next| next < follow_up.at) {
            return Err(Error::NextFollowUpInPast);
        }
        let first =
            !self.first_response && follow_up.reaches_customer(line.first_response().min_call_seconds);
        let response = Event::FirstResponseRecorded { follow_up_id: follow_up.id, at: follow_up.at };
        let mut events = vec![Event::FollowUpLogged { follow_up }];
        if first {
            events.push(response);
        }
        Ok(events)
    }

    fn move_stage(&self, to: StageKey, line: &BusinessLine) -> Result<Vec<Event>, Error> {
        self.workable()?;
        let from = self.stage.clone().ok_or(Error::NotFound)?;
        if from == to {
            return Ok(vec![]);
        }
        let graph = line.graph();
        let stage = graph.stage(&to).ok_or_else(|| Error::StageUnknown { stage: to.clone() })?;
        if stage.category.is_outcome() {
            return Err(Error::StageIsOutcome { stage: to });
        }
        if !graph.allows(&from, &to) {
            return Err(Error::StageMoveNotAllowed { from, to });
        }
        self.enterable(&to, line)?;
        Ok(vec![Event::StageMoved { from, to, graph_version: line.graph_version() }])
    }

    /// Every field that the stage requires has a value.
    fn enterable(&self, stage: &StageKey, line: &BusinessLine) -> Result<(), Error> {
        let missing =
            |field: &&FieldDefinition| field.required_at.contains(stage) && !self.fields.contains(&field.key);
        match line.fields().find(missing) {
            Some(field) => Err(Error::FieldRequired { field: field.key.clone(), stage: stage.clone() }),
            None => Ok(()),
        }
    }

    fn set_need(&self, need: Need) -> Result<Vec<Event>, Error> {
        self.live()?;
        need.validate().map_err(|reason| Error::Need { reason })?;
        let noted = need.note.is_some() || self.need_noted;
        if !noted && self.need.as_ref() == Some(&need) {
            return Ok(vec![]);
        }
        Ok(vec![Event::NeedUpdated { need }])
    }

    fn set_fields(
        &self,
        mut values: BTreeMap<FieldKey, Option<FieldValue>>,
        line: &BusinessLine,
    ) -> Result<Vec<Event>, Error> {
        self.live()?;
        for (key, value) in &values {
            check_field(key, value.as_ref(), line)?;
        }
        values.retain(|key, value| value.is_some() || self.fields.contains(key));
        if values.is_empty() { Ok(vec![]) } else { Ok(vec![Event::FieldsSet { values }]) }
    }

    fn rebook(&self, viewing: ViewingId, at: Instant, now: Instant) -> Result<Vec<Event>, Error> {
        self.workable()?;
        match self.viewings.get(&viewing) {
            None => Err(Error::ViewingUnknown { viewing }),
            Some(ViewingState::Booked { at: before }) if *before == at => Ok(vec![]),
            Some(ViewingState::Booked { .. }) => {
                ahead(at, now)?;
                Ok(vec![Event::ViewingRebooked { viewing_id: viewing, at }])
            }
            Some(_) => Err(Error::ViewingOver { viewing }),
        }
    }

    fn end_viewing(&self, viewing: ViewingId, end: ViewingState, event: Event) -> Result<Vec<Event>, Error> {
        self.live()?;
        match self.viewings.get(&viewing) {
            None => Err(Error::ViewingUnknown { viewing }),
            Some(ViewingState::Booked { .. }) => Ok(vec![event]),
            Some(state) if *state == end => Ok(vec![]),
            Some(_) => Err(Error::ViewingOver { viewing }),
        }
    }

    fn propose_loss(
        &self,
        by: OperatorId,
        reason: Code,
        note: Option<Personal<String>>,
        line: &BusinessLine,
    ) -> Result<Vec<Event>, Error> {
        self.workable()?;
        let policy = line.loss();
        if !policy.reasons.is_empty() && !policy.reasons.iter().any(|known| known.key == reason) {
            return Err(Error::LossReasonUnknown { reason });
        }
        let stage = outcome(line, StageCategory::Lost)?;
        self.enterable(&stage, line)?;
        if policy.review {
            return Ok(vec![Event::LossProposed { by, reason, note }]);
        }
        Ok(vec![Event::Lost { by, approved_by: None, reason, stage, note }])
    }

    fn loss_decision(&self, by: OperatorId, line: &BusinessLine) -> Result<&Proposal, Error> {
        self.live()?;
        let proposal = self.proposal.as_ref().ok_or(Error::NotInLossReview)?;
        if line.loss().other_approver && proposal.by == by {
            return Err(Error::ApproverIsProposer);
        }
        Ok(proposal)
    }

    fn approve_loss(&self, by: OperatorId, line: &BusinessLine) -> Result<Vec<Event>, Error> {
        let proposal = self.loss_decision(by, line)?;
        Ok(vec![Event::Lost {
            by: proposal.by,
            approved_by: Some(by),
            reason: proposal.reason.clone(),
            stage: outcome(line, StageCategory::Lost)?,
            note: None,
        }])
    }

    fn win(&self, amount: Option<Money>, line: &BusinessLine) -> Result<Vec<Event>, Error> {
        if self.lifecycle != Lifecycle::Captured {
            self.workable()?;
        }
        if amount.is_some_and(|amount| amount.minor < 0 || Some(amount.currency) != line.currency()) {
            return Err(Error::Amount);
        }
        let stage = outcome(line, StageCategory::Won)?;
        self.enterable(&stage, line)?;
        Ok(vec![Event::Won { stage, amount }])
    }

    fn invalidate(&self, reason: Code) -> Result<Vec<Event>, Error> {
        match self.lifecycle {
            Lifecycle::Captured | Lifecycle::Pooled | Lifecycle::Owned => {
                Ok(vec![Event::Invalidated { reason }])
            }
            Lifecycle::Invalid => Ok(vec![]),
            Lifecycle::LossReview => Err(Error::InLossReview),
            ended => Err(Error::Ended { lifecycle: ended.as_str() }),
        }
    }

    fn reopen(&self, line: &BusinessLine) -> Result<Vec<Event>, Error> {
        if !matches!(self.lifecycle, Lifecycle::Lost | Lifecycle::Invalid) {
            return Err(Error::NotReopenable);
        }
        let stage = line.graph().initial().ok_or(Error::LineClosed)?.key.clone();
        Ok(vec![Event::Reopened { stage, graph_version: line.graph_version() }])
    }
}

fn outcome(line: &BusinessLine, category: StageCategory) -> Result<StageKey, Error> {
    line.graph().outcome(category).map(|stage| stage.key.clone()).ok_or(Error::LineClosed)
}

fn ahead(at: Instant, now: Instant) -> Result<(), Error> {
    if at > now { Ok(()) } else { Err(Error::ViewingInPast) }
}
