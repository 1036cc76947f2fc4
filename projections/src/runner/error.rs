//! Why a projector cannot go on.

use domain::codec::DecodeError;
use domain::envelope::Position;
use domain::ports::{ReadError, UnsealError};

use crate::sql::SqlError;

/// Why a projector, a rebuild or a wait did not get further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Keys cannot be read.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// The database of the read models refuses.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A newer program wrote the next event: only an upgrade helps.
    #[error(transparent)]
    Newer(#[from] DecodeError),
    /// The tables were built by a newer program.
    #[error("read model {model} was built by version {found}, this program has version {known}")]
    NewerModel {
        /// The read model.
        model: &'static str,
        /// Version of its tables.
        found: i64,
        /// Version of its code.
        known: i64,
    },
    /// Another process moves the read model now.
    #[error("another process has taken over the read model")]
    Fenced,
    /// Another process holds the lease.
    #[error("another process works on {0}")]
    Held(String),
    /// No such read model.
    #[error("no read model is called {0}")]
    Unknown(String),
    /// There is no retired copy to go back to.
    #[error("read model {0} has no former copy")]
    NoFormer(String),
    /// Views would go on showing the rows of before.
    #[error(
        "{views} depend on the tables of read model {model}, and would go on showing its old rows: drop them, and \
         create them anew afterwards"
    )]
    Dependents {
        /// The read model.
        model: &'static str,
        /// Their names.
        views: String,
    },
    /// The runtime shut down in the middle.
    #[error("the program is shutting down")]
    Interrupted,
}

impl RunError {
    /// Whether going on as before may help. When not, somebody must look.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Read(ReadError::Unavailable(_))
                | Self::Unseal(_)
                | Self::Sql(SqlError::Unavailable(_))
                | Self::Fenced
                | Self::Held(_)
                | Self::Dependents { .. }
        )
    }
}

/// The read models did not come as far as the caller asked, in the time that the caller gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// Ask again later, or without `atLeast`.
    #[error("the read models are at position {at}, not yet at {wanted}")]
    Stale {
        /// Where the slowest is.
        at: Position,
        /// Where it should be.
        wanted: Position,
    },
    /// The database of the read models refuses.
    #[error(transparent)]
    Sql(#[from] SqlError),
}
