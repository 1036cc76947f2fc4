//! Who calls: tokens, the operators behind them, and why a caller is turned away.
//!
//! Guarantees: only EdDSA tokens of our own issuer and audience are taken; a token names an operator
//! and nothing else, so that roles and scope are always those of this moment; a suspended operator
//! is turned away with the next request.
//!
//! Deliberately absent: passwords and sessions (tokens come from `cluestream token` or from whoever
//! holds the signing key), and what a role allows, which the read and write sides decide.

mod authenticator;
mod token;

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::Instant;
use domain::ids::OperatorId;
use domain::operator::{Role, Scope};

pub use authenticator::Authenticator;
pub use token::{IssuedToken, TokenError, Tokens};

/// An operator whose token was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub operator_id: OperatorId,
    /// What the operator is there for.
    pub roles: BTreeSet<Role>,
    /// Where that holds.
    pub scope: Scope,
    /// When the token ends, and with it every open socket.
    pub token_expires_at: Instant,
}

/// What is known of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// What the operator is there for.
    pub roles: BTreeSet<Role>,
    /// Where that holds.
    pub scope: Scope,
    /// Whether the operator may do nothing for now.
    pub suspended: bool,
}

/// The directory did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the directory of operators is not available: {0}")]
pub struct DirectoryUnavailable(pub String);

/// Knows the operators.
#[async_trait]
pub trait Directory: Send + Sync {
    /// What is known of an operator; `None` when nothing is.
    async fn find(&self, id: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable>;
}

/// Why a caller is turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No token.
    #[error("a token is needed: Authorization: Bearer <token>")]
    Missing,
    /// Not a token at all.
    #[error("the token cannot be read")]
    Malformed,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
    /// Not signed by us, or not for us.
    #[error("the token was not issued for this service")]
    Forged,
    /// Nobody of that id.
    #[error("the token is of an operator who is not known here")]
    UnknownOperator,
    /// May do nothing for now.
    #[error("the operator is suspended")]
    Suspended,
    /// Nobody could tell.
    #[error(transparent)]
    Unavailable(#[from] DirectoryUnavailable),
}

impl Rejection {
    /// The stable word that clients switch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Malformed => "token_malformed",
            Self::Expired => "token_expired",
            Self::Forged => "token_forged",
            Self::UnknownOperator => "operator_unknown",
            Self::Suspended => "operator_suspended",
            Self::Unavailable(_) => "internal",
        }
    }
}
