//! Phone numbers in E.164, one form for every way in which people write them.

use std::fmt;
use std::str::FromStr;

use phonenumber::country::Id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::InvalidKey;

/// An ISO 3166-1 alpha-2 country whose numbering plan reads numbers written without a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country(Id);

/// A phone number in E.164 form, for example `+8613800138000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

/// Why text is not a phone number; never repeats the text, which may be a person's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvalidPhone {
    /// It has no digits.
    #[error("the phone number is empty")]
    Empty,
    /// It has characters that no phone number has.
    #[error("the phone number has characters that do not belong in one")]
    Unreadable,
    /// The numbering plan has no such number.
    #[error("no such number in the numbering plan")]
    NoSuchNumber,
}

impl Country {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }
}

impl FromStr for Country {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| InvalidKey::unknown_country())
    }
}

impl Phone {
    /// Reads a number as people write it: full-width digits, spaces, dashes, brackets, a `+` or an
    /// international prefix; without a prefix it is a number of `home`.
    ///
    /// # Errors
    /// When it is empty, unreadable, or not a number of its country's plan.
    pub fn parse(text: &str, home: Country) -> Result<Self, InvalidPhone> {
        let plain: String = text.chars().filter_map(half_width).collect();
        let plain = plain.trim();
        if !plain.chars().any(|c| c.is_ascii_digit()) {
            return Err(if plain.is_empty() { InvalidPhone::Empty } else { InvalidPhone::Unreadable });
        }
        if plain.len() > 40 || !plain.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c)) {
            return Err(InvalidPhone::Unreadable);
        }
        let number = phonenumber::parse(Some(home.0), plain).map_err(|_| InvalidPhone::NoSuchNumber)?;
        if !phonenumber::is_valid(&number) {
            return Err(InvalidPhone::NoSuchNumber);
        }
        Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
    }

    /// The E.164 text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Full-width forms (U+FF01..U+FF5E) to ASCII, exotic spaces and dashes to plain ones.
fn half_width(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        '\u{3000}' | '\u{a0}' | '\t' => Some(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' => None,
        other => Some(other),
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::parse(deserializer)
    }
}

impl JsonSchema for Country {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Country".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "iso-3166-1-alpha-2" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn china() -> Country {
        "CN".parse().unwrap()
    }

    #[test]
    fn every_way_of_writing_one_number_is_one_number() {
        for text in [
            "13800138000",
            "+86 138 0013 8000",
            "0086-138-0013-8000",
            "0086 13800138000",
            "１３８００１３８０００",
            "＋８６　１３８００１３８０００",
            "(86) 138-0013-8000",
            "138‐0013‐8000",
            "8613800138000",
        ] {
            assert_eq!(Phone::parse(text, china()).map(|p| p.0), Ok("+8613800138000".into()), "{text}");
        }
    }

    #[test]
    fn a_prefix_wins_over_the_home_country() {
        assert_eq!(Phone::parse("+1 415 555 2671", china()).unwrap().as_str(), "+14155552671");
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", InvalidPhone::Empty),
            ("  ", InvalidPhone::Empty),
            ("未留电话", InvalidPhone::Unreadable),
            ("138001380a0", InvalidPhone::Unreadable),
            ("1380013", InvalidPhone::NoSuchNumber),
            ("00000000000", InvalidPhone::NoSuchNumber),
        ] {
            assert_eq!(Phone::parse(text, china()), Err(reason), "{text}");
        }
    }
}
