//! Personal data inside events: sealed from the first event, readable only with the person's key.
//!
//! Invariant: whatever may name or describe a person is a [`Personal`], at any depth of an event.
//! The command service replaces every clear value by a sealed one before the event is stored, and
//! the event log accepts nothing else. The contract test fails on a plain string in an event.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// JSON key of a clear value: only in memory, never in a store.
const CLEAR: &str = "$clear";
/// JSON key of a sealed value.
const SEALED: &str = "$sealed";
/// JSON text in place of a value whose key was destroyed.
const REDACTED: &str = "$redacted";

/// A value about a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Personal<T = String> {
    /// In clear: in memory only.
    #[serde(rename = "$clear")]
    Clear(T),
    /// Encrypted under the person's data key: the stored form.
    #[serde(rename = "$sealed")]
    Sealed(SealedText),
    /// The person was erased: nobody can read it again.
    #[serde(rename = "$redacted")]
    Redacted,
}

/// A sealed value as text: base64url of version, key version, nonce and ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedText(pub String);

impl<T> Personal<T> {
    /// The value, when it is in clear.
    pub const fn clear(&self) -> Option<&T> {
        match self {
            Self::Clear(value) => Some(value),
            Self::Sealed(_) | Self::Redacted => None,
        }
    }

    /// The value, when it is in clear.
    pub fn into_clear(self) -> Option<T> {
        match self {
            Self::Clear(value) => Some(value),
            Self::Sealed(_) | Self::Redacted => None,
        }
    }
}

impl Personal<String> {
    /// Free text of a person, without white space at its ends; `None` when nothing is left.
    #[must_use]
    pub fn text(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self::Clear(text.to_owned()))
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self::Clear(value)
    }
}

/// Shows the form and never the value, so that logs and panics cannot leak it.
impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Personal(clear)",
            Self::Sealed(_) => "Personal(sealed)",
            Self::Redacted => "Personal(redacted)",
        })
    }
}

impl<T> JsonSchema for Personal<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Personal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-personal": true,
            "description": "Personal data, sealed under the subject's key",
            "oneOf": [
                {
                    "type": "object",
                    "properties": { "$sealed": { "type": "string", "format": "sealed" } },
                    "required": ["$sealed"],
                    "additionalProperties": false
                },
                { "type": "string", "const": "$redacted" }
            ]
        })
    }
}

/// One personal value found inside an event's JSON.
pub enum PersonalValue<'a> {
    /// In clear.
    Clear(&'a Value),
    /// Sealed.
    Sealed(&'a str),
}

/// What takes the place of a personal value.
pub enum Replacement {
    /// The value in clear.
    Clear(Value),
    /// The sealed form.
    Sealed(String),
    /// Gone for ever.
    Redacted,
}

impl From<Replacement> for Value {
    fn from(replacement: Replacement) -> Self {
        match replacement {
            Replacement::Clear(value) => Self::Object(Map::from_iter([(CLEAR.to_owned(), value)])),
            Replacement::Sealed(text) => {
                Self::Object(Map::from_iter([(SEALED.to_owned(), Self::String(text))]))
            }
            Replacement::Redacted => Self::String(REDACTED.to_owned()),
        }
    }
}

/// Decides what takes the place of the personal value at a JSON pointer; `None` leaves it.
type Replace<'a, E> = &'a mut dyn FnMut(&str, PersonalValue<'_>) -> Result<Option<Replacement>, E>;

/// Walks an event's JSON and lets `replace` put something in the place of each personal value.
/// `replace` gets the value's JSON pointer (RFC 6901) within the event, which seals are bound to.
///
/// # Errors
/// The first error of `replace`; the event is then partly replaced and must be dropped.
pub fn replace_personal<E>(event: &mut Value, replace: Replace<'_, E>) -> Result<(), E> {
    walk(event, &mut String::new(), replace)
}

fn walk<E>(value: &mut Value, path: &mut String, replace: Replace<'_, E>) -> Result<(), E> {
    if let Some(found) = personal(value) {
        if let Some(replacement) = replace(path, found)? {
            *value = replacement.into();
        }
        return Ok(());
    }
    let depth = path.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                walk(item, path, replace)?;
                path.truncate(depth);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                walk(member, path, replace)?;
                path.truncate(depth);
            }
        }
        _ => {}
    }
    Ok(())
}

fn personal(value: &Value) -> Option<PersonalValue<'_>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    if let Some(clear) = members.get(CLEAR) {
        return Some(PersonalValue::Clear(clear));
    }
    members.get(SEALED)?.as_str().map(PersonalValue::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn personal_values_are_found_at_any_depth_with_their_path() {
        let mut event = json!({
            "added": { "contacts": [ { "value": { "$clear": "138" } } ], "a/b": { "$sealed": "x" } }
        });
        let mut seen = Vec::new();
        replace_personal::<()>(&mut event, &mut |path, value| {
            seen.push(path.to_owned());
            Ok(match value {
                PersonalValue::Clear(_) => Some(Replacement::Sealed("s".into())),
                PersonalValue::Sealed(_) => Some(Replacement::Redacted),
            })
        })
        .unwrap();
        assert_eq!(seen, ["/added/a~1b", "/added/contacts/0/value"]);
        assert_eq!(
            event,
            json!({ "added": { "contacts": [ { "value": { "$sealed": "s" } } ], "a/b": "$redacted" } })
        );
    }

    #[test]
    fn debug_output_never_shows_the_value() {
        assert_eq!(format!("{:?}", Personal::Clear("13800138000")), "Personal(clear)");
    }
}
