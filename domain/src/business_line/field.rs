//! Custom fields of a business line: typed, validated, known by a key that never changes.

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::personal::Personal;
use crate::values::{FieldKey, Instant, Label, LocalDate, Money, OptionKey, StageKey};

/// Longest text in a text field, in characters.
const MAX_TEXT: usize = 4_000;

/// What values a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Free text; may name a person, so it is sealed.
    Text,
    /// One option of a list.
    Choice,
    /// A decimal number.
    Number,
    /// Yes or no.
    Flag,
    /// A calendar day.
    Date,
    /// A point in time.
    Instant,
    /// An amount in a currency.
    Money,
}

/// An option of a choice field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldOption {
    /// Its identity within the field.
    pub key: OptionKey,
    /// What people call it.
    pub label: Label,
    /// Whether clues may still take it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// A custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldDefinition {
    /// Its identity within the line.
    pub key: FieldKey,
    /// What people call it.
    pub label: Label,
    /// What values it takes.
    pub kind: FieldKind,
    /// The options of a choice field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<FieldOption>,
    /// Smallest number that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_decimal")]
    pub min: Option<Decimal>,
    /// Largest number that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_decimal")]
    pub max: Option<Decimal>,
    /// Stages that a clue enters only with a value in this field. Capture and reopening, which enter
    /// the first stage, demand nothing: a clue is never turned away for what nobody asked yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_at: Vec<StageKey>,
}

/// A value of a custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// Free text.
    Text(Personal<String>),
    /// One option.
    Choice(OptionKey),
    /// A decimal number.
    Number(#[schemars(schema_with = "decimal")] Decimal),
    /// Yes or no.
    Flag(bool),
    /// A calendar day.
    Date(LocalDate),
    /// A point in time.
    Instant(Instant),
    /// An amount.
    Money(Money),
}

/// Why a field does not take a value; never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldValueError {
    /// It is of another kind.
    #[error("takes a {expected:?}, not a {found:?}")]
    Kind {
        /// What the field takes.
        expected: FieldKind,
        /// What came.
        found: FieldKind,
    },
    /// No such option, or a retired one.
    #[error("has no option of that key")]
    Option,
    /// Beyond the field's bounds.
    #[error("takes numbers from {} to {}", bound(.min), bound(.max))]
    Range {
        /// Smallest number that it takes.
        min: Option<Decimal>,
        /// Largest number that it takes.
        max: Option<Decimal>,
    },
    /// Too long, or empty.
    #[error("takes 1 to 4000 characters")]
    Length,
}

/// Decimals are JSON text, never JSON numbers, which many readers turn into floats.
fn decimal(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "decimal", "pattern": r"^-?\d+(\.\d+)?$" })
}

fn optional_decimal(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [decimal(generator), { "type": "null" }] })
}

fn bound(bound: &Option<Decimal>) -> String {
    bound.map_or_else(|| "any".to_owned(), |bound| bound.to_string())
}

impl FieldKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Text, Self::Choice, Self::Number, Self::Flag, Self::Date, Self::Instant, Self::Money];

    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Choice => "choice",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::Date => "date",
            Self::Instant => "instant",
            Self::Money => "money",
        }
    }
}

impl FieldValue {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FieldKind {
        match self {
            Self::Text(_) => FieldKind::Text,
            Self::Choice(_) => FieldKind::Choice,
            Self::Number(_) => FieldKind::Number,
            Self::Flag(_) => FieldKind::Flag,
            Self::Date(_) => FieldKind::Date,
            Self::Instant(_) => FieldKind::Instant,
            Self::Money(_) => FieldKind::Money,
        }
    }
}

impl FieldDefinition {
    /// Checks a value against the definition.
    ///
    /// # Errors
    /// Says why the field does not take the value.
    pub fn check(&self, value: &FieldValue) -> Result<(), FieldValueError> {
        if value.kind() != self.kind {
            return Err(FieldValueError::Kind { expected: self.kind, found: value.kind() });
        }
        match value {
            FieldValue::Text(Personal::Clear(text))
                if text.trim().is_empty() || text.chars().count() > MAX_TEXT =>
            {
                Err(FieldValueError::Length)
            }
            FieldValue::Choice(key) => {
                let known = self.options.iter().any(|option| option.key == *key && !option.retired);
                known.then_some(()).ok_or(FieldValueError::Option)
            }
            FieldValue::Number(number) => {
                let fits =
                    self.min.is_none_or(|min| *number >= min) && self.max.is_none_or(|max| *number <= max);
                let range = FieldValueError::Range { min: self.min, max: self.max };
                fits.then_some(()).ok_or(range)
            }
            _ => Ok(()),
        }
    }
}
