//! HTTP: GraphQL over HTTP and WebSocket, the console, health and metrics.
//!
//! Guarantees: the GraphQL-over-HTTP specification and the graphql-transport-ws protocol, to the
//! letter; nothing is executed for a caller who is not known; no form post or plain text from
//! another site's page is taken for a request; every failure, a panic included, has one typed body
//! with the id under which the log has more.
//!
//! Deliberately absent: TLS (a proxy's work), cookies, cross-origin access, uploads, batches.

mod accept;
pub mod console;
pub mod document;
mod engine;
mod error;
pub mod events;
mod gateway;
mod graphql;
mod health;
mod observe;
mod parameters;
pub mod proof;
mod server;
mod socket;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get};

pub use accept::MediaType;
pub use engine::Engines;
pub use error::{HttpError, INTERNAL, WireResponse};
pub use gateway::{Gateway, Prepare, RequestContext};
pub use health::{Check, Readiness};
pub use observe::RequestId;
pub use server::{BindError, Server, stop_signal};
pub use socket::SocketSettings;

/// Every route of the program but those that other topics add.
pub fn router(gateway: Arc<Gateway>, readiness: Arc<dyn Readiness>) -> Router {
    let draining = gateway.draining().clone();
    let api = Router::new()
        .route("/graphql", any(graphql::handle))
        .route("/graphql/ws", get(socket::handle))
        .with_state(gateway);
    Router::new()
        .merge(api)
        .merge(console::routes())
        .merge(health::routes(readiness, draining))
        .fallback(not_found)
}

/// Health and metrics alone, for a process that answers nothing else.
pub fn probes(gateway: &Gateway, readiness: Arc<dyn Readiness>) -> Router {
    health::routes(readiness, gateway.draining().clone()).fallback(not_found)
}

/// Wraps finished routes in what every answer has: an id, a span, metrics, and a body for panics.
pub fn observed(routes: Router) -> Router {
    routes.layer(axum::middleware::from_fn(observe::observe))
}

async fn not_found(Extension(RequestId(id)): Extension<RequestId>) -> Response {
    HttpError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
        .response(id, MediaType::Json.content_type())
}
