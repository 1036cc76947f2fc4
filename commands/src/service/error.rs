//! Why a command did not do what it asked for.

use domain::Refusal;
use domain::envelope::Revision;
use domain::ports::ReadError;
use serde::{Deserialize, Serialize};

use crate::event_log::AppendError;

/// A refusal of the business as callers see it, the same at every repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The stable word that clients switch on.
    pub code: String,
    /// What is wrong, in plain words; never personal data.
    pub message: String,
    /// The input that is to blame, as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Refused {
    /// A refusal that no aggregate makes.
    #[must_use]
    pub fn new(code: &str, message: &str, field: Option<&str>) -> Self {
        Self { code: code.to_owned(), message: message.to_owned(), field: field.map(str::to_owned) }
    }

    /// A refusal of an aggregate.
    #[must_use]
    pub fn of(refusal: &impl Refusal) -> Self {
        Self { code: refusal.code().to_owned(), message: refusal.to_string(), field: refusal.field() }
    }
}

/// Why a command is answered with no. The log remembers it with the command's id and checks what it
/// was decided on, so that it is the answer at every repeat, and no earlier sending that is still on its
/// way is done behind it (on EventStoreDB: of this process).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declined {
    /// The rules forbid it.
    Refused(Refused),
    /// The actor may not do it.
    Forbidden,
    /// The aggregate went on since the caller saw it.
    StaleRevision {
        /// The revision that the caller saw.
        expected: Revision,
        /// The revision that it had.
        current: Revision,
    },
}

impl From<Refused> for Declined {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Why a command did not do what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The rules forbid it.
    #[error("{}", .0.message)]
    Refused(Refused),
    /// The actor may not do it, or may not know whether it exists. Remembered, as a refusal is: with more
    /// rights, it is another command.
    #[error("not allowed")]
    Forbidden,
    /// The aggregate went on since the caller saw it. Remembered, as a refusal is: whoever looks again and
    /// still wants it sends another command.
    #[error("it changed since: it was at revision {current}, not {expected}")]
    StaleRevision {
        /// The revision that the caller saw.
        expected: Revision,
        /// The revision that it had when this was answered first.
        current: Revision,
    },
    /// The command id was used for something else.
    #[error("this command id was used for another command")]
    CommandIdReused,
    /// The command id is older than results are kept.
    #[error("the command id is older than 30 days, so nobody knows whether it was done")]
    CommandIdExpired,
    /// The command id was made in the future.
    #[error("the command id was made more than five minutes in the future")]
    CommandIdFromFuture,
    /// The command id is no UUIDv7.
    #[error("a command id is a UUID of version 7")]
    CommandIdInvalid,
    /// Other writers were faster, again and again.
    #[error("too many others change this at once; try again")]
    Contended,
    /// A store did not answer. Whether it was done is found out by sending the same command again.
    #[error("the store is not available")]
    Unavailable(String),
    /// A fault of the program or its data.
    #[error("internal error")]
    Internal(String),
}

impl CommandError {
    /// The stable word that clients switch on.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refused) => &refused.code,
            Self::Forbidden => "forbidden",
            Self::StaleRevision { .. } => "stale_revision",
            Self::CommandIdReused => "command_id_reused",
            Self::CommandIdExpired => "command_id_expired",
            Self::CommandIdFromFuture => "command_id_from_future",
            Self::CommandIdInvalid => "command_id_invalid",
            Self::Contended => "contended",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether the caller did something wrong, so that it is told what.
    #[must_use]
    pub const fn is_callers(&self) -> bool {
        !matches!(self, Self::Unavailable(_) | Self::Internal(_))
    }
}

impl From<Declined> for CommandError {
    fn from(declined: Declined) -> Self {
        match declined {
            Declined::Refused(refused) => Self::Refused(refused),
            Declined::Forbidden => Self::Forbidden,
            Declined::StaleRevision { expected, current } => Self::StaleRevision { expected, current },
        }
    }
}

impl From<ReadError> for CommandError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(reason) => Self::Unavailable(reason),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<AppendError> for CommandError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Unavailable(reason) => Self::Unavailable(reason),
            AppendError::WrongExpectedRevision { .. }
            | AppendError::KeyTaken { .. }
            | AppendError::KeyDestroyed { .. } => Self::Contended,
            other => Self::Internal(other.to_string()),
        }
    }
}

/// Why a use case stops before it has staged everything.
#[derive(Debug)]
pub enum Stop {
    /// The answer is no: remembered as the command's result.
    Declined(Declined),
    /// Nobody knows the answer: not remembered.
    Fail(CommandError),
    /// A fact changed while it was looked at: decide again.
    Again,
}

impl<R: Refusal> From<R> for Stop {
    fn from(refusal: R) -> Self {
        Self::Declined(Refused::of(&refusal).into())
    }
}

impl Stop {
    /// A refusal that no aggregate makes.
    pub(crate) fn refused(code: &str, message: &str, field: Option<&str>) -> Self {
        Self::Declined(Refused::new(code, message, field).into())
    }

    /// What it is to a caller for whom nothing is remembered.
    pub(super) fn unremembered(self) -> CommandError {
        match self {
            Self::Declined(declined) => declined.into(),
            Self::Fail(error) => error,
            Self::Again => CommandError::Contended,
        }
    }

    /// A store that failed.
    pub(crate) fn read(error: ReadError) -> Self {
        Self::Fail(error.into())
    }
}
