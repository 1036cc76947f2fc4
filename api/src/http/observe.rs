//! What every answer has: an id, a span, metrics, and a typed body even after a panic.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use super::accept::MediaType;
use super::error::HttpError;
use crate::telemetry::{REQUEST_SECONDS, REQUESTS};

/// Where the id of a request stands.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: the client's own when it is a UUID, ours otherwise.
#[derive(Clone, Copy, Debug)]
pub struct RequestId(pub Uuid);

pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("other", MatchedPath::as_str).to_owned();
    let method = method_label(&request);
    let span = tracing::info_span!("request", %id, method, route, status = tracing::field::Empty);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|panic| {
        tracing::error!(parent: &span, panic = panic_message(&*panic), "a handler panicked");
        HttpError::internal().response(id, MediaType::Json.content_type())
    });
    let status = response.status();
    span.record("status", status.as_u16());
    if let Ok(value) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let elapsed = started.elapsed();
    tracing::debug!(parent: &span, elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), "answered");
    let status = status.as_str().to_owned();
    metrics::counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!(REQUEST_SECONDS, "route" => route).record(elapsed.as_secs_f64());
    response
}

fn request_id(headers: &HeaderMap) -> Uuid {
    let given = headers.get(REQUEST_ID).and_then(|value| Uuid::try_parse_ascii(value.as_bytes()).ok());
    given.filter(|id| !id.is_nil()).unwrap_or_else(Uuid::now_v7)
}

/// Clients can invent methods, and labels come from closed lists.
fn method_label(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Messages of panics are written by programmers and hold no data of persons, unlike their payloads.
pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(formatted message, not logged)")
}
