//! Errors of resolvers: what a client reads, and what it does not.

use std::fmt;

use async_graphql::ErrorExtensionValues;
use commands::CommandError;
use projections::{QueryError, SqlError};

use super::cursor::InvalidCursor;
use crate::http::INTERNAL;
use crate::proofs::ProofsError;

/// Why a resolver has no answer. It has no `Display` on purpose: async-graphql would turn that into
/// a message without a code.
#[derive(Clone, Debug)]
pub struct ApiError {
    code: &'static str,
    message: String,
    retryable: bool,
}

impl ApiError {
    /// An error of its own code, for the client to act on.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// Arguments that make no sense.
    #[must_use]
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new("bad_input", message)
    }

    /// The caller may not do or see this.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new("forbidden", "your roles and scope do not allow this")
    }

    /// A page that is too large, or no page at all.
    #[must_use]
    pub fn page_size(limit: usize) -> Self {
        Self::new("page_size_limit", format!("a page has 1 to {limit} rows"))
    }

    /// The read side has not come as far as was asked for.
    #[must_use]
    pub fn stale(wanted: domain::Position, reached: domain::Position) -> Self {
        let message = format!(
            "the list has come to position {reached} and not yet to {wanted}; ask again, or without atLeast"
        );
        Self { retryable: true, ..Self::new("stale", message) }
    }

    /// Our own fault: logged here, under the id of the request, and hidden from the client.
    #[must_use]
    pub fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "a resolver failed");
        Self { retryable: true, ..Self::new(INTERNAL, "something went wrong on our side") }
    }

    /// The stable word that clients switch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl From<InvalidCursor> for ApiError {
    fn from(error: InvalidCursor) -> Self {
        Self::new("cursor_invalid", error.to_string())
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Forbidden(_) => Self::forbidden(),
            QueryError::Invalid(reason) => Self::bad_input(reason),
            QueryError::Sql(error) => error.into(),
        }
    }
}

impl From<SqlError> for ApiError {
    fn from(error: SqlError) -> Self {
        Self::internal(&error)
    }
}

impl From<ProofsError> for ApiError {
    fn from(error: ProofsError) -> Self {
        match error.code() {
            Some(code @ "not_signed_yet") => Self { retryable: true, ..Self::new(code, error.to_string()) },
            Some(code) => Self::new(code, error.to_string()),
            None => Self::internal(&error),
        }
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        let code = match &error {
            CommandError::Forbidden => return Self::forbidden(),
            CommandError::CommandIdReused => "command_id_reused",
            CommandError::CommandIdExpired => "command_id_expired",
            CommandError::CommandIdFromFuture => "command_id_from_future",
            CommandError::CommandIdInvalid => "command_id_invalid",
            CommandError::Contended => {
                return Self { retryable: true, ..Self::new("contended", error.to_string()) };
            }
            CommandError::Unavailable(reason) | CommandError::Internal(reason) => {
                return Self::internal(reason);
            }
            CommandError::Refused(_) | CommandError::StaleRevision { .. } => {
                // Told to the user in the payload, before it comes here.
                return Self::internal(&error);
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code);
        if error.retryable {
            extensions.set("retryable", true);
        }
        Self { message: error.message, source: None, extensions: Some(extensions) }
    }
}
