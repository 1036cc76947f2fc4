//! Follows clues: the last change of each in the list, and which there are in a view.

use std::collections::{BTreeMap, BTreeSet};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::{Follower, Notes, SILENCE, Told, number};
use crate::faults::site::{Person, Site};

const LIST: &str = "clueListChanged";
const POOL: &str = "poolChanged";

/// For each clue the position of its last change.
pub type ByClue = BTreeMap<String, i64>;

/// What was told of the clues in the list.
#[derive(Clone, Debug, Default)]
pub struct LastChanges {
    /// For each clue the position of its last change.
    pub positions: ByClue,
    /// Clues and positions that were told more than once on one connection.
    pub repeated: Vec<(String, i64)>,
}

/// The clues that a view has, as a screen shows them that hears of changes alone.
pub type Picture = BTreeSet<String>;

impl Follower<LastChanges> {
    /// Follows the list of clues, all of which a manager sees.
    #[must_use]
    pub fn of_clues(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        Self::of_view(LIST, manager(site), servers, Told::note)
    }
}

impl Follower<Picture> {
    /// Keeps a picture of the pool.
    #[must_use]
    pub fn of_pool(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        Self::of_view(POOL, manager(site), servers, |told, change, _| told.draw(change))
    }

    /// Keeps a picture of the clues that the first agent has.
    #[must_use]
    pub fn of_agent(site: &Site, servers: watch::Receiver<Vec<String>>) -> Self {
        Self::of_view(LIST, &site.people[0], servers, |told, change, _| told.draw(change))
    }
}

fn manager(site: &Site) -> &Person {
    site.people.last().expect("a manager")
}

/// A change of a clue.
struct Change {
    position: i64,
    clue: String,
    /// Whether it is in the view now.
    stays: bool,
}

impl<S: Default + Send + Sync + 'static> Follower<S> {
    /// Follows a view of clues as somebody sees it. Changes are taken together with the changes that were
    /// told on the same connection.
    fn of_view(
        view: &'static str,
        person: &Person,
        servers: watch::Receiver<Vec<String>>,
        take: fn(&mut Told<S>, Change, &mut ByClue),
    ) -> Self {
        let token = person.token.clone();
        Self::start(servers, move |server, told| {
            let token = token.clone();
            async move { follow(&server, &token, view, &told, take).await.unwrap_or_default() }
        })
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// `None` when the server is gone or has nothing more to say.
async fn follow<S>(
    server: &str,
    token: &str,
    view: &str,
    told: &Notes<S>,
    take: fn(&mut Told<S>, Change, &mut ByClue),
) -> Option<()> {
    let mut request = format!("{}/graphql", server.replacen("http", "ws", 1)).into_client_request().ok()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().ok()?);
    let mut socket = timeout(SILENCE, connect_async(request)).await.ok()?.ok()?.0;
    say(&mut socket, json!({ "type": "connection_init", "payload": { "token": token } })).await?;
    let after = told.borrow().last.to_string();
    let query = format!(
        "subscription S($after: Position) {{ {view}(after: $after) {{ position clueId clue {{ id }} }} }}"
    );
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
                let change = &message["payload"]["data"][view];
                if change.is_null() {
                    return None;
                }
                told.send_modify(|told| {
                    if let Some(change) = told.read(change) {
                        take(told, change, &mut told_here);
                    }
                });
            }
            "pong" => {}
            _ => return None,
        }
    }
}

async fn say(socket: &mut Socket, message: Value) -> Option<()> {
    socket.send(Message::text(message.to_string())).await.ok()
}

impl<S> Told<S> {
    fn read(&mut self, change: &Value) -> Option<Change> {
        let position = number(&change["position"]);
        let (Some(position), Some(clue)) = (position, change["clueId"].as_str()) else {
            self.complain(format!("a change is without position or clue: {change}"));
            return None;
        };
        if position < self.last {
            self.complain(format!("a change at {position} was told behind {}", self.last));
        }
        self.last = self.last.max(position);
        Some(Change { position, clue: clue.to_owned(), stays: !change["clue"].is_null() })
    }
}

impl Told<LastChanges> {
    fn note(&mut self, change: Change, told_here: &mut ByClue) {
        let Change { position, clue, stays } = change;
        // The same change may come as the clue leaves a view, but not as it stays in it.
        if stays && told_here.insert(clue.clone(), position).is_some_and(|before| before >= position) {
            self.seen.repeated.push((clue.clone(), position));
        }
        let known = self.seen.positions.entry(clue).or_default();
        *known = position.max(*known);
    }
}

impl Told<Picture> {
    fn draw(&mut self, change: Change) {
        if change.stays {
            self.seen.insert(change.clue);
        } else {
            self.seen.remove(&change.clue);
        }
    }
}
