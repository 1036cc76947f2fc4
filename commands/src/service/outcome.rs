//! The result of a command: what the caller gets, now and at every repeat.

use std::collections::BTreeMap;

use domain::Position;
use domain::envelope::Revision;
use serde::{Deserialize, Serialize};

use super::error::{CommandError, Declined};
use crate::event_log::StoredCommand;

/// What a use case came to.
pub struct Done {
    result: Result<Ids, Declined>,
}

/// Ids that a use case made or found.
type Ids = BTreeMap<String, String>;

/// The stored form of a result: ids, codes, revisions.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Done {
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        ids: Ids,
        #[serde(default)]
        revision: Revision,
    },
    #[serde(untagged)]
    Declined(Declined),
}

/// A command that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The log's position that shows the effect: queries take it as `atLeast`.
    pub position: Position,
    /// The revision of the aggregate that the command was about.
    pub revision: Revision,
    /// Ids that the command made or found, by name, for example `clue_id`.
    pub ids: BTreeMap<String, String>,
    /// Whether this is the result of an earlier sending of the same command.
    pub repeated: bool,
}

impl Done {
    /// It was done.
    pub(crate) const fn plain() -> Self {
        Self { result: Ok(BTreeMap::new()) }
    }

    /// The answer is no; events may record that.
    pub(crate) fn declined(declined: impl Into<Declined>) -> Self {
        Self { result: Err(declined.into()) }
    }

    /// It was done, and made or found something.
    pub(crate) fn id(mut self, name: &str, id: impl ToString) -> Self {
        if let Ok(ids) = &mut self.result {
            ids.insert(name.to_owned(), id.to_string());
        }
        self
    }

    /// The result as it is stored.
    pub(super) fn stored(&self, revision: Revision) -> Result<String, serde_json::Error> {
        serde_json::to_string(&match &self.result {
            Ok(ids) => Stored::Done { ids: ids.clone(), revision },
            Err(declined) => Stored::Declined(declined.clone()),
        })
    }

    /// The result as the caller gets it.
    pub(super) fn answer(self, at: (Position, Revision)) -> Result<Receipt, CommandError> {
        let (position, revision) = at;
        match self.result {
            Ok(ids) => Ok(Receipt { position, revision, ids, repeated: false }),
            Err(declined) => Err(declined.into()),
        }
    }
}

impl Receipt {
    pub(super) fn stored(stored: &StoredCommand) -> Result<Self, CommandError> {
        let result = serde_json::from_str(&stored.result)
            .map_err(|error| CommandError::Internal(format!("a stored result cannot be read: {error}")))?;
        match result {
            Stored::Done { ids, revision } => {
                Ok(Self { position: stored.position, revision, ids, repeated: true })
            }
            Stored::Declined(declined) => Err(declined.into()),
        }
    }

    /// An id that the command made or found.
    #[must_use]
    pub fn id(&self, name: &str) -> Option<&str> {
        self.ids.get(name).map(String::as_str)
    }
}
