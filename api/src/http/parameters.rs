//! The parameters of a GraphQL request, from a JSON body or a query string.

use std::collections::BTreeMap;

use async_graphql::Variables;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::HttpError;

/// What to execute.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a GraphQL request: an object with a query")]
pub(super) struct Parameters {
    /// The document.
    pub query: String,
    /// Which of its operations.
    #[serde(default)]
    pub operation_name: Option<String>,
    /// Values of its variables.
    #[serde(default)]
    pub variables: Variables,
    /// Whatever a client adds; its shape is checked, as the specification demands.
    #[serde(default, rename = "extensions")]
    _extensions: Option<BTreeMap<String, IgnoredAny>>,
}

/// The same as text, as a query string has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TextParameters {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Parameters {
    /// Reads a JSON body.
    pub fn from_body(body: &[u8]) -> Result<Self, HttpError> {
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(HttpError::bad_request(
                "batch_refused",
                "one request at a time: batches are not taken",
            ));
        }
        serde_json::from_slice(body).map_err(|error| malformed("the body", &error))
    }

    /// Reads a query string.
    pub fn from_query_string(uri: &Uri) -> Result<Self, HttpError> {
        let Query(text) = Query::<TextParameters>::try_from_uri(uri)
            .map_err(|_| HttpError::bad_request("bad_request", "the query string cannot be read"))?;
        let query = text
            .query
            .ok_or_else(|| HttpError::bad_request("bad_request", "the parameter query is missing"))?;
        let variables = optional_json(text.variables.as_deref(), "the parameter variables")?;
        let extensions = optional_json(text.extensions.as_deref(), "the parameter extensions")?;
        let operation_name = text.operation_name.filter(|name| !name.is_empty());
        Ok(Self { query, operation_name, variables: variables.unwrap_or_default(), _extensions: extensions })
    }
}

fn optional_json<T: for<'de> Deserialize<'de>>(
    text: Option<&str>,
    what: &str,
) -> Result<Option<T>, HttpError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| serde_json::from_str(text).map_err(|error| malformed(what, &error))).transpose()
}

/// Says where, and never what stands there: it may be personal data, and answers get logged by others.
fn malformed(what: &str, error: &serde_json::Error) -> HttpError {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        let message = format!(
            "{what} is not a GraphQL request (line {line}, column {column}): query is text, operationName text \
             or null, variables and extensions are objects or null"
        );
        return HttpError::bad_request("bad_request", message);
    }
    HttpError::bad_request("json_syntax", format!("{what} is not JSON (line {line}, column {column})"))
}

/// Refuses a body of any other type than JSON in UTF-8. A form post or plain text could come from
/// any page that a browser visits, without asking us first.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), HttpError> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let json = parts.next().is_some_and(|media_type| media_type == "application/json");
    let utf8 = parts
        .filter_map(|part| part.strip_prefix("charset=").map(|charset| charset.trim_matches('"').to_owned()))
        .all(|charset| charset == "utf-8" || charset == "utf8");
    if json && utf8 {
        return Ok(());
    }
    let message = "the body of a request is application/json in UTF-8";
    Err(HttpError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
}
