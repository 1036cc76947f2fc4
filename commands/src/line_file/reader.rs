//! TOML with places: tables that know which keys they may have, values that know where they stand.

use std::fmt::Display;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{LineFileError, Place};

/// A table of the file.
pub(super) struct Section<'a> {
    text: &'a str,
    place: Place,
    members: &'a DeTable<'a>,
}

/// A value of the file and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    text: &'a str,
    name: &'a str,
    value: &'a Spanned<DeValue<'a>>,
}

/// Parses the text as TOML.
pub(super) fn document(text: &str) -> Result<Spanned<DeTable<'_>>, LineFileError> {
    DeTable::parse(text).map_err(|error| {
        let place = error.span().map_or(Place::START, |span| Place::of(text, span.start));
        place.error(error.message().trim())
    })
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn whole(
        text: &'a str,
        document: &'a Spanned<DeTable<'a>>,
        known: &[&str],
    ) -> Result<Self, LineFileError> {
        Self::new(text, Place::START, document.get_ref(), known)
    }

    fn new(
        text: &'a str,
        place: Place,
        members: &'a DeTable<'a>,
        known: &[&str],
    ) -> Result<Self, LineFileError> {
        let strangers = members.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        match strangers.min_by_key(|key| key.span().start) {
            Some(key) => {
                let message = format!("there is no key `{}` here, only {}", key.get_ref(), known.join(", "));
                Err(Place::of(text, key.span().start).error(message))
            }
            None => Ok(Self { text, place, members }),
        }
    }

    /// The value of a key that may be absent.
    pub(super) fn optional(&self, key: &str) -> Option<Item<'a>> {
        let (name, value) = self.members.get_key_value(key)?;
        Some(Item { text: self.text, name: name.get_ref(), value })
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str) -> Result<Item<'a>, LineFileError> {
        self.optional(key).ok_or_else(|| self.place.error(format!("`{key}` is missing here")))
    }

    /// The values of a list that may be absent.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Item<'a>>, LineFileError> {
        self.optional(key).map_or_else(|| Ok(Vec::new()), Item::list)
    }

    /// Yes or no; no when the key is absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool, LineFileError> {
        self.optional(key).map_or(Ok(false), Item::flag)
    }
}

impl<'a> Item<'a> {
    /// Where the value stands.
    pub(super) fn place(self) -> Place {
        Place::of(self.text, self.value.span().start)
    }

    fn error(self, message: impl Display) -> LineFileError {
        self.place().error(format!("`{}` {message}", self.name))
    }

    fn not(self, wanted: &str) -> LineFileError {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(format!("takes {wanted}, not {found}"))
    }

    /// Text.
    pub(super) fn text(self) -> Result<&'a str, LineFileError> {
        self.value.get_ref().as_str().ok_or_else(|| self.not("text in quotation marks"))
    }

    /// Text that a type of the domain reads.
    pub(super) fn read<T: FromStr<Err: Display>>(self) -> Result<T, LineFileError> {
        self.text()?.parse().map_err(|error| self.error(format!("is wrong: {error}")))
    }

    /// One word of a list.
    pub(super) fn one_of<T: Copy>(
        self,
        choices: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Result<T, LineFileError> {
        let text = self.text()?;
        choices.iter().copied().find(|choice| word(*choice) == text).ok_or_else(|| {
            let words: Vec<_> = choices.iter().copied().map(word).collect();
            self.error(format!("is one of {}", words.join(", ")))
        })
    }

    /// Yes or no.
    pub(super) fn flag(self) -> Result<bool, LineFileError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.not("true or false"))
    }

    /// A whole number that fits.
    pub(super) fn whole<T: TryFrom<i64>>(self, range: &str) -> Result<T, LineFileError> {
        let integer = self.value.get_ref().as_integer().ok_or_else(|| self.not("a whole number"))?;
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        number.and_then(|number| number.try_into().ok()).ok_or_else(|| self.error(format!("is {range}")))
    }

    /// A decimal number, taken from the file as it is written: no float comes between.
    pub(super) fn decimal<T: FromStr>(self) -> Result<T, LineFileError> {
        let digits = match self.value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => return Err(self.not("a decimal number")),
        };
        digits.parse().map_err(|_| self.error("is a decimal number such as 0 or 99.5"))
    }

    /// The values of a list.
    pub(super) fn list(self) -> Result<Vec<Self>, LineFileError> {
        let list = self.value.get_ref().as_array().ok_or_else(|| self.not("a list"))?;
        Ok(list.iter().map(|value| Self { value, ..self }).collect())
    }

    /// A table that has these keys and no others.
    pub(super) fn section(self, known: &[&str]) -> Result<Section<'a>, LineFileError> {
        let members = self.value.get_ref().as_table().ok_or_else(|| self.not("a table"))?;
        Section::new(self.text, self.place(), members, known)
    }
}
