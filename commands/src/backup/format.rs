//! The file format of backups: one JSON value a line, counted and summed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The one format so far.
const FORMAT: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Line {
    /// Opens a backup of a log.
    Log { format: u32, position: i64, epoch: i64, recorded_at: i64 },
    /// Opens a backup of data keys.
    Keys { format: u32 },
    /// An event, its JSON as text so that it keeps its bytes.
    Event {
        position: i64,
        aggregate_type: String,
        aggregate_id: String,
        sequence: i64,
        event_type: String,
        event_version: String,
        recorded_at: i64,
        payload: String,
        metadata: String,
    },
    /// A unique key.
    UniqueKey { scope: String, key: String, owner: String, item: String },
    /// The first result of a command.
    Command { command_id: String, fingerprint: Vec<u8>, result: String, position: i64, recorded_at: i64 },
    /// A data key, wrapped.
    DataKey { subject_id: String, wrapped: Vec<u8>, master_version: i64, created_at: i64 },
    /// Closes a backup.
    End { counts: Counts, sha256: String },
}

/// How many lines of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub events: u64,
    pub unique_keys: u64,
    pub commands: u64,
    pub data_keys: u64,
}

impl Line {
    pub fn log(position: i64, epoch: i64, recorded_at: i64) -> Self {
        Self::Log { format: FORMAT, position, epoch, recorded_at }
    }

    pub const fn keys() -> Self {
        Self::Keys { format: FORMAT }
    }

    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub const fn is_of_known_format(&self) -> bool {
        match self {
            Self::Log { format, .. } | Self::Keys { format } => *format == FORMAT,
            _ => true,
        }
    }
}

/// Counts and sums lines.
#[derive(Default)]
pub(super) struct Summer {
    counts: Counts,
    hash: Sha256,
}

impl Summer {
    /// The text of a line, counted.
    pub fn line(&mut self, line: &Line) -> String {
        match line {
            Line::Event { .. } => self.counts.events += 1,
            Line::UniqueKey { .. } => self.counts.unique_keys += 1,
            Line::Command { .. } => self.counts.commands += 1,
            Line::DataKey { .. } => self.counts.data_keys += 1,
            Line::Log { .. } | Line::Keys { .. } | Line::End { .. } => {}
        }
        let text = text(line);
        self.hash.update(text.as_bytes());
        text
    }

    /// The counts and the text of the last line.
    pub fn end(&mut self) -> (Counts, String) {
        let sum = std::mem::take(&mut self.hash).finalize();
        let sha256 = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        (self.counts, text(&Line::End { counts: self.counts, sha256 }))
    }
}

/// A line of strings and numbers always has a JSON form.
fn text(line: &Line) -> String {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text
}
