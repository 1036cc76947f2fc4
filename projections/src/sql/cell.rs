//! Rust types as column values.

use std::str::FromStr;

use domain::envelope::{Actor, Position};
use domain::ids::{
    ClueId, CommandId, ContactPointId, CorrelationId, CustomerId, EventId, FollowUpId, OperatorId, SubjectId,
    TeamId, ViewingId,
};
use domain::values::{Code, Currency, FieldKey, Instant, Label, LineKey, SourceKey, StageKey};

use super::value::{Kind, Stored, Value};

/// A type that a column can hold.
pub trait Cell: Sized {
    /// The kind of column that holds it.
    const KIND: Kind;

    /// As a value.
    fn to_value(&self) -> Value;

    /// From what a row holds; `None` when it is not one of this type.
    fn from_stored(stored: Stored<'_>) -> Option<Self>;
}

impl Cell for i64 {
    const KIND: Kind = Kind::Int;

    fn to_value(&self) -> Value {
        Value::Int(*self)
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        if let Stored::Int(value) = stored { Some(value) } else { None }
    }
}

impl Cell for bool {
    const KIND: Kind = Kind::Int;

    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        i64::from_stored(stored).map(|value| value != 0)
    }
}

impl Cell for u32 {
    const KIND: Kind = Kind::Int;

    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        i64::from_stored(stored).and_then(|value| value.try_into().ok())
    }
}

impl Cell for f64 {
    const KIND: Kind = Kind::Float;

    fn to_value(&self) -> Value {
        Value::Float(*self)
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        if let Stored::Float(value) = stored { Some(value) } else { None }
    }
}

impl Cell for String {
    const KIND: Kind = Kind::Text;

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        if let Stored::Text(text) = stored { Some(text.to_owned()) } else { None }
    }
}

impl<C: Cell> Cell for Option<C> {
    const KIND: Kind = C::KIND;

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Cell::to_value)
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        if matches!(stored, Stored::Null) { Some(None) } else { C::from_stored(stored).map(Some) }
    }
}

impl Cell for Instant {
    const KIND: Kind = Kind::Int;

    fn to_value(&self) -> Value {
        Value::Int(self.micros())
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        i64::from_stored(stored).map(Self::from_micros)
    }
}

impl Cell for Position {
    const KIND: Kind = Kind::Int;

    fn to_value(&self) -> Value {
        Value::Int(self.get())
    }

    fn from_stored(stored: Stored<'_>) -> Option<Self> {
        i64::from_stored(stored).map(Self::new)
    }
}

/// Types that are stored as their text.
macro_rules! text_cells {
    ($($name:ty),+ $(,)?) => {$(
        impl Cell for $name {
            const KIND: Kind = Kind::Text;

            fn to_value(&self) -> Value {
                Value::Text(self.to_string())
            }

            fn from_stored(stored: Stored<'_>) -> Option<Self> {
                if let Stored::Text(text) = stored { Self::from_str(text).ok() } else { None }
            }
        }
    )+};
}

text_cells!(
    ClueId,
    CustomerId,
    ContactPointId,
    OperatorId,
    TeamId,
    FollowUpId,
    ViewingId,
    EventId,
    CommandId,
    CorrelationId,
    SubjectId,
    LineKey,
    StageKey,
    FieldKey,
    Code,
    SourceKey,
    Label,
    Currency,
    Actor,
    crate::history::ValueKind,
);

/// Declares how closed enums are stored: one stable word a variant.
macro_rules! word_cells {
    ($($name:ty { $($variant:path => $word:literal),+ $(,)? })+) => {$(
        impl $crate::sql::Cell for $name {
            const KIND: $crate::sql::Kind = $crate::sql::Kind::Text;

            fn to_value(&self) -> $crate::sql::Value {
                $crate::sql::Value::Text(match self { $($variant => $word),+ }.to_owned())
            }

            fn from_stored(stored: $crate::sql::Stored<'_>) -> Option<Self> {
                let $crate::sql::Stored::Text(word) = stored else { return None };
                match word {
                    $($word => Some($variant),)+
                    _ => None,
                }
            }
        }
    )+};
}

word_cells! {
    domain::clue::Lifecycle {
        domain::clue::Lifecycle::Absent => "absent",
        domain::clue::Lifecycle::Captured => "captured",
        domain::clue::Lifecycle::Pooled => "pooled",
        domain::clue::Lifecycle::Owned => "owned",
        domain::clue::Lifecycle::LossReview => "loss_review",
        domain::clue::Lifecycle::Won => "won",
        domain::clue::Lifecycle::Lost => "lost",
        domain::clue::Lifecycle::Invalid => "invalid",
    }
    domain::business_line::StageCategory {
        domain::business_line::StageCategory::Open => "open",
        domain::business_line::StageCategory::Ongoing => "ongoing",
        domain::business_line::StageCategory::Hold => "hold",
        domain::business_line::StageCategory::Won => "won",
        domain::business_line::StageCategory::Lost => "lost",
    }
    domain::values::ContactKind {
        domain::values::ContactKind::Phone => "phone",
        domain::values::ContactKind::Email => "email",
        domain::values::ContactKind::Wechat => "wechat",
    }
    domain::operator::Role {
        domain::operator::Role::Agent => "agent",
        domain::operator::Role::TeamLead => "team_lead",
        domain::operator::Role::Manager => "manager",
        domain::operator::Role::ServiceRep => "service_rep",
        domain::operator::Role::CallSupervisor => "call_supervisor",
        domain::operator::Role::Bi => "bi",
        domain::operator::Role::Auditor => "auditor",
        domain::operator::Role::Admin => "admin",
    }
    domain::business_line::FieldKind {
        domain::business_line::FieldKind::Text => "text",
        domain::business_line::FieldKind::Choice => "choice",
        domain::business_line::FieldKind::Number => "number",
        domain::business_line::FieldKind::Flag => "flag",
        domain::business_line::FieldKind::Date => "date",
        domain::business_line::FieldKind::Instant => "instant",
        domain::business_line::FieldKind::Money => "money",
    }
    domain::business_line::Signal {
        domain::business_line::Signal::ClueCaptured => "clue_captured",
        domain::business_line::Signal::ContactMade => "contact_made",
        domain::business_line::Signal::NeedStated => "need_stated",
        domain::business_line::Signal::ViewingBooked => "viewing_booked",
        domain::business_line::Signal::ViewingCompleted => "viewing_completed",
        domain::business_line::Signal::ViewingMissed => "viewing_missed",
        domain::business_line::Signal::DealWon => "deal_won",
        domain::business_line::Signal::DealLost => "deal_lost",
    }
    domain::clue::FollowUpChannel {
        domain::clue::FollowUpChannel::Call => "call",
        domain::clue::FollowUpChannel::Message => "message",
        domain::clue::FollowUpChannel::Email => "email",
        domain::clue::FollowUpChannel::Visit => "visit",
    }
    domain::clue::FollowUpOutcome {
        domain::clue::FollowUpOutcome::Connected => "connected",
        domain::clue::FollowUpOutcome::Replied => "replied",
        domain::clue::FollowUpOutcome::Sent => "sent",
        domain::clue::FollowUpOutcome::NoAnswer => "no_answer",
        domain::clue::FollowUpOutcome::Declined => "declined",
        domain::clue::FollowUpOutcome::WrongNumber => "wrong_number",
    }
    domain::clue::Intent {
        domain::clue::Intent::Buy => "buy",
        domain::clue::Intent::Sell => "sell",
        domain::clue::Intent::Exchange => "exchange",
        domain::clue::Intent::Other => "other",
    }
    domain::customer::StarBasis {
        domain::customer::StarBasis::Person => "person",
        domain::customer::StarBasis::Score => "score",
    }
}
