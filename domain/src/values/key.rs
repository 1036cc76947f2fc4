//! Machine-readable keys: lower-case words that never change once published, whatever their label.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text;

/// Longest slug, in bytes.
const MAX_SLUG: usize = 64;
/// Longest key that a source may give its rows, in bytes.
const MAX_SOURCE_KEY: usize = 128;

/// Text that breaks the rules of a key; says which rule, never the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(&'static str);

impl InvalidKey {
    pub(super) const fn unknown_country() -> Self {
        Self("a country is two capital letters of ISO 3166-1")
    }
}

fn slug(text: &str) -> Result<(), InvalidKey> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if text.is_empty() || text.len() > MAX_SLUG {
        return Err(InvalidKey("a key has 1 to 64 characters"));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(word) {
        return Err(InvalidKey("a key is lower-case letters, digits, '-' and '_', and begins with a letter"));
    }
    Ok(())
}

fn source_key(text: &str) -> Result<(), InvalidKey> {
    if text.is_empty() || text.len() > MAX_SOURCE_KEY {
        return Err(InvalidKey("a source key has 1 to 128 bytes"));
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(InvalidKey("a source key has no control characters and no space at its ends"));
    }
    Ok(())
}

/// Declares a text newtype that a rule guards, cheap to clone.
macro_rules! text_key {
    ($($(#[$meta:meta])* $name:ident, $rule:path, $format:literal $(, $pattern:literal)?;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The key, if `text` obeys the rule of this kind of key.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn new(text: &str) -> Result<Self, InvalidKey> {
                $rule(text)?;
                Ok(Self(text.into()))
            }

            /// The key as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidKey;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                text::parse(deserializer)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format $(, "pattern": $pattern)? })
            }
        }
    )+};
}

text_key! {
    /// A business line, for example `used-car-sales`. It is the line's identity for ever.
    LineKey, slug, "slug", "^[a-z][a-z0-9_-]{0,63}$";
    /// A stage of a business line's stage graph.
    StageKey, slug, "slug", "^[a-z][a-z0-9_-]{0,63}$";
    /// A custom field of a business line.
    FieldKey, slug, "slug", "^[a-z][a-z0-9_-]{0,63}$";
    /// An option of a choice field.
    OptionKey, slug, "slug", "^[a-z][a-z0-9_-]{0,63}$";
    /// A stable word from a list that the business keeps: a reason, a channel, a purpose.
    Code, slug, "slug", "^[a-z][a-z0-9_-]{0,63}$";
    /// What a source calls one of its own records. Never a phone number or a name.
    SourceKey, source_key, "source-key";
}
