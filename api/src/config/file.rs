//! Reading the configuration file, with the place of whatever is wrong in it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Config;
use super::settings::{SETTINGS, Setting};

/// What is wrong in the file, and at which byte.
pub(super) struct FileError {
    pub at: usize,
    pub reason: String,
}

/// Applies the file's settings.
pub(super) fn apply(config: &mut Config, text: &str) -> Result<(), FileError> {
    let table = DeTable::parse(text).map_err(|error| FileError {
        at: error.span().map_or(0, |span| span.start),
        reason: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    apply_table(config, "", table.get_ref())
}

fn apply_table(config: &mut Config, prefix: &str, table: &DeTable<'_>) -> Result<(), FileError> {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
            apply_value(config, setting, value)?;
            continue;
        }
        let inner = format!("{key}.");
        match value.get_ref() {
            DeValue::Table(table) if SETTINGS.iter().any(|known| known.key.starts_with(&inner)) => {
                apply_table(config, &inner, table)?;
            }
            _ => return Err(wrong(&name.span(), unknown(&key))),
        }
    }
    Ok(())
}

fn apply_value(
    config: &mut Config,
    setting: &Setting,
    value: &Spanned<DeValue<'_>>,
) -> Result<(), FileError> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        other => {
            let reason = format!("{} takes text or a number, not a {}", setting.key, other.type_str());
            return Err(wrong(&value.span(), reason));
        }
    };
    (setting.set)(config, text).map_err(|reason| wrong(&value.span(), format!("{}: {reason}", setting.key)))
}

fn unknown(key: &str) -> String {
    let known: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
    format!("there is no setting {key}; the settings are {}", known.join(", "))
}

fn wrong(span: &Range<usize>, reason: String) -> FileError {
    FileError { at: span.start, reason }
}

/// Line and column of a byte, both from 1; columns count characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before.get(start..).map_or(0, |rest| rest.chars().count()) + 1)
}
