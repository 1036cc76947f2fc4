//! Why a consumer cannot do something.

use domain::envelope::Position;
use domain::ports::ReadError;
use domain::values::Instant;

use crate::sql::SqlError;

/// Why a consumer cannot do that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// There is none of that name.
    #[error("there is no consumer of this name")]
    Unknown,
    /// There is one of that name, of another owner or with other types.
    #[error("there is a consumer of this name already, of another owner or with other types")]
    Exists,
    /// It belongs to another operator.
    #[error("the consumer belongs to another operator")]
    OfAnother,
    /// Another reader has it.
    #[error("another reader has the consumer until {until}")]
    Leased {
        /// When that ends, if it is not renewed.
        until: Instant,
    },
    /// The lease is not, or no longer, the one by which the consumer moves.
    #[error("the lease was lost: it ended and another reader took the consumer, or its position was set")]
    LeaseLost,
    /// An acknowledgement of what is behind the position.
    #[error("everything up to {position} is acknowledged already; only setting the position goes back")]
    Backwards {
        /// Where the consumer is.
        position: Position,
    },
    /// An acknowledgement of what was not delivered.
    #[error("only what is up to {delivered} was delivered under this lease")]
    Undelivered {
        /// Up to where.
        delivered: Position,
    },
    /// A position that the log does not have.
    #[error("the position is beyond the end of the log, which is at {head}")]
    BeyondHead {
        /// The end.
        head: Position,
    },
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The log did not say where it ends.
    #[error(transparent)]
    Read(#[from] ReadError),
}
