//! What an event says, without the tag around it and in the form that the reader may have.
//!
//! Nothing is built in memory: text that holds nothing personal is copied as it stands, and only the
//! way to personal values is looked at member by member.

use std::fmt;

use domain::envelope::RecordedEvent;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::access::View;

/// A stored event that is not what an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub &'static str);

pub(super) const NOT_JSON: Unreadable = Unreadable("its payload or metadata is not JSON");
/// What BI reads in the place of a personal value.
const REDACTED: &[u8] = b"\"$redacted\"";
/// Deeper than any event is. What is deeper is taken for personal as a whole.
const DEPTH: usize = 64;

/// Appends the payload without its tag, in one line; `out` is of no use after an error.
pub(super) fn write(out: &mut Vec<u8>, event: &RecordedEvent, view: View) -> Result<(), Unreadable> {
    let data = inner(event)?;
    match view {
        View::Stored => copy(out, data),
        View::Pseudonymous => {
            // The name of an operator is personal, also where an old event has it in clear.
            let name = event.stream.aggregate_type() == "operator";
            redact(out, data, name, 0)?;
        }
    }
    Ok(())
}

/// The payload without its tag, byte for byte. A payload without the tag is passed on whole.
fn inner(event: &RecordedEvent) -> Result<&str, Unreadable> {
    let payload = event.payload.trim_ascii();
    let tag = event.event_type.split_once('.').map_or(&*event.event_type, |(_, tag)| tag);
    if !payload.starts_with('{') {
        let whole: &RawValue = serde_json::from_str(payload).map_err(|_| NOT_JSON)?;
        return Ok(whole.get());
    }
    let mut json = serde_json::Deserializer::from_str(payload);
    let found = Tagged(tag).deserialize(&mut json).map_err(|_| NOT_JSON)?;
    json.end().map_err(|_| NOT_JSON)?;
    Ok(found.unwrap_or(payload))
}

/// Copies JSON without its line ends, which are nowhere but between tokens: a line is one line,
/// however the event was stored.
fn copy(out: &mut Vec<u8>, json: &str) {
    if json.contains(['\n', '\r']) {
        out.extend(json.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    } else {
        out.extend_from_slice(json.as_bytes());
    }
}

/// Copies JSON without anything that is or might be personal data.
///
/// Personal values are objects with a key that begins with `$`. The whole family is redacted and not
/// only the forms that this program knows: the event may come from a newer one.
fn redact(out: &mut Vec<u8>, json: &str, name: bool, depth: usize) -> Result<(), Unreadable> {
    let suspect = name || json.contains("\"$") || json.contains("\\u0024");
    if !suspect || !json.starts_with(['{', '[']) {
        copy(out, json);
        return Ok(());
    }
    let start = out.len();
    let mut reader = serde_json::Deserializer::from_str(json);
    let walked = Walk { out, name, depth }.deserialize(&mut reader).map_err(|_| NOT_JSON)?;
    if walked == Found::Personal {
        out.truncate(start);
        out.extend_from_slice(REDACTED);
    }
    Ok(())
}

/// Whether an object is a personal value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Personal,
    Plain,
}

/// Copies an object or a list member by member.
struct Walk<'a> {
    out: &'a mut Vec<u8>,
    /// Whether the member `name` is personal whatever it is.
    name: bool,
    depth: usize,
}

impl Walk<'_> {
    fn value(&mut self, value: &RawValue) -> Result<(), Unreadable> {
        redact(self.out, value.get(), false, self.depth + 1)
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Found, A::Error> {
        let mut found = if self.depth > DEPTH { Found::Personal } else { Found::Plain };
        self.out.push(b'{');
        let mut first = true;
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            let key = key.get();
            if key.starts_with("\"$") || key.starts_with("\"\\u0024") {
                found = Found::Personal;
            }
            if found == Found::Personal {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.out.extend_from_slice(key.as_bytes());
            self.out.push(b':');
            if self.name && names(key) {
                self.out.extend_from_slice(REDACTED);
            } else {
                self.value(value).map_err(|wrong| serde::de::Error::custom(wrong.0))?;
            }
        }
        self.out.push(b'}');
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Found, A::Error> {
        let found = if self.depth > DEPTH { Found::Personal } else { Found::Plain };
        self.out.push(b'[');
        let mut first = true;
        while let Some(item) = items.next_element::<&RawValue>()? {
            if found == Found::Personal {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            self.value(item).map_err(|wrong| serde::de::Error::custom(wrong.0))?;
        }
        self.out.push(b']');
        Ok(found)
    }
}

/// Whether a key, with its quotes, is `name`, however it is written.
fn names(key: &str) -> bool {
    key == "\"name\""
        || (key.contains('\\') && serde_json::from_str::<String>(key).is_ok_and(|key| key == "name"))
}

/// Finds the value of the only member, when that is the tag.
struct Tagged<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Tagged<'_> {
    type Value = Option<&'de str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tagged<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut count) = (None, 0);
        while let Some((key, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            count += 1;
            let key = key.get().trim_matches('"');
            found = (key == self.0).then_some(value.get());
        }
        Ok(found.filter(|_| count == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str) -> String {
        let mut out = Vec::new();
        redact(&mut out, json, false, 0).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_personal_keeps_every_byte() {
        let json = r#"{"z": 1,"a":[1.10, 12345678901234567890123],"price":"$5","k":{"b":"\u00e9"}}"#;
        assert_eq!(redacted(&json.replace("\"$5\"", "5")), json.replace("\"$5\"", "5"));
        // A text that begins like a marker is looked at closer and stays.
        assert_eq!(redacted(json), json.replace("\"z\": 1", "\"z\":1"));
    }

    #[test]
    fn a_personal_value_is_replaced_wherever_it_stands_and_however_its_key_is_written() {
        for (json, expected) in [
            (r#"{"$sealed":"x"}"#, r#""$redacted""#),
            (r#"{"a":{"b":1,"$new":{"c":2}},"d":3}"#, r#"{"a":"$redacted","d":3}"#),
            (r#"[{"\u0024sealed":"x"},[{"$clear":1}],2]"#, r#"["$redacted",["$redacted"],2]"#),
        ] {
            assert_eq!(redacted(json), expected);
        }
    }

    #[test]
    fn what_is_nested_beyond_reason_is_taken_for_personal() {
        let deep = format!("{}{{\"$sealed\":1}}{}", "[".repeat(100), "]".repeat(100));
        let out = redacted(&deep);
        assert!(out.contains("$redacted") && !out.contains("sealed"), "{out}");
    }

    #[test]
    fn keys_are_read_whatever_their_form() {
        assert!(names("\"name\"") && names("\"n\\u0061me\""));
        assert!(!names("\"names\"") && !names("\"n\\u0061mes\""));
    }
}
