//! GraphQL over WebSocket: the graphql-transport-ws protocol.
//!
//! Guarantees: nothing is executed before `connection_init` with a good token; every breach of the
//! protocol closes the socket with the code that the protocol has for it; a client that does not
//! read holds back its own subscriptions and nothing else, and is dropped in the end; a socket ends
//! with its token.
//!
//! Deliberately absent: the older `graphql-ws` protocol, which closes with 4406.

mod connection;
mod operations;
mod protocol;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use uuid::Uuid;

use super::gateway::Gateway;
use super::graphql::trace;
use super::observe::RequestId;
use crate::telemetry::SOCKETS;

/// The name of the protocol.
const PROTOCOL: &str = "graphql-transport-ws";

/// How sockets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSettings {
    /// How long a client may take until `connection_init`.
    pub init_timeout: Duration,
    /// How often a client is asked whether it is still there.
    pub keepalive: Duration,
    /// How long a message may take to be written.
    pub write_timeout: Duration,
    /// Messages that wait for a client that reads slowly; its subscriptions wait behind them.
    pub queue: usize,
    /// Operations at once on one socket.
    pub operations: usize,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            init_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(25),
            write_timeout: Duration::from_secs(20),
            queue: 32,
            operations: 50,
        }
    }
}

/// Answers `/graphql/ws`.
pub(super) async fn handle(
    State(gateway): State<Arc<Gateway>>,
    Extension(RequestId(id)): Extension<RequestId>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    accept(upgrade, gateway, id, trace(&headers))
}

/// Turns a request into a socket.
pub(super) fn accept(
    upgrade: WebSocketUpgrade,
    gateway: Arc<Gateway>,
    id: Uuid,
    trace: Option<String>,
) -> Response {
    let limit = gateway.limits().body_bytes;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(limit).max_frame_size(limit);
    upgrade.on_upgrade(move |socket| {
        let tasks = gateway.tasks().clone();
        tasks.track_future(async move {
            metrics::gauge!(SOCKETS).increment(1);
            connection::run(socket, gateway, id, trace).await;
            metrics::gauge!(SOCKETS).decrement(1);
        })
    })
}
