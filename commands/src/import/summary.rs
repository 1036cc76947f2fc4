//! What an import tells: while it runs, and at its end.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::ids::CorrelationId;

use super::detect::Layout;

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that are done.
    pub bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Rows that are done.
    pub rows: u64,
    /// Rows that were taken in.
    pub accepted: u64,
    /// Rows that had been taken in before.
    pub known: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Rows that wait because the store did not answer.
    pub waiting: usize,
}

/// What became of the rows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The correlation id of every event of this run.
    pub run: CorrelationId,
    /// Whether nothing was appended, because only a look was asked for.
    pub dry_run: bool,
    /// How the file was read.
    pub layout: Layout,
    /// Rows, without header and blank lines.
    pub rows: u64,
    /// Rows that were taken in.
    pub accepted: u64,
    /// Those of them whose deal was done already.
    pub won: u64,
    /// Rows that had been taken in before, by this run or another.
    pub known: u64,
    /// Rows that were rejected, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Where the rejected rows are, when there are any.
    pub rejected_file: Option<PathBuf>,
    /// Whether a dry run of a very long file may have taken repeated rows for new ones.
    pub approximate: bool,
}

impl Summary {
    pub(super) const fn new(run: CorrelationId, dry_run: bool, layout: Layout) -> Self {
        Self {
            run,
            dry_run,
            layout,
            rows: 0,
            accepted: 0,
            won: 0,
            known: 0,
            rejected: BTreeMap::new(),
            rejected_file: None,
            approximate: false,
        }
    }

    /// How many rows were rejected.
    #[must_use]
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// What the program ends with: 0 when every row is accepted or known, 3 when some are rejected.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.rejected.is_empty() { 0 } else { 3 }
    }
}
