//! Labels: short text that names a thing of the business, never a person.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::text;

/// Longest label, in characters.
const MAX_LABEL: usize = 120;

/// The name of a thing (a stage, a team, a car model): 1 to 120 characters, trimmed, on one line.
/// It is stored in clear; whatever may name or describe a person is a [`crate::Personal`] instead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(String);

/// Text that is empty, too long, or has control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a label has 1 to 120 characters and no line breaks")]
pub struct InvalidLabel;

impl Label {
    /// The label with white space trimmed from its ends.
    ///
    /// # Errors
    /// When it is empty, longer than 120 characters, or has control characters.
    pub fn new(text: &str) -> Result<Self, InvalidLabel> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > MAX_LABEL || text.chars().any(char::is_control) {
            return Err(InvalidLabel);
        }
        Ok(Self(text.to_owned()))
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Label {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::parse(deserializer)
    }
}

impl JsonSchema for Label {
    fn schema_name() -> Cow<'static, str> {
        "Label".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "label" })
    }
}
