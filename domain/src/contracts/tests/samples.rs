//! One sample for every version of every event, as stored, readable for ever.
//!
//! A file is called `<aggregate>/<event>.v<version>.json`. Further cases of the same version, such
//! as one with all optional parts left out, have a word more: `<event>.v<version>.<case>.json`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::folder;
use crate::codec::EventType;
use crate::contracts::{Event, aggregate_types, event_types};
use crate::envelope::StreamId;
use crate::personal::{PersonalValue, Replacement, replace_personal};

struct Sample {
    file: PathBuf,
    aggregate: String,
    event: String,
    version: u32,
    case: Option<String>,
    text: String,
}

impl Sample {
    fn name(&self) -> String {
        format!("{}.{}", self.aggregate, self.event)
    }

    fn known(&self) -> Option<EventType> {
        event_types().find(|known| known.name == self.name())
    }

    fn decode(&self) -> Event {
        let stream = StreamId::stored(&self.aggregate, "0197");
        let decoded = Event::decode(&stream, &self.name(), &self.version.to_string(), &self.text);
        decoded.unwrap_or_else(|error| panic!("{}: {error}", self.file.display()))
    }
}

fn samples() -> Vec<Sample> {
    let mut samples = Vec::new();
    for aggregate in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap()) {
        if !aggregate.file_type().unwrap().is_dir() {
            continue;
        }
        let aggregate_name = aggregate.file_name().into_string().unwrap();
        for file in std::fs::read_dir(aggregate.path()).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap();
            if name == "schema.json" {
                continue;
            }
            let parts: Vec<&str> = name.split('.').collect();
            let (event, version, case) = match parts[..] {
                [event, version, "json"] => (event, version, None),
                [event, version, case, "json"] => (event, version, Some(case.to_owned())),
                _ => panic!("{name} is no name of a sample"),
            };
            samples.push(Sample {
                aggregate: aggregate_name.clone(),
                event: event.to_owned(),
                version: version.strip_prefix('v').and_then(|version| version.parse().ok()).unwrap(),
                case,
                text: std::fs::read_to_string(&file).unwrap(),
                file,
            });
        }
    }
    samples
}

/// The payload that the program writes for an event.
fn written(event: &Event) -> String {
    let pretty = match event {
        Event::BusinessLine(event) => serde_json::to_string_pretty(event),
        Event::Customer(event) => serde_json::to_string_pretty(event),
        Event::Clue(event) => serde_json::to_string_pretty(event),
        Event::ClueAttempts(event) => serde_json::to_string_pretty(event),
        Event::Operator(event) => serde_json::to_string_pretty(event),
        Event::Team(event) => serde_json::to_string_pretty(event),
    };
    pretty.unwrap() + "\n"
}

#[test]
fn every_version_of_every_event_has_a_sample() {
    let samples = samples();
    let there: BTreeSet<_> =
        samples.iter().filter(|s| s.case.is_none()).map(|s| (s.name(), s.version)).collect();
    for known in event_types() {
        for version in 1..=known.version {
            assert!(there.contains(&(known.name.to_owned(), version)), "{} v{version}", known.name);
        }
    }
}

#[test]
fn no_sample_is_of_an_event_or_a_version_that_nobody_wrote() {
    let aggregates: BTreeSet<_> = aggregate_types().map(str::to_owned).collect();
    for sample in samples() {
        assert!(aggregates.contains(&sample.aggregate), "{}", sample.file.display());
        let known = sample.known().unwrap_or_else(|| panic!("{} is unknown", sample.file.display()));
        assert!((1..=known.version).contains(&sample.version), "{}", sample.file.display());
    }
}

#[test]
fn every_sample_is_read_and_one_of_the_current_version_is_written_the_same() {
    for sample in samples() {
        let event = sample.decode();
        if sample.known().is_some_and(|known| known.version == sample.version) {
            assert_eq!(written(&event), sample.text, "{}", sample.file.display());
        }
    }
}

#[test]
fn the_tag_of_a_payload_is_the_event_behind_the_dot() {
    for sample in samples() {
        let payload: Value = serde_json::from_str(&sample.text).unwrap();
        let tags: Vec<_> = payload.as_object().unwrap().keys().collect();
        assert_eq!(tags, [&sample.event], "{}", sample.file.display());
    }
}

#[test]
fn samples_hold_personal_values_sealed_as_the_log_does() {
    for sample in samples() {
        let mut payload: Value = serde_json::from_str(&sample.text).unwrap();
        let walked = replace_personal(&mut payload, &mut |path, value| match value {
            PersonalValue::Sealed(text) if text.len() > 40 => Ok(None::<Replacement>),
            _ => Err(path.to_owned()),
        });
        assert_eq!(walked, Ok(()), "{}", sample.file.display());
        assert!(!sample.text.contains("$redacted"), "the log holds no redacted value");
    }
}
