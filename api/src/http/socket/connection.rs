//! One socket from its beginning to its end.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use uuid::Uuid;

use super::operations::{Operations, Said, renew};
use super::protocol::{self, ClientMessage, Close};
use crate::auth::{Caller, Rejection};
use crate::http::gateway::{Gateway, RequestContext};

/// Serves a socket until it ends.
pub(super) async fn run(mut socket: WebSocket, gateway: Arc<Gateway>, id: Uuid, trace: Option<String>) {
    if socket.protocol().is_none() {
        close(&mut socket, Close::new(4406, "Subprotocol not acceptable")).await;
        return;
    }
    let (operations, said) = Operations::new(gateway.clone());
    let mut connection = Connection { gateway, id, trace, operations, caller: None };
    if let Err(Some(reason)) = connection.converse(&mut socket, said).await {
        close(&mut socket, reason).await;
    }
}

/// How long a client may take to acknowledge the end.
const GOODBYE: Duration = Duration::from_secs(2);

async fn close(socket: &mut WebSocket, reason: Close) {
    tracing::debug!(code = reason.code, reason = reason.reason, "a socket is closed");
    let goodbye = async {
        // Afterwards the client's own close frame is awaited, or it might never read ours.
        if socket.send(reason.frame()).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    let _ = timeout(GOODBYE, goodbye).await;
}

struct Connection {
    gateway: Arc<Gateway>,
    id: Uuid,
    trace: Option<String>,
    operations: Operations,
    /// Who calls, once `connection_init` was acknowledged.
    caller: Option<Caller>,
}

/// Why the conversation is over: with a reason to tell, or because the client is gone.
type End = Option<Close>;

impl Connection {
    async fn converse(&mut self, socket: &mut WebSocket, mut said: mpsc::Receiver<Said>) -> Result<(), End> {
        let settings = *self.gateway.sockets();
        let draining = self.gateway.draining().clone();
        let init_deadline = Instant::now() + settings.init_timeout;
        let mut keepalive = interval_at(Instant::now() + settings.keepalive, settings.keepalive);
        let mut alive = true;
        loop {
            let expiry = self.caller.as_ref().map(|caller| self.expiry(caller));
            let next = tokio::select! {
                biased;
                () = draining.cancelled() => return Err(Some(Close::new(1001, "The server is about to end"))),
                () = at(expiry) => return Err(Some(Close::forbidden(&Rejection::Expired))),
                () = sleep_until(init_deadline), if self.caller.is_none() => {
                    return Err(Some(Close::new(4408, "Connection initialisation timeout")));
                }
                _ = keepalive.tick() => {
                    if !std::mem::take(&mut alive) {
                        return Err(Some(Close::new(1001, "No answer to ping")));
                    }
                    Some(protocol::simple("ping", None))
                }
                message = socket.next() => {
                    alive = true;
                    self.receive(message).await?
                }
                Some(said) = said.recv() => self.operations.heard(said),
            };
            if let Some(message) = next {
                match timeout(settings.write_timeout, socket.send(message)).await {
                    Ok(Ok(())) => {}
                    // The client is gone, or has not read for so long that it might as well be.
                    Ok(Err(_)) | Err(_) => return Err(None),
                }
            }
        }
    }

    /// When the socket ends with its token.
    fn expiry(&self, caller: &Caller) -> Instant {
        let left = caller.token_expires_at.micros_since(self.gateway.authenticator().now());
        Instant::now() + Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }

    async fn receive(
        &mut self,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<Option<Message>, End> {
        match message {
            Some(Ok(Message::Text(text))) => self.obey(ClientMessage::parse(text.as_str())?).await,
            Some(Ok(Message::Binary(_))) => Err(Some(Close::new(4400, "Messages are text"))),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
            Some(Ok(Message::Close(_))) | None => Err(None),
            Some(Err(_)) => Err(Some(Close::new(1009, "Message too big or broken"))),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<Option<Message>, End> {
        match message {
            ClientMessage::ConnectionInit { .. } if self.caller.is_some() => {
                Err(Some(Close::new(4429, "Too many initialisation requests")))
            }
            ClientMessage::ConnectionInit { payload } => {
                let forbidden = |rejection: Rejection| Close::forbidden(&rejection);
                let token = protocol::token(payload.as_ref()).map_err(forbidden)?;
                let caller = self.gateway.authenticator().authenticate(token).await.map_err(forbidden)?;
                self.caller = Some(caller);
                Ok(Some(protocol::simple("connection_ack", None)))
            }
            ClientMessage::Ping { payload } => Ok(Some(protocol::simple("pong", payload))),
            ClientMessage::Pong {} => Ok(None),
            ClientMessage::Subscribe { id, payload } => {
                let caller = self.caller.as_ref().ok_or_else(|| Close::new(4401, "Unauthorized"))?;
                let caller = renew(&self.gateway, caller).await?;
                let context = RequestContext { caller, request_id: self.id, trace: self.trace.clone() };
                Ok(self.operations.start(id, payload, context)?)
            }
            ClientMessage::Complete { id } => {
                self.operations.stop(&id);
                Ok(None)
            }
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}
