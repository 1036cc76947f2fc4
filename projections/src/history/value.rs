//! Values of the past: as events state them, as rows hold them, as viewers see them.

use std::fmt;
use std::str::FromStr;

use domain::business_line::FieldValue;
use domain::envelope::Position;
use domain::ids::CustomerId;
use domain::personal::Personal;
use domain::values::{ContactKind, Instant, Money};
use rust_decimal::prelude::ToPrimitive as _;

use super::era::LASTS;
use super::rows::PastValueRow;
use crate::clue_list::FieldShown;
use crate::read::{Shown, Sight, mask_contact, mask_name};

/// What kind of value it is; the personal ones say how they are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Free text, personal.
    Text,
    /// A name, personal.
    Name,
    /// A phone number, personal.
    Phone,
    /// An e-mail address, personal.
    Email,
    /// A WeChat account, personal.
    Wechat,
    /// A word, a code or an id.
    Word,
    /// The key of an option.
    Choice,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A day.
    Date,
    /// A point in time.
    Instant,
    /// An amount.
    Money,
}

/// A value as an event states it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stated {
    /// A personal one; `None` once it is redacted.
    Personal(ValueKind, Option<String>),
    Word(String),
    Choice(String),
    Number(String),
    Flag(bool),
    Date(String),
    Instant(Instant),
    Money(Money),
}

/// What an event makes of values; `None` ends one.
pub(super) type Stating = Vec<(String, Option<Stated>)>;

/// A value as a viewer may see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// What names or describes a person.
    Personal(Shown),
    /// A word, a code or an id.
    Word(String),
    /// The key of an option.
    Choice(String),
    /// A decimal number.
    Number(String),
    /// Yes or no.
    Flag(bool),
    /// A day, `YYYY-MM-DD`.
    Date(String),
    /// A point in time.
    Instant(Instant),
    /// An amount: minor units and currency.
    Money(i64, String),
}

impl Stated {
    pub fn word(word: impl ToString) -> Self {
        Self::Word(word.to_string())
    }

    pub fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    pub fn personal(kind: ValueKind, value: &Personal<String>) -> Self {
        Self::Personal(kind, value.clear().cloned())
    }

    pub fn text(value: &Personal<String>) -> Self {
        Self::personal(ValueKind::Text, value)
    }

    /// Whether a row holds this already. Personal values are never compared: after an erasure nobody
    /// could, and a replay must come to the same rows.
    pub fn is(&self, row: &PastValueRow) -> bool {
        let this = self.row("", "", Position::ZERO, row.customer_id);
        let facts = |row: &PastValueRow| (row.kind, row.text.clone(), row.whole);
        !matches!(self, Self::Personal(..)) && facts(&this) == facts(row)
    }

    /// The row of the value from a position on.
    pub fn row(&self, subject: &str, field: &str, at: Position, customer_id: CustomerId) -> PastValueRow {
        let mut row = PastValueRow {
            subject_id: subject.to_owned(),
            field: field.to_owned(),
            position: at,
            until_position: LASTS,
            customer_id,
            kind: ValueKind::Word,
            custom: field.starts_with(super::clue::FIELDS),
            text: None,
            number: None,
            whole: None,
            personal: None,
            redacted: false,
        };
        match self {
            Self::Personal(kind, value) => {
                row.kind = *kind;
                row.personal.clone_from(value);
                row.redacted = value.is_none();
            }
            Self::Word(word) => row.text = Some(word.clone()),
            Self::Choice(option) => {
                row.kind = ValueKind::Choice;
                row.text = Some(option.clone());
            }
            Self::Number(number) => {
                row.kind = ValueKind::Number;
                row.number = number.parse::<rust_decimal::Decimal>().ok().and_then(|n| n.to_f64());
                row.text = Some(number.clone());
            }
            Self::Flag(flag) => {
                row.kind = ValueKind::Flag;
                row.whole = Some(i64::from(*flag));
            }
            Self::Date(date) => {
                row.kind = ValueKind::Date;
                row.text = Some(date.clone());
            }
            Self::Instant(at) => {
                row.kind = ValueKind::Instant;
                row.whole = Some(at.micros());
            }
            Self::Money(money) => {
                row.kind = ValueKind::Money;
                row.whole = Some(money.minor);
                row.text = Some(money.currency.to_string());
            }
        }
        row
    }
}

impl From<&FieldValue> for Stated {
    fn from(value: &FieldValue) -> Self {
        match value {
            FieldValue::Text(text) => Self::text(text),
            FieldValue::Choice(option) => Self::Choice(option.to_string()),
            FieldValue::Number(number) => Self::number(number),
            FieldValue::Flag(flag) => Self::Flag(*flag),
            FieldValue::Date(date) => Self::Date(date.to_string()),
            FieldValue::Instant(at) => Self::Instant(*at),
            FieldValue::Money(money) => Self::Money(*money),
        }
    }
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that is no kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidKind;

impl FromStr for ValueKind {
    type Err = InvalidKind;

    fn from_str(word: &str) -> Result<Self, InvalidKind> {
        Self::ALL.into_iter().find(|kind| kind.word() == word).ok_or(InvalidKind)
    }
}

impl From<ContactKind> for ValueKind {
    fn from(kind: ContactKind) -> Self {
        match kind {
            ContactKind::Phone => Self::Phone,
            ContactKind::Email => Self::Email,
            ContactKind::Wechat => Self::Wechat,
        }
    }
}

impl ValueKind {
    const ALL: [Self; 12] = [
        Self::Text,
        Self::Name,
        Self::Phone,
        Self::Email,
        Self::Wechat,
        Self::Word,
        Self::Choice,
        Self::Number,
        Self::Flag,
        Self::Date,
        Self::Instant,
        Self::Money,
    ];

    /// As rows have it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Name => "name",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Wechat => "wechat",
            Self::Word => "word",
            Self::Choice => "choice",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::Date => "date",
            Self::Instant => "instant",
            Self::Money => "money",
        }
    }

    /// The kinds of values that name or describe a person.
    pub(super) const PERSONAL: [Self; 5] = [Self::Text, Self::Name, Self::Phone, Self::Email, Self::Wechat];

    /// Whether such values name or describe a person.
    pub(super) fn is_personal(self) -> bool {
        Self::PERSONAL.contains(&self)
    }
}

impl PastValueRow {
    /// The personal value, as far as it may be seen. Of a person who was erased since nothing shows, even
    /// while the past still waits for the erasure.
    pub(super) fn shown(&self, sight: Sight, erased: bool) -> Shown {
        if erased {
            return Shown::Redacted;
        }
        let value = self.personal.clone();
        let contact = |kind| move |value: &str| mask_contact(kind, value);
        match self.kind {
            ValueKind::Name => Shown::new(value, sight, mask_name),
            ValueKind::Phone => Shown::new(value, sight, contact(ContactKind::Phone)),
            ValueKind::Email => Shown::new(value, sight, contact(ContactKind::Email)),
            ValueKind::Wechat => Shown::new(value, sight, contact(ContactKind::Wechat)),
            _ => Shown::whole(value, sight),
        }
    }

    pub(super) fn seen(&self, sight: Sight, erased: bool) -> Seen {
        let text = || self.text.clone().unwrap_or_default();
        let whole = self.whole.unwrap_or_default();
        match self.kind {
            kind if kind.is_personal() => Seen::Personal(self.shown(sight, erased)),
            ValueKind::Choice => Seen::Choice(text()),
            ValueKind::Number => Seen::Number(text()),
            ValueKind::Flag => Seen::Flag(whole != 0),
            ValueKind::Date => Seen::Date(text()),
            ValueKind::Instant => Seen::Instant(Instant::from_micros(whole)),
            ValueKind::Money => Seen::Money(whole, text()),
            _ => Seen::Word(text()),
        }
    }

    /// The value of a custom field.
    pub(super) fn field(&self, sight: Sight, erased: bool) -> FieldShown {
        match self.seen(sight, erased) {
            Seen::Personal(shown) => FieldShown::Text(shown),
            Seen::Word(option) | Seen::Choice(option) => FieldShown::Choice(option),
            Seen::Number(number) => FieldShown::Number(number),
            Seen::Flag(flag) => FieldShown::Flag(flag),
            Seen::Date(date) => FieldShown::Date(date),
            Seen::Instant(at) => FieldShown::Instant(at),
            Seen::Money(minor, currency) => FieldShown::Money(minor, currency),
        }
    }
}
