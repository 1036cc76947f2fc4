//! GraphQL over HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{ErrorExtensionValues, ServerError};
use axum::body::Body;
use axum::extract::{Extension, FromRequestParts, Request, State, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::accept::MediaType;
use super::document::DocumentError;
use super::error::{HttpError, WireResponse};
use super::gateway::{Gateway, RequestContext};
use super::observe::RequestId;
use super::parameters::{Parameters, check_content_type};
use super::socket;
use crate::telemetry::OPERATIONS;

/// A body that takes longer to arrive is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Most answers have no more bytes.
const USUAL_ANSWER: usize = 8 * 1024;

/// Answers `/graphql`: POST for everything, GET for queries, an upgrade for subscriptions.
pub(super) async fn handle(
    State(gateway): State<Arc<Gateway>>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_upgrade(&parts.headers) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &gateway).await {
            Ok(upgrade) => socket::accept(upgrade, gateway, id, trace(&parts.headers)),
            Err(rejection) => rejection.into_response(),
        };
    }
    let Some(media_type) = MediaType::negotiate(&parts.headers) else {
        let message = "answers are application/graphql-response+json or application/json";
        return HttpError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
            .response(id, MediaType::Json.content_type());
    };
    match answer(&gateway, id, &parts, body, media_type).await {
        Ok(response) => response,
        Err(error) => error.response(id, media_type.content_type()),
    }
}

async fn answer(
    gateway: &Gateway,
    id: Uuid,
    parts: &Parts,
    body: Body,
    media_type: MediaType,
) -> Result<Response, HttpError> {
    let is_get = match parts.method {
        Method::GET => true,
        Method::POST => {
            check_content_type(&parts.headers)?;
            false
        }
        _ => return Err(method_not_allowed("GET, POST", "GraphQL takes GET and POST")),
    };
    let authorization = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let caller = gateway.authenticator().authenticate_header(authorization).await?;
    let parameters = if is_get {
        Parameters::from_query_string(&parts.uri)?
    } else {
        Parameters::from_body(&read_body(&parts.headers, body, gateway.limits().body_bytes).await?)?
    };
    let document = match gateway.documents().read(&parameters.query) {
        Ok(document) => document,
        Err(error) => return Ok(respond(&refused(error, id), media_type)),
    };
    let operation = document.operation_type(parameters.operation_name.as_deref());
    if operation == Some(OperationType::Subscription) {
        let message = "subscriptions come over the WebSocket at this path, by graphql-transport-ws";
        return Err(HttpError::bad_request("subscription_needs_socket", message));
    }
    if is_get && operation == Some(OperationType::Mutation) {
        return Err(method_not_allowed("POST", "a mutation is sent with POST"));
    }
    let context = RequestContext { caller, request_id: id, trace: trace(&parts.headers) };
    let response = gateway.execute(parameters, &document, &context).await;
    let wire = WireResponse::new(response, id, gateway.limits().complexity);
    count(operation, wire.is_ok());
    Ok(respond(&wire, media_type))
}

/// Counts an operation by closed lists of labels only.
pub(super) fn count(operation: Option<OperationType>, ok: bool) {
    let operation = match operation {
        Some(OperationType::Query) => "query",
        Some(OperationType::Mutation) => "mutation",
        Some(OperationType::Subscription) => "subscription",
        None => "unknown",
    };
    let outcome = if ok { "ok" } else { "error" };
    metrics::counter!(OPERATIONS, "type" => operation, "outcome" => outcome).increment(1);
}

/// A refused document as a GraphQL response.
pub(super) fn refused(error: DocumentError, correlation: Uuid) -> WireResponse {
    let mut server_error = ServerError::new(error.message, error.at);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", error.code);
    server_error.extensions = Some(extensions);
    WireResponse::new(async_graphql::Response::from_errors(vec![server_error]), correlation, 0)
}

fn respond(wire: &WireResponse, media_type: MediaType) -> Response {
    let status = match media_type {
        MediaType::GraphqlResponse if !wire.executed() => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    let mut body = Vec::with_capacity(USUAL_ANSWER);
    // Writing to memory never fails.
    let _ = serde_json::to_writer(&mut body, wire);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type.content_type())),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body).into_response()
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<axum::body::Bytes, HttpError> {
    let too_large = || {
        let message = format!("the body is too large: the limit is {limit} bytes");
        HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    let read = axum::body::to_bytes(body, limit);
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // The client may have gone away as well, but then nobody reads the answer.
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(HttpError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "the body took too long to arrive",
        )),
    }
}

fn method_not_allowed(allow: &'static str, message: &str) -> HttpError {
    let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    HttpError { allow: Some(allow), ..error }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// W3C trace context, when it has the right form; it is stored with events.
pub(super) fn trace(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    (lengths == [2, 32, 16, 2] && value.split('-').all(hex)).then(|| value.to_owned())
}
