//! Whether the program lives, and whether it can be given work.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// A part that does not answer in this time is not ready.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is known of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which part.
    pub name: String,
    /// Whether it can work.
    pub ready: bool,
    /// How it is, for people; holds no secrets and no personal data.
    pub detail: String,
}

/// Tells whether the parts can work.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// How each part is: the database, each read model's lag.
    async fn check(&self) -> Vec<Check>;
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    checks: Vec<Check>,
}

#[derive(Clone)]
struct Health {
    readiness: Arc<dyn Readiness>,
    draining: CancellationToken,
}

pub(super) fn routes(readiness: Arc<dyn Readiness>, draining: CancellationToken) -> Router {
    // Collecting begins before the first request, or the first answers would not be counted.
    let _ = telemetry::metrics();
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Health { readiness, draining })
}

async fn ready(State(health): State<Health>) -> Response {
    let checks = if health.draining.is_cancelled() {
        vec![not_ready("server", "is about to end")]
    } else {
        match tokio::time::timeout(TIMEOUT, health.readiness.check()).await {
            Ok(checks) => checks,
            Err(_) => vec![not_ready("server", "its parts do not answer")],
        }
    };
    let ready = checks.iter().all(|check| check.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Report { ready, checks })).into_response()
}

fn not_ready(name: &str, detail: &str) -> Check {
    Check { name: name.to_owned(), ready: false, detail: detail.to_owned() }
}

async fn metrics() -> Response {
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], telemetry::metrics().render()).into_response()
}
