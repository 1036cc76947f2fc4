//! Event contracts: stored type names and versions, and reading any version ever written.
//!
//! Invariant: events are never edited. A new shape is a new version with its own sample in
//! `contracts/` and an upcaster from the version before. A type or a version newer than this
//! program is an error that stops the reader; it is never skipped.

use std::fmt;

use cqrs_es::DomainEvent;
use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use schemars::JsonSchema;
use serde_json::Value;
use serde_json::error::Category;

/// The stored name of a kind of event and the version that this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// For example `clue.captured`; never changes.
    pub name: &'static str,
    /// Starts at 1.
    pub version: u32,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// The events of one aggregate as a contract: what they are called in the log.
///
/// Their JSON is externally tagged with the part of the type name behind the dot, so that stock
/// cqrs-es repositories read them as they are.
pub trait EventContract: DomainEvent + JsonSchema {
    /// Every type that this program writes.
    const TYPES: &'static [EventType];

    /// The type of this event.
    fn contract(&self) -> EventType;
}

/// Implements [`EventContract`] and `cqrs_es::DomainEvent` for an event enum.
macro_rules! event_contract {
    ($event:ty { $($variant:ident => $name:literal v $version:literal),+ $(,)? }) => {
        impl $crate::codec::EventContract for $event {
            const TYPES: &'static [$crate::codec::EventType] = &[
                $($crate::codec::EventType { name: $name, version: $version }),+
            ];

            fn contract(&self) -> $crate::codec::EventType {
                match self {
                    $(Self::$variant { .. } => {
                        $crate::codec::EventType { name: $name, version: $version }
                    })+
                }
            }
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                $crate::codec::EventContract::contract(self).name.to_owned()
            }

            fn event_version(&self) -> String {
                $crate::codec::EventContract::contract(self).version.to_string()
            }
        }
    };
}

pub(crate) use event_contract;

/// Why a stored event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No program of this version writes such a type.
    #[error("the log holds events of type {name}, which this program does not know; use a newer one")]
    UnknownType {
        /// The stored type name.
        name: String,
    },
    /// A newer program wrote it.
    #[error("the log holds {name} of version {version}, this program reads up to {known}; use a newer one")]
    NewerVersion {
        /// The stored type name.
        name: String,
        /// The stored version.
        version: String,
        /// The newest version that this program reads.
        known: u32,
    },
    /// The payload does not have the shape of its type and version.
    #[error("event of type {name} version {version} is malformed: {reason}")]
    Malformed {
        /// The stored type name.
        name: String,
        /// The stored version.
        version: String,
        /// What is wrong, by line and column; never a stored value.
        reason: String,
    },
}

impl DecodeError {
    /// Whether a newer program wrote the event: a reader must stop, for only an upgrade helps.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(self, Self::UnknownType { .. } | Self::NewerVersion { .. })
    }
}

/// Every upcaster, oldest version first. Each lifts one version of one type to the next.
#[derive(Default)]
pub struct Upcasters(Vec<Box<dyn EventUpcaster>>);

impl Upcasters {
    /// A chain of upcasters, applied in this order.
    #[must_use]
    pub fn new(chain: Vec<Box<dyn EventUpcaster>>) -> Self {
        Self(chain)
    }

    /// The upcasters of this program. Every event type is still at its first version.
    #[must_use]
    pub fn current() -> Self {
        Self::default()
    }

    /// Reads an event of any version that this program or an older one wrote.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode<E: EventContract>(
        &self,
        name: &str,
        version: &str,
        payload: &str,
    ) -> Result<E, DecodeError> {
        let known = E::TYPES
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| DecodeError::UnknownType { name: name.to_owned() })?;
        let malformed = |reason: String| DecodeError::Malformed {
            name: name.to_owned(),
            version: version.to_owned(),
            reason,
        };
        let stored: u32 = version.parse().map_err(|_| malformed("no such version".to_owned()))?;
        if stored == known.version {
            return serde_json::from_str(payload).map_err(|error| malformed(reason(&error)));
        }
        if stored > known.version {
            return Err(DecodeError::NewerVersion {
                name: name.to_owned(),
                version: version.to_owned(),
                known: known.version,
            });
        }
        let payload = serde_json::from_str(payload).map_err(|error| malformed(reason(&error)))?;
        let lifted = self.lift(name, version, payload);
        if lifted.event_version != known.version.to_string() {
            return Err(malformed("no upcaster lifts it to the current version".to_owned()));
        }
        serde_json::from_value(lifted.payload).map_err(|error| malformed(reason(&error)))
    }

    /// Reads an event as a stock cqrs-es repository loads it.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode_value<E: EventContract>(&self, event: SerializedEvent) -> Result<E, DecodeError> {
        let known = E::TYPES.iter().find(|known| known.name == event.event_type);
        if known.is_some_and(|known| known.version.to_string() == event.event_version) {
            return serde_json::from_value(event.payload).map_err(|error| DecodeError::Malformed {
                name: event.event_type,
                version: event.event_version,
                reason: reason(&error),
            });
        }
        self.decode(&event.event_type, &event.event_version, &event.payload.to_string())
    }

    fn lift(&self, name: &str, version: &str, payload: Value) -> SerializedEvent {
        let event = SerializedEvent::new(
            String::new(),
            0,
            String::new(),
            name.to_owned(),
            version.to_owned(),
            payload,
            Value::Null,
        );
        self.0.iter().fold(event, |event, upcaster| {
            if upcaster.can_upcast(&event.event_type, &event.event_version) {
                upcaster.upcast(event)
            } else {
                event
            }
        })
    }
}

/// What is wrong with a payload, in words of the program alone. serde_json quotes stored values and
/// unknown keys, which may be personal data and may hold quotation marks themselves, so a message
/// passes only where its shape proves that the rest of it is text of this program.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = match error.line() {
        0 => String::new(),
        line => format!(" at line {line} column {}", error.column()),
    };
    let starts = |with: &&str| message.starts_with(with);
    if ["missing field `", "duplicate field `"].iter().any(starts) {
        return message;
    }
    if let Some(with) = ["unknown field", "unknown variant"].iter().find(|with| starts(with)) {
        return format!("{with}{place}");
    }
    let expected = message
        .rfind(", expected ")
        .filter(|_| ["invalid type: ", "invalid value: ", "invalid length "].iter().any(starts));
    match (error.classify(), expected) {
        (Category::Data, Some(from)) => message[from + 2..].to_owned(),
        (Category::Data, None) => format!("a value breaks the rules of its type{place}"),
        (Category::Eof, _) => format!("the JSON ends early{place}"),
        (Category::Syntax | Category::Io, _) => format!("not JSON{place}"),
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::ids::OperatorId;
    use crate::personal::Personal;
    use crate::values::Code;

    /// What no message may ever repeat.
    const CANARY: &str = "13800138000";

    /// Version 3 of `parcel.sent`: version 1 had `grams`, version 2 `weight` in kilograms as text.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum ParcelEvent {
        Sent {
            weight_grams: u32,
            by: OperatorId,
            reason: Code,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            to: Option<Personal<String>>,
        },
        Lost {},
    }

    event_contract!(ParcelEvent { Sent => "parcel.sent" v 3, Lost => "parcel.lost" v 1 });

    type Change = fn(&mut serde_json::Map<String, Value>);

    /// Lifts `parcel.sent` from one version to the next.
    struct Lift {
        from: u32,
        change: Change,
    }

    impl EventUpcaster for Lift {
        fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
            event_type == "parcel.sent" && event_version == self.from.to_string()
        }

        fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
            if let Some(sent) = event.payload.get_mut("sent").and_then(Value::as_object_mut) {
                (self.change)(sent);
            }
            event.event_version = (self.from + 1).to_string();
            event
        }
    }

    fn lift(from: u32, change: Change) -> Box<dyn EventUpcaster> {
        Box::new(Lift { from, change })
    }

    fn upcasters() -> Upcasters {
        Upcasters::new(vec![
            lift(1, |sent| {
                let grams = sent.remove("grams").and_then(|grams| grams.as_u64()).unwrap_or_default();
                sent.insert("weight".to_owned(), format!("{}", grams / 1_000).into());
            }),
            lift(2, |sent| {
                let weight = sent.remove("weight").and_then(|w| w.as_str()?.parse::<u32>().ok());
                sent.insert("weight_grams".to_owned(), (weight.unwrap_or_default() * 1_000).into());
            }),
        ])
    }

    fn by() -> OperatorId {
        crate::testing::id(1)
    }

    fn sent() -> ParcelEvent {
        let reason = Code::new("ordered").unwrap();
        ParcelEvent::Sent { weight_grams: 2_000, by: by(), reason, to: None }
    }

    fn decode(name: &str, version: &str, payload: &Value) -> Result<ParcelEvent, DecodeError> {
        upcasters().decode(name, version, &payload.to_string())
    }

    /// An event as a stock cqrs-es repository loads it.
    fn stored(version: &str, payload: Value) -> SerializedEvent {
        let (name, version) = ("parcel.sent".to_owned(), version.to_owned());
        SerializedEvent::new(String::new(), 1, "parcel".to_owned(), name, version, payload, Value::Null)
    }

    #[test]
    fn an_event_of_a_stock_repository_is_read_like_one_of_the_log() {
        let current = serde_json::to_value(sent()).unwrap();
        let first = json!({ "sent": { "grams": 2_000, "by": by(), "reason": "ordered" } });
        let decode = |version, payload| upcasters().decode_value::<ParcelEvent>(stored(version, payload));
        assert_eq!(decode("3", current.clone()), Ok(sent()));
        assert_eq!(decode("1", first), Ok(sent()));
        assert!(decode("4", current).unwrap_err().is_newer());
    }

    #[test]
    fn the_current_version_is_read_as_it_is() {
        let stored = serde_json::to_value(sent()).unwrap();
        assert_eq!(decode("parcel.sent", "3", &stored), Ok(sent()));
        assert_eq!(decode("parcel.lost", "1", &json!({ "lost": {} })), Ok(ParcelEvent::Lost {}));
    }

    #[test]
    fn an_older_version_is_lifted_step_by_step() {
        let first = json!({ "sent": { "grams": 2_000, "by": by(), "reason": "ordered" } });
        let second = json!({ "sent": { "weight": "2", "by": by(), "reason": "ordered" } });
        assert_eq!(decode("parcel.sent", "1", &first), Ok(sent()));
        assert_eq!(decode("parcel.sent", "2", &second), Ok(sent()));
    }

    #[test]
    fn an_older_version_without_a_whole_chain_of_upcasters_is_an_error() {
        let first = json!({ "sent": { "grams": 2_000, "by": by(), "reason": "ordered" } }).to_string();
        let refused = |upcasters: &Upcasters, version: &str| {
            let error = upcasters.decode::<ParcelEvent>("parcel.sent", version, &first).unwrap_err();
            assert!(matches!(error, DecodeError::Malformed { .. }), "{error}");
            assert!(!error.is_newer(), "{error}");
        };
        refused(&Upcasters::default(), "1");
        refused(&Upcasters::new(vec![lift(2, |_| ())]), "1");
        refused(&Upcasters::new(vec![lift(1, |_| ())]), "1");
        refused(&upcasters(), "0");
    }

    #[test]
    fn a_newer_version_stops_the_reader() {
        let error = decode("parcel.sent", "4", &json!({ "sent": {} })).unwrap_err();
        let expected =
            DecodeError::NewerVersion { name: "parcel.sent".into(), version: "4".into(), known: 3 };
        assert_eq!(error, expected);
        assert!(error.is_newer());
    }

    #[test]
    fn an_unknown_type_stops_the_reader() {
        for name in ["parcel.burnt", "clue.captured", "sent", ""] {
            let error = decode(name, "1", &json!({ "burnt": {} })).unwrap_err();
            assert_eq!(error, DecodeError::UnknownType { name: name.to_owned() });
            assert!(error.is_newer());
        }
    }

    #[test]
    fn a_version_that_is_no_number_is_malformed() {
        for version in ["", "-1", "1.0", "three", "99999999999"] {
            let error = decode("parcel.sent", version, &json!({ "sent": {} })).unwrap_err();
            assert!(matches!(error, DecodeError::Malformed { .. }), "{version}: {error}");
        }
    }

    #[test]
    fn a_malformed_payload_says_what_is_wrong_and_where() {
        let reason = |payload: &str| match upcasters().decode::<ParcelEvent>("parcel.sent", "3", payload) {
            Err(DecodeError::Malformed { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        for (payload, expected) in [
            ("", "the JSON ends early at line 1 column 0"),
            ("{\"sent\":", "the JSON ends early at line 1 column 8"),
            ("{sent}", "not JSON at line 1 column 2"),
            (r#"{"sent":{"weight_grams":"x"}}"#, "expected u32 at line 1 column 27"),
            (r#"{"sent":{"weight_grams":1}}"#, "missing field `by` at line 1 column 26"),
            (
                r#"{"sent":{"weight_grams":1,"weight_grams":1}}"#,
                "duplicate field `weight_grams` at line 1 column 40",
            ),
            (r#"{"sent":{"x":1}}"#, "unknown field at line 1 column 12"),
            (r#"{"burnt":{}}"#, "unknown variant at line 1 column 8"),
            (r#"{"sent":{"reason":"Ordered"}}"#, "a value breaks the rules of its type at line 1 column 27"),
        ] {
            assert_eq!(reason(payload), expected, "{payload}");
        }
    }

    /// Serde quotes what it found. Each of these made it quote the canary, in every place of a
    /// payload and between every kind of quotation mark.
    #[test]
    fn no_message_repeats_a_stored_value() {
        let values = [
            CANARY.to_owned(),
            format!("x\"{CANARY}\"x"),
            format!("x`{CANARY}`x"),
            format!("x\", expected {CANARY}"),
            format!("missing field `{CANARY}`"),
            format!("x, expected `{CANARY}"),
        ];
        let number: u64 = CANARY.parse().unwrap();
        let mut payloads = vec![
            json!(number),
            json!({ "sent": number }),
            json!({ "sent": { "weight_grams": number } }),
            json!({ "sent": { "weight_grams": 13_800_138_000.5 } }),
            json!({ "sent": { "by": number } }),
            json!({ "sent": { "to": { "$sealed": number } } }),
        ];
        for value in &values {
            payloads.extend([
                json!(value),
                json!([value]),
                json!({ value: {} }),
                json!({ "lost": { value: 1 } }),
                json!({ "sent": value }),
                json!({ "sent": { value: 1 } }),
                json!({ "sent": { "weight_grams": value } }),
                json!({ "sent": { "by": value } }),
                json!({ "sent": { "reason": value } }),
                json!({ "sent": { "to": value } }),
                json!({ "sent": { "to": { value: 1 } } }),
                json!({ "sent": { "to": { "$clear": [value] } } }),
                json!({ "sent": { "to": { "$sealed": [value] } } }),
            ]);
        }
        let texts = payloads.iter().map(Value::to_string);
        let cut: Vec<String> = values.iter().map(|value| format!("{{\"sent\": \"{value}")).collect();
        for text in texts.chain(cut) {
            for version in ["1", "3", CANARY] {
                let error = upcasters().decode::<ParcelEvent>("parcel.sent", version, &text).unwrap_err();
                if let DecodeError::Malformed { reason, .. } = &error {
                    assert!(!reason.contains(CANARY), "{text} v{version}: {reason}");
                    assert!(!reason.contains("1380013"), "{text} v{version}: {reason}");
                }
                let Ok(payload) = serde_json::from_str(&text) else { continue };
                let error = upcasters().decode_value::<ParcelEvent>(stored(version, payload)).unwrap_err();
                if let DecodeError::Malformed { reason, .. } = &error {
                    assert!(!reason.contains("1380013"), "{text} v{version}: {reason}");
                }
            }
        }
    }
}
