//! Why a query has no answer.

use crate::sql::SqlError;

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The viewer's roles do not allow the question. Rows beyond the scope are no error: they are
    /// just not there.
    #[error("the viewer may not ask this: {0}")]
    Forbidden(&'static str),
    /// The question makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
}
