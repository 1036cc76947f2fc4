//! Scalars, and domain values as scalars.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, ID, InputType, InputValueError, InputValueResult, OutputType, Positioned, Scalar,
    ScalarType, ServerResult, Value,
};

/// Place of an event in the log. Mutations return it, queries wait for it, subscriptions resume
/// behind it. A string of decimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(pub domain::Position);

/// Place of an event in the log. Mutations return it, queries wait for it, subscriptions resume
/// behind it. A string of decimal digits.
#[Scalar(name = "Position")]
impl ScalarType for Position {
    fn parse(value: Value) -> InputValueResult<Self> {
        digits(&value).and_then(|text| text.parse().ok()).map(Self).ok_or_else(|| {
            InputValueError::custom("a position is a string of decimal digits, such as \"42\"")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A whole number that may exceed 32 bits. A string of decimal digits, with a minus sign below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long(pub i64);

/// A whole number that may exceed 32 bits. A string of decimal digits, with a minus sign below zero.
#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::String(text) => text.strip_prefix('-').unwrap_or(text),
            _ => "",
        };
        let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = match &value {
            Value::String(text) if plain => text.parse().ok(),
            _ => None,
        };
        parsed.map(Self).ok_or_else(|| {
            InputValueError::custom("a long is a string of decimal digits within 64 bits, such as \"42\"")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An amount: the number of minor units (fen, cents), a space, and the ISO 4217 currency. For
/// example `"12800000 CNY"` is 128,000 yuan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money(pub domain::values::Money);

/// An amount: the number of minor units (fen, cents), a space, and the ISO 4217 currency. For
/// example `"12800000 CNY"` is 128,000 yuan.
#[Scalar(name = "Money")]
impl ScalarType for Money {
    fn parse(value: Value) -> InputValueResult<Self> {
        let parsed = match &value {
            Value::String(text) => text.split_once(' ').and_then(|(minor, currency)| {
                let Long(minor) = <Long as ScalarType>::parse(Value::String(minor.to_owned())).ok()?;
                Some(domain::values::Money { minor, currency: currency.parse().ok()? })
            }),
            _ => None,
        };
        parsed.map(Self).ok_or_else(|| {
            InputValueError::custom("an amount is minor units and a currency, such as \"12800000 CNY\"")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(format!("{} {}", self.0.minor, self.0.currency))
    }
}

/// A point in time: RFC 3339, read with any offset, written in UTC with microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub domain::Instant);

/// A point in time: RFC 3339, read with any offset, written in UTC with microseconds.
#[Scalar(name = "Instant")]
impl ScalarType for Instant {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => Ok(Self(text.parse()?)),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A UUID, hyphenated. As a `commandId` it is of version 7 and new for every intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid(pub uuid::Uuid);

/// A UUID, hyphenated. As a `commandId` it is of version 7 and new for every intent.
#[Scalar(name = "UUID")]
impl ScalarType for Uuid {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) if text.len() == 36 => {
                uuid::Uuid::parse_str(text).map(Self).map_err(|_| InputValueError::custom("not a UUID"))
            }
            _ => Err(InputValueError::custom("not a UUID")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A decimal number, exactly as it was given. A string such as `"12.50"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(pub String);

/// A decimal number, exactly as it was given. A string such as `"12.50"`.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = |text: &str| text.parse::<rust_decimal::Decimal>().is_ok();
        match value {
            Value::String(text) if number(&text) => Ok(Self(text)),
            _ => Err(InputValueError::custom("a decimal is a string such as \"12.50\"")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A calendar day without a time, `YYYY-MM-DD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Date(pub String);

/// A calendar day without a time, `YYYY-MM-DD`.
#[Scalar(name = "Date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => {
                text.parse::<domain::values::LocalDate>()?;
                Ok(Self(text))
            }
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

fn digits(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => Some(text),
        _ => None,
    }
}

/// Declares a wrapper by which domain values travel as a scalar that GraphQL has.
macro_rules! as_builtin {
    ($(#[$meta:meta])* $name:ident, $builtin:ty) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<T>(pub T);

        impl<T> From<T> for $name<T> {
            fn from(value: T) -> Self {
                Self(value)
            }
        }

        impl<T: FromStr<Err: Display> + Display + Send + Sync> InputType for $name<T> {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                <$builtin as InputType>::type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <$builtin as InputType>::create_type_info(registry)
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                match value.unwrap_or_default() {
                    Value::String(text) => text.parse().map(Self).map_err(InputValueError::custom),
                    other => Err(InputValueError::expected_type(other)),
                }
            }

            fn to_value(&self) -> Value {
                Value::String(self.0.to_string())
            }

            fn as_raw_value(&self) -> Option<&Self::RawValueType> {
                Some(self)
            }
        }

        impl<T: Display + Send + Sync> OutputType for $name<T> {
            fn type_name() -> Cow<'static, str> {
                <$builtin as InputType>::type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <$builtin as OutputType>::create_type_info(registry)
            }

            async fn resolve(
                &self,
                _: &ContextSelectionSet<'_>,
                _: &Positioned<Field>,
            ) -> ServerResult<Value> {
                Ok(Value::String(self.0.to_string()))
            }
        }
    };
}

as_builtin! {
    /// An id of the domain as GraphQL's `ID`: one newtype for each kind in code, one scalar outside.
    Id, ID
}

as_builtin! {
    /// A key, code or label of the domain as GraphQL's `String`, checked when it comes in.
    Text, String
}

#[cfg(test)]
mod tests {
    use domain::ids::ClueId;
    use domain::values::LineKey;

    use super::*;

    fn text(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn large_numbers_pass_as_strings_and_as_nothing_else() {
        let position = Position(domain::Position::new(i64::MAX));
        assert_eq!(<Position as ScalarType>::parse(ScalarType::to_value(&position)).unwrap(), position);
        for bad in [text(""), text("-1"), text("+1"), text(" 1"), text("9223372036854775808"), Value::from(1)]
        {
            assert!(<Position as ScalarType>::parse(bad.clone()).is_err(), "{bad}");
        }
        for good in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(<Long as ScalarType>::parse(ScalarType::to_value(&Long(good))).unwrap(), Long(good));
        }
        for bad in [text("-"), text("1.0"), text("+1"), Value::from(1)] {
            assert!(<Long as ScalarType>::parse(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn money_is_minor_units_and_a_currency() {
        let money = <Money as ScalarType>::parse(text("12800000 CNY")).unwrap();
        assert_eq!(money.0.minor, 12_800_000);
        assert_eq!(ScalarType::to_value(&money), text("12800000 CNY"));
        for bad in ["12800000", "128,000 CNY", "1 cny", " 1 CNY", "1.5 CNY", "1  CNY"] {
            assert!(<Money as ScalarType>::parse(text(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn instants_take_any_offset_and_are_written_in_utc() {
        let instant = <Instant as ScalarType>::parse(text("2026-05-03T10:00:00+08:00")).unwrap();
        assert_eq!(ScalarType::to_value(&instant), text("2026-05-03T02:00:00.000000Z"));
        assert!(<Instant as ScalarType>::parse(text("yesterday")).is_err());
    }

    #[test]
    fn ids_and_keys_are_checked_when_they_come_in() {
        let id = "01890000-0000-7000-8000-000000000001";
        let parsed = <Id<ClueId> as InputType>::parse(Some(text(id))).unwrap();
        assert_eq!(InputType::to_value(&parsed), text(id));
        assert!(<Id<ClueId> as InputType>::parse(Some(text("1"))).is_err());
        assert!(<Id<ClueId> as InputType>::parse(None).is_err());
        assert!(<Text<LineKey> as InputType>::parse(Some(text("used-car-sales"))).is_ok());
        assert!(<Text<LineKey> as InputType>::parse(Some(text("Used Cars"))).is_err());
        assert_eq!(<Id<ClueId> as InputType>::type_name(), "ID");
        assert_eq!(<Text<LineKey> as OutputType>::type_name(), "String");
    }
}
