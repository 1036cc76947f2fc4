//! What can be asked of a clue. Facts that the decision needs were looked up before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::ClueError;
use super::event::{FollowUp, Source};
use super::need::Need;
use crate::business_line::{BusinessLine, FieldValue};
use crate::ids::{CustomerId, OperatorId, TeamId, ViewingId};
use crate::personal::Personal;
use crate::values::{Code, FieldKey, Instant, Label, LineKey, Money, StageKey};

/// What is known of a customer whose clue is to be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerStanding {
    /// A registered customer.
    Registered,
    /// Nobody of that id.
    Unknown,
    /// A person who was erased.
    Erased,
}

/// Whether an operator may be given clues of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssigneeStanding {
    /// Works in the line.
    Active,
    /// Nobody of that id.
    Unknown,
    /// Suspended.
    Suspended,
    /// Works in other lines only.
    OutsideLine,
}

/// An operator who is to have the clue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignee {
    /// Who.
    pub operator_id: OperatorId,
    /// The operator's team in the clue's line.
    pub team_id: Option<TeamId>,
    /// Whether the operator may have it.
    pub standing: AssigneeStanding,
}

/// Commands to a clue.
#[derive(Clone, Debug, PartialEq)]
pub enum ClueCommand {
    /// Take in a new clue.
    Capture {
        /// Whose clue it is.
        customer_id: CustomerId,
        /// What is known of the customer.
        customer: CustomerStanding,
        /// The line's key.
        line_key: LineKey,
        /// The line.
        line: Arc<BusinessLine>,
        /// Where the clue came from.
        source: Source,
        /// The customer's need, when stated.
        need: Option<Need>,
        /// Values of custom fields.
        fields: BTreeMap<FieldKey, FieldValue>,
        /// When it came in.
        at: Instant,
    },
    /// Put it in the pool.
    Pool,
    /// Give it to an operator.
    Assign {
        /// To whom.
        to: Assignee,
        /// When.
        at: Instant,
    },
    /// Take it from the pool.
    Claim {
        /// Who.
        by: Assignee,
        /// The line.
        line: Arc<BusinessLine>,
        /// When.
        at: Instant,
    },
    /// Give it back to the pool.
    Release {
        /// When.
        at: Instant,
        /// Why, in the owner's words.
        note: Option<Personal<String>>,
    },
    /// Give it to another operator.
    Transfer {
        /// To whom.
        to: Assignee,
        /// When.
        at: Instant,
    },
    /// Log a contact with the customer.
    LogFollowUp {
        /// The contact.
        follow_up: FollowUp,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Move it to another stage.
    MoveStage {
        /// Which stage.
        to: StageKey,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Record the customer's need.
    SetNeed {
        /// All that is known of it.
        need: Need,
    },
    /// Set custom fields; nothing clears one.
    SetFields {
        /// The new value of each field.
        values: BTreeMap<FieldKey, Option<FieldValue>>,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Make an appointment to see a car.
    BookViewing {
        /// Its identity.
        viewing_id: ViewingId,
        /// When it is to be.
        at: Instant,
        /// Which car.
        car: Option<Label>,
        /// Where to meet.
        place: Option<Personal<String>>,
        /// The present.
        now: Instant,
    },
    /// Move the appointment.
    RebookViewing {
        /// Which.
        viewing_id: ViewingId,
        /// When it is to be.
        at: Instant,
        /// The present.
        now: Instant,
    },
    /// Call the appointment off.
    CancelViewing {
        /// Which.
        viewing_id: ViewingId,
    },
    /// Record that the customer saw the car.
    CompleteViewing {
        /// Which.
        viewing_id: ViewingId,
    },
    /// Record that the customer did not come.
    RecordNoShow {
        /// Which.
        viewing_id: ViewingId,
    },
    /// Hold it for lost.
    ProposeLoss {
        /// Who proposes.
        by: OperatorId,
        /// Why.
        reason: Code,
        /// Why, in words.
        note: Option<Personal<String>>,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Accept the proposed loss.
    ApproveLoss {
        /// Who decides.
        by: OperatorId,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Do not accept the proposed loss.
    RejectLoss {
        /// Who decides.
        by: OperatorId,
        /// Why, in words.
        note: Option<Personal<String>>,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Record the deal.
    Win {
        /// For how much.
        amount: Option<Money>,
        /// The line.
        line: Arc<BusinessLine>,
    },
    /// Record that it is no real clue.
    Invalidate {
        /// Why.
        reason: Code,
    },
    /// Put a lost or invalid clue in the pool again.
    Reopen {
        /// The line.
        line: Arc<BusinessLine>,
    },
}

impl Assignee {
    /// Whether the operator may have clues of the line.
    pub(super) const fn check(&self) -> Result<(), ClueError> {
        match self.standing {
            AssigneeStanding::Active => Ok(()),
            AssigneeStanding::Unknown => Err(ClueError::OperatorUnknown),
            AssigneeStanding::Suspended => Err(ClueError::OperatorSuspended),
            AssigneeStanding::OutsideLine => Err(ClueError::OperatorOutsideLine),
        }
    }
}
