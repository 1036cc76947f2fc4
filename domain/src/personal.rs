//! Personal data inside events: sealed from the first event, readable only with the person's key.
//!
//! Invariant: whatever may name or describe a person is a [`Personal`], at any depth of an event.
//! The command service replaces every clear value by a sealed one before the event is stored, and
//! the event log accepts nothing else. The contract test fails on a plain string in an event.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// JSON key of a clear value: only in memory, never in a store.
const CLEAR: &str = "$clear";
/// How a clear value shows in JSON as serde writes it. Inside a JSON string the quote would be escaped.
pub const CLEAR_MARK: &str = "\"$clear\":";
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
                push_step(path, &index.to_string());
                walk(item, path, replace)?;
                path.truncate(depth);
            }
        }
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                push_step(path, name);
                walk(member, path, replace)?;
                path.truncate(depth);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Writes an event's JSON with every clear value sealed, without a tree of it. `seal` gets a value's
/// JSON pointer, as [`replace_personal`] has it, and its JSON, and gives its sealed form.
///
/// # Errors
/// The first error of `seal`, or what is wrong with the JSON.
pub fn seal_personal<E>(
    event: &str,
    seal: &mut dyn FnMut(&str, &str) -> Result<SealedText, E>,
) -> Result<String, SealError<E>> {
    // Nonce, tag and base64 make a value longer.
    let mut sealed = String::with_capacity(2 * event.len());
    write_sealed(event, &mut String::new(), &mut sealed, seal)?;
    Ok(sealed)
}

/// Why an event could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError<E> {
    /// A value could not be sealed.
    #[error(transparent)]
    Value(E),
    /// It is not the JSON of an event.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn write_sealed<E>(
    json: &str,
    path: &mut String,
    sealed: &mut String,
    seal: &mut dyn FnMut(&str, &str) -> Result<SealedText, E>,
) -> Result<(), SealError<E>> {
    if !json.contains(CLEAR_MARK) {
        sealed.push_str(json);
        return Ok(());
    }
    let depth = path.len();
    if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json)?;
        for (index, item) in items.into_iter().enumerate() {
            sealed.push(if index == 0 { '[' } else { ',' });
            push_step(path, &index.to_string());
            write_sealed(item.get(), path, sealed, seal)?;
            path.truncate(depth);
        }
        sealed.push(']');
        return Ok(());
    }
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json)?;
    if let (1, Some(clear)) = (members.len(), members.get(CLEAR)) {
        let value = Personal::<()>::Sealed(seal(path, clear.get()).map_err(SealError::Value)?);
        sealed.push_str(&serde_json::to_string(&value)?);
        return Ok(());
    }
    for (index, (name, member)) in members.into_iter().enumerate() {
        sealed.push(if index == 0 { '{' } else { ',' });
        sealed.push_str(&serde_json::to_string(&name)?);
        sealed.push(':');
        push_step(path, &name);
        write_sealed(member.get(), path, sealed, seal)?;
        path.truncate(depth);
    }
    sealed.push('}');
    Ok(())
}

/// Goes one step further along a JSON pointer.
fn push_step(path: &mut String, step: &str) {
    path.push('/');
    path.push_str(&step.replace('~', "~0").replace('/', "~1"));
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
    fn sealing_changes_nothing_but_clear_values_and_tells_their_paths() {
        let event = json!({
            "added": {
                "contacts": [ { "kind": "phone", "value": { "$clear": "13\"8" } }, 7 ],
                "text": "a \"$clear\": in a text",
                "a/b~": { "$clear": { "deep": [1.5, null, true] } },
                "done": { "$sealed": "x" },
                "\"odd": { "$clear": 1 },
                "none": [[], {}],
            }
        });
        let mut seen = Vec::new();
        let sealed = seal_personal::<()>(&event.to_string(), &mut |path, clear| {
            seen.push((path.to_owned(), clear.to_owned()));
            Ok(SealedText(format!("<{}>", clear.len())))
        });
        let sealed: Value = serde_json::from_str(&sealed.unwrap()).unwrap();
        let seen: Vec<(&str, &str)> =
            seen.iter().map(|(path, clear)| (path.as_str(), clear.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("/added/\"odd", "1"),
                ("/added/a~1b~0", "{\"deep\":[1.5,null,true]}"),
                ("/added/contacts/0/value", "\"13\\\"8\""),
            ]
        );
        let mut expected = event;
        replace_personal::<()>(&mut expected, &mut |_, value| {
            let PersonalValue::Clear(clear) = value else { return Ok(None) };
            Ok(Some(Replacement::Sealed(format!("<{}>", clear.to_string().len()))))
        })
        .unwrap();
        assert_eq!(sealed, expected);
    }

    #[test]
    fn a_value_that_cannot_be_sealed_fails_the_event() {
        let error = seal_personal(r#"{"a":{"name":{"$clear":"x"}}}"#, &mut |_, _| Err("no key")).unwrap_err();
        assert_eq!(error.to_string(), "no key");
        assert!(seal_personal::<()>(r#"{"name":{"$clear":}"#, &mut |_, _| unreachable!()).is_err());
    }

    #[test]
    fn debug_output_never_shows_the_value() {
        assert_eq!(format!("{:?}", Personal::Clear("13800138000")), "Personal(clear)");
    }
}
