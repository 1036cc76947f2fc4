//! Errors as clients see them: one typed body for every failure, whatever layer it comes from.

use async_graphql::{ServerError, Value};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::auth::Rejection;

/// The code of everything that is our fault.
pub const INTERNAL: &str = "internal";
/// What clients read when it is our fault; the log has the rest under the same correlation id.
const INTERNAL_MESSAGE: &str = "something went wrong on our side; the correlation id finds it in our log";

/// A request that is refused before or instead of being executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable word that clients switch on.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Methods to use instead, when the method is to blame.
    pub allow: Option<&'static str>,
}

impl HttpError {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), allow: None }
    }

    /// A request that is not as it should be.
    #[must_use]
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Our own fault.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, INTERNAL_MESSAGE)
    }

    /// The refusal as a response.
    #[must_use]
    pub fn response(&self, correlation: Uuid, content_type: &'static str) -> Response {
        let body = json!({ "errors": [error_json(self.code, &self.message, correlation)] });
        let content_type = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        let mut response = (self.status, content_type, body.to_string()).into_response();
        let headers = response.headers_mut();
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Rejection> for HttpError {
    fn from(rejection: Rejection) -> Self {
        match &rejection {
            Rejection::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, INTERNAL, INTERNAL_MESSAGE)
            }
            Rejection::Suspended => Self::new(StatusCode::FORBIDDEN, rejection.code(), rejection.to_string()),
            _ => Self::new(StatusCode::UNAUTHORIZED, rejection.code(), rejection.to_string()),
        }
    }
}

/// One entry of `errors`.
#[must_use]
pub fn error_json(code: &str, message: &str, correlation: Uuid) -> serde_json::Value {
    json!({ "message": message, "extensions": { "code": code, "correlationId": correlation } })
}

/// Whether execution began: its errors have a path, those without one stopped the request before it.
pub(super) fn executed(response: &async_graphql::Response) -> bool {
    let errors = &response.errors;
    errors.is_empty() || response.data != Value::Null || errors.iter().any(|error| !error.path.is_empty())
}

/// A GraphQL response as it goes over the wire. `data` is left out when execution never began, as
/// the GraphQL specification demands of request errors.
#[derive(Serialize)]
pub struct WireResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    extensions: std::collections::BTreeMap<String, Value>,
}

impl WireResponse {
    /// Gives every error its code and correlation id, and hides what is our own fault.
    #[must_use]
    pub fn new(response: async_graphql::Response, correlation: Uuid, complexity: usize) -> Self {
        let executed = executed(&response);
        let async_graphql::Response { data, extensions, mut errors, .. } = response;
        for error in &mut errors {
            finish(error, correlation, complexity);
        }
        Self { data: executed.then_some(data), errors, extensions }
    }

    /// Whether execution began.
    #[must_use]
    pub const fn executed(&self) -> bool {
        self.data.is_some()
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// The errors.
    #[must_use]
    pub fn errors(&self) -> &[ServerError] {
        &self.errors
    }
}

/// Gives an error its code. What has none comes from async-graphql itself, or from a resolver that
/// let an error of ours escape: the latter is hidden and logged.
fn finish(error: &mut ServerError, correlation: Uuid, complexity: usize) {
    let has_code = error.extensions.as_ref().is_some_and(|values| values.get("code").is_some());
    let code = if has_code {
        None
    } else if error.path.is_empty() && error.message == "Query is too complex." {
        error.message =
            format!("the query is too complex: at most {complexity} fields can be answered at once");
        Some("complexity_limit")
    } else if error.message.starts_with("Failed to parse \"")
        || error.message.starts_with("Expected input type ")
    {
        Some("bad_input")
    } else if error.path.is_empty() {
        Some("graphql_invalid")
    } else {
        tracing::error!(%correlation, error = %error.message, path = ?error.path, "a resolver failed");
        INTERNAL_MESSAGE.clone_into(&mut error.message);
        Some(INTERNAL)
    };
    let extensions = error.extensions.get_or_insert_default();
    if let Some(code) = code {
        extensions.set("code", code);
    }
    extensions.set("correlationId", correlation.to_string());
    error.source = None;
}
