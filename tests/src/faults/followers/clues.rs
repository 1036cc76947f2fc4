//! Follows the list of clues.

use std::collections::BTreeMap;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::{Follower, Notes, SILENCE, Told, number};
use crate::faults::site::Site;

/// For each clue the position of its last change.
pub type LastChanges = BTreeMap<String, i64>;

impl Follower<LastChanges> {
    /// Follows the list of clues.
    #[must_use]
    pub fn of_clues(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        let token = site.people.last().expect("a manager").token.clone();
        Self::start(servers, move |server, told| {
            let token = token.clone();
            async move { follow(&server, &token, &told).await.unwrap_or_default() }
        })
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// `None` when the server is gone or has nothing more to say.
async fn follow(server: &str, token: &str, told: &Notes<LastChanges>) -> Option<()> {
    let mut request = format!("{}/graphql", server.replacen("http", "ws", 1)).into_client_request().ok()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().ok()?);
    let mut socket = timeout(SILENCE, connect_async(request)).await.ok()?.ok()?.0;
    say(&mut socket, json!({ "type": "connection_init", "payload": { "token": token } })).await?;
    let after = told.borrow().last.to_string();
    let query =
        "subscription S($after: Position) { clueListChanged(after: $after) { position clueId clue { id } } }";
    let payload = json!({ "query": query, "variables": { "after": after } });
    let mut told_here = BTreeMap::new();
    loop {
        let message = timeout(SILENCE, socket.next()).await.ok()??.ok()?;
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).ok()?;
        match message["type"].as_str()? {
            "connection_ack" => {
                say(&mut socket, json!({ "type": "subscribe", "id": "1", "payload": payload })).await?;
            }
            "ping" => say(&mut socket, json!({ "type": "pong" })).await?,
            "next" => {
                let change = &message["payload"]["data"]["clueListChanged"];
                if change.is_null() {
                    return None;
                }
                told.send_modify(|told| told.take(change, &mut told_here));
            }
            "pong" => {}
            _ => return None,
        }
    }
}

async fn say(socket: &mut Socket, message: Value) -> Option<()> {
    socket.send(Message::text(message.to_string())).await.ok()
}

impl Told<LastChanges> {
    fn take(&mut self, change: &Value, told_here: &mut BTreeMap<String, i64>) {
        let position = number(&change["position"]);
        let (Some(position), Some(clue)) = (position, change["clueId"].as_str()) else {
            self.complain(format!("a change is without position or clue: {change}"));
            return;
        };
        if position < self.last {
            self.complain(format!("a change at {position} was told behind {}", self.last));
        }
        // The same change may come as the clue leaves a view, but not as it stays in it.
        let stays = !change["clue"].is_null();
        if stays && told_here.insert(clue.to_owned(), position).is_some_and(|before| before >= position) {
            self.complain(format!("the change of clue {clue} at {position} was told twice"));
        }
        self.last = self.last.max(position);
        let known = self.seen.entry(clue.to_owned()).or_default();
        *known = position.max(*known);
    }
}
