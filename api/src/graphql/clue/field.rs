//! Values of custom fields: one union out, one oneof in, so that no line changes the schema.

use async_graphql::{OneofObject, SimpleObject, Union};
use domain::business_line::FieldValue as DomainValue;
use domain::personal::Personal;
use domain::values::FieldKey;
use projections::clue_list::{FieldItem, FieldShown};

use crate::graphql::error::ApiError;
use crate::graphql::personal::PersonalText;
use crate::graphql::scalars::{Date, Decimal, Instant, Money, Text};

/// The value of a custom field of a clue.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "FieldEntry")]
pub struct FieldEntryNode {
    /// Which field.
    pub key: Text<FieldKey>,
    /// Its value.
    pub value: FieldValue,
}

/// The value of a custom field, by kind.
#[derive(Clone, Debug, Union)]
pub enum FieldValue {
    /// Free text.
    Text(TextValue),
    /// One option.
    Choice(ChoiceValue),
    /// A decimal number.
    Number(NumberValue),
    /// Yes or no.
    Flag(FlagValue),
    /// A calendar day.
    Date(DateValue),
    /// A point in time.
    Instant(InstantValue),
    /// An amount.
    Money(MoneyValue),
}

/// Declares the members of the union.
macro_rules! values {
    ($($(#[$meta:meta])* $name:ident { $(#[$fmeta:meta])* $field:ident: $ty:ty })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $name {
            $(#[$fmeta])*
            pub $field: $ty,
        }
    )+};
}

values! {
    /// Free text, which may be personal.
    TextValue {
        /// The text, as far as the caller may see it.
        text: PersonalText
    }
    /// One option of a list.
    ChoiceValue {
        /// The key of the option.
        option: String
    }
    /// A decimal number.
    NumberValue {
        /// The number as it was given.
        number: Decimal
    }
    /// Yes or no.
    FlagValue {
        /// Which of them.
        flag: bool
    }
    /// A calendar day.
    DateValue {
        /// The day.
        date: Date
    }
    /// A point in time.
    InstantValue {
        /// When.
        instant: Instant
    }
    /// An amount in a currency.
    MoneyValue {
        /// How much.
        money: Money
    }
}

impl TryFrom<FieldItem> for FieldEntryNode {
    type Error = ApiError;

    fn try_from(item: FieldItem) -> Result<Self, ApiError> {
        let value = match item.value {
            FieldShown::Text(text) => FieldValue::Text(TextValue { text: text.into() }),
            FieldShown::Choice(option) => FieldValue::Choice(ChoiceValue { option }),
            FieldShown::Number(number) => FieldValue::Number(NumberValue { number: Decimal(number) }),
            FieldShown::Flag(flag) => FieldValue::Flag(FlagValue { flag }),
            FieldShown::Date(date) => FieldValue::Date(DateValue { date: Date(date) }),
            FieldShown::Instant(at) => FieldValue::Instant(InstantValue { instant: Instant(at) }),
            FieldShown::Money(minor, currency) => {
                let currency = currency.parse().map_err(|error| ApiError::internal(&error))?;
                let money = Money(domain::values::Money { minor, currency });
                FieldValue::Money(MoneyValue { money })
            }
        };
        Ok(Self { key: Text(item.field), value })
    }
}

/// The value of a custom field; exactly one of these.
#[derive(Clone, Debug, OneofObject)]
pub enum FieldValueInput {
    /// Free text.
    Text(String),
    /// The key of an option.
    Choice(String),
    /// A decimal number.
    Number(Decimal),
    /// Yes or no.
    Flag(bool),
    /// A calendar day.
    Date(Date),
    /// A point in time.
    Instant(Instant),
    /// An amount.
    Money(Money),
}

/// A custom field and its value.
#[derive(Clone, Debug, async_graphql::InputObject)]
pub struct FieldInput {
    /// Which field.
    pub key: Text<FieldKey>,
    /// Its value; null clears the field, where a clue has one.
    pub value: Option<FieldValueInput>,
}

impl TryFrom<FieldValueInput> for DomainValue {
    type Error = ApiError;

    fn try_from(input: FieldValueInput) -> Result<Self, ApiError> {
        let bad = |error: &dyn std::fmt::Display| ApiError::bad_input(error.to_string());
        Ok(match input {
            FieldValueInput::Text(text) => Self::Text(Personal::Clear(text)),
            FieldValueInput::Choice(option) => Self::Choice(option.parse().map_err(|error| bad(&error))?),
            FieldValueInput::Number(number) => Self::Number(number.0.parse().map_err(|error| bad(&error))?),
            FieldValueInput::Flag(flag) => Self::Flag(flag),
            FieldValueInput::Date(date) => Self::Date(date.0.parse().map_err(|error| bad(&error))?),
            FieldValueInput::Instant(instant) => Self::Instant(instant.0),
            FieldValueInput::Money(money) => Self::Money(money.0),
        })
    }
}

/// Values by field; a field that is there twice is refused.
pub(super) fn values<T>(
    inputs: Vec<FieldInput>,
    read: impl Fn(Option<DomainValue>) -> Result<T, ApiError>,
) -> Result<std::collections::BTreeMap<FieldKey, T>, ApiError> {
    let mut values = std::collections::BTreeMap::new();
    for input in inputs {
        let value = read(input.value.map(DomainValue::try_from).transpose()?)?;
        if values.insert(input.key.0.clone(), value).is_some() {
            return Err(ApiError::bad_input(format!("field {} is there twice", input.key.0)));
        }
    }
    Ok(values)
}
