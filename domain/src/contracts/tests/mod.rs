//! The files in `contracts/`: what this program promises to whoever reads its events.
//!
//! Samples are never edited: a new shape of an event is a new version with a new sample. Schemas and
//! the list of refusals are generated; `UPDATE_CONTRACTS=1` writes them anew.

mod samples;
mod schemas;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::business_line::BusinessLineError;
use crate::clue::ClueError;
use crate::customer::CustomerError;
use crate::operator::OperatorError;
use crate::team::TeamError;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts")
}

/// Compares a generated file with the committed one, or writes it when asked to.
fn same_as_committed(file: &Path, generated: &serde_json::Value) {
    let generated = serde_json::to_string_pretty(generated).unwrap() + "\n";
    if std::env::var_os("UPDATE_CONTRACTS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let name = file.strip_prefix(folder()).unwrap().display();
    assert!(committed == generated, "{name} is out of date; UPDATE_CONTRACTS=1 writes it anew");
}

/// The codes of every kind of refusal, by aggregate.
fn refusals() -> [(&'static str, &'static [&'static str]); 5] {
    [
        ("business_line", BusinessLineError::CODES),
        ("clue", ClueError::CODES),
        ("customer", CustomerError::CODES),
        ("operator", OperatorError::CODES),
        ("team", TeamError::CODES),
    ]
}

#[test]
fn each_refusal_has_a_code_of_its_own() {
    for (aggregate, codes) in refusals() {
        let mut seen = BTreeSet::new();
        assert_eq!(codes.iter().find(|code| !seen.insert(**code)), None, "{aggregate}");
        for code in codes {
            let word = code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            assert!(word && !code.is_empty(), "{aggregate}: {code}");
        }
    }
}

#[test]
fn the_committed_refusals_are_those_of_the_program() {
    let generated = refusals().into_iter().map(|(aggregate, codes)| (aggregate.to_owned(), json!(codes)));
    same_as_committed(&folder().join("refusals.json"), &generated.collect::<serde_json::Map<_, _>>().into());
}
