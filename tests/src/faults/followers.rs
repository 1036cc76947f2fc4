//! Subscribers that live through everything: one follows the log, one follows the list of clues.
//!
//! Each goes on, on whichever server there is, from the last position that it was told. What breaks a
//! promise is kept as a complaint, for the checks at the end of the round.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::site::Site;

/// How long a follower rests before it connects again.
const REST: Duration = Duration::from_millis(50);
/// A server that says nothing for longer is given up: it speaks at least every fifteen seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// What a subscriber was told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Positions of the log in the order in which they came.
    pub positions: Vec<i64>,
    /// For each clue the position of its last change.
    pub clues: BTreeMap<String, i64>,
    /// The position to go on from.
    pub last: i64,
    /// Promises that were broken.
    pub complaints: Vec<String>,
    /// How often it connected.
    pub connections: usize,
}

/// A subscriber. It ends with this handle.
pub struct Follower {
    told: Arc<watch::Sender<Told>>,
    following: JoinHandle<()>,
}

impl Follower {
    /// What it was told, also from now on.
    #[must_use]
    pub fn told(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// Follows the log.
    #[must_use]
    pub fn of_log(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        let token = site.auditor.token.clone();
        Self::start(servers, move |server, told| {
            let token = token.clone();
            async move { follow_log(&server, &token, &told).await }
        })
    }

    /// Follows the list of clues.
    #[must_use]
    pub fn of_clues(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        let token = site.people.last().expect("a manager").token.clone();
        Self::start(servers, move |server, told| {
            let token = token.clone();
            async move { follow_clues(&server, &token, &told).await.unwrap_or_default() }
        })
    }

    fn start<F>(
        servers: watch::Receiver<Vec<String>>,
        follow: impl Fn(String, Arc<watch::Sender<Told>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let told = Arc::new(watch::channel(Told::default()).0);
        let following = tokio::spawn(keep_on(servers, told.clone(), follow));
        Self { told, following }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Connects again and again, to the last server that came up.
async fn keep_on<F: Future<Output = ()>>(
    mut servers: watch::Receiver<Vec<String>>,
    told: Arc<watch::Sender<Told>>,
    follow: impl Fn(String, Arc<watch::Sender<Told>>) -> F,
) {
    loop {
        let server = servers.borrow_and_update().last().cloned();
        let Some(server) = server else {
            if servers.changed().await.is_err() {
                return;
            }
            continue;
        };
        told.send_modify(|told| told.connections += 1);
        // A server that is no longer named may be stopped and never say anything again.
        let gone = async { drop(servers.wait_for(|now| !now.contains(&server)).await) };
        tokio::select! {
            () = follow(server.clone(), told.clone()) => {}
            () = gone => {}
        }
        sleep(REST).await;
    }
}

async fn follow_log(server: &str, token: &str, told: &watch::Sender<Told>) {
    let after = told.borrow().last;
    let request = reqwest::Client::new()
        .get(format!("{server}/events?follow=true&after={after}"))
        .bearer_auth(token)
        .send();
    let Ok(Ok(response)) = timeout(SILENCE, request).await else { return };
    if response.status().as_u16() == 409 {
        let lost =
            format!("a server at {server} knows nothing of position {after}, which a subscriber was told");
        told.send_modify(|told| told.complaints.push(lost.clone()));
        return;
    }
    if !response.status().is_success() {
        return;
    }
    let (mut chunks, mut rest) = (response.bytes_stream(), Vec::new());
    while let Ok(Some(Ok(chunk))) = timeout(SILENCE, chunks.next()).await {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let Ok(line) = serde_json::from_slice::<Value>(&line) else {
                told.send_modify(|told| told.complaints.push("a line is no JSON".to_owned()));
                return;
            };
            if !line["end"].is_null() || !line["error"].is_null() {
                return;
            }
            told.send_modify(|told| told.take_line(&line));
        }
    }
}

/// A number, or the string of one.
pub fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

impl Told {
    fn take_line(&mut self, line: &Value) {
        let Some(position) = number(&line["position"]) else {
            self.complaints.push(format!("a line has no position: {line}"));
            return;
        };
        let is_event = !line["eventId"].is_null();
        let expected = self.last + i64::from(is_event);
        if position != expected {
            self.complaints.push(format!("position {position} was told, {expected} is the next: {line}"));
        }
        if is_event {
            self.positions.push(position);
            self.last = position;
        }
    }

    fn take_change(&mut self, change: &Value, told_here: &mut BTreeMap<String, i64>) {
        let position = number(&change["position"]);
        let (Some(position), Some(clue)) = (position, change["clueId"].as_str()) else {
            self.complaints.push(format!("a change is without position or clue: {change}"));
            return;
        };
        if position < self.last {
            self.complaints.push(format!("a change at {position} was told behind {}", self.last));
        }
        // The same change may come as the clue leaves a view, but not as it stays in it.
        let stays = !change["clue"].is_null();
        if stays && told_here.insert(clue.to_owned(), position).is_some_and(|before| before >= position) {
            self.complaints.push(format!("the change of clue {clue} at {position} was told twice"));
        }
        self.last = self.last.max(position);
        let known = self.clues.entry(clue.to_owned()).or_default();
        *known = position.max(*known);
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// `None` when the server is gone or has nothing more to say.
async fn follow_clues(server: &str, token: &str, told: &watch::Sender<Told>) -> Option<()> {
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
                told.send_modify(|told| told.take_change(change, &mut told_here));
            }
            "pong" => {}
            _ => return None,
        }
    }
}

async fn say(socket: &mut Socket, message: Value) -> Option<()> {
    socket.send(Message::text(message.to_string())).await.ok()
}
