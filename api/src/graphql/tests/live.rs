//! Subscriptions: live, resumable, within the subscriber's scope.

use std::time::Duration;

use domain::ids::OperatorId;
use domain::operator::Role;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::world::World;

const LIST: &str = "subscription S($after: Position) { clueListChanged(after: $after) { position clueId clue { lifecycle ownerId } } }";
const POOL: &str = "subscription P($after: Position) { poolChanged(after: $after) { position clueId clue { lifecycle customerName { visibility } } } }";

struct Watcher(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Watcher {
    async fn new(world: &World, who: OperatorId, query: &str, after: Option<&Value>) -> Self {
        let mut request = format!("ws://{}/graphql/ws", world.address).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let mut socket = connect_async(request).await.unwrap().0;
        let say = |message: Value| Message::text(message.to_string());
        let token = world.token(who);
        socket.send(say(json!({ "type": "connection_init", "payload": { "token": token } }))).await.unwrap();
        let payload = json!({ "query": query, "variables": { "after": after } });
        socket.send(say(json!({ "type": "subscribe", "id": "1", "payload": payload }))).await.unwrap();
        let mut watcher = Self(socket);
        assert_eq!(watcher.hear().await["type"], "connection_ack");
        watcher
    }

    async fn hear(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.unwrap();
            if let Message::Text(text) = message.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The next change as it came.
    async fn told(&mut self) -> Value {
        let message = self.hear().await;
        let data = &message["payload"]["data"];
        let change = data.get("clueListChanged").or_else(|| data.get("poolChanged"));
        change.unwrap_or_else(|| panic!("{message}")).clone()
    }

    /// The next change: clue, and what became of it.
    async fn change(&mut self) -> (Value, Value) {
        let change = self.told().await;
        (change["clueId"].clone(), change["clue"]["lifecycle"].clone())
    }
}

#[tokio::test]
async fn a_watcher_hears_of_clues_that_come_and_go() {
    let world = World::new().await;
    let (agent, other) = (world.agent(0), world.agent(1));
    let start = world.owned("13800138300", agent).await;
    let mut list = Watcher::new(&world, agent, LIST, Some(&start["position"])).await;
    let mut pool = Watcher::new(&world, other, POOL, Some(&start["position"])).await;
    let clue = world.owned("13800138301", agent).await;
    assert_eq!(list.change().await, (clue["clueId"].clone(), json!("OWNED")));
    world.owned("13800138302", other).await;
    let input = json!({ "clueId": clue["clueId"] });
    world.done(agent, "releaseClue", "ReleaseClueInput", input.clone()).await;
    assert_eq!(list.change().await, (clue["clueId"].clone(), json!(null)), "it left; another's never came");
    assert_eq!(pool.change().await, (clue["clueId"].clone(), json!("POOLED")));
    let taken = world.pooled("13800138303").await;
    assert_eq!(pool.change().await, (taken["clueId"].clone(), json!("POOLED")));
    world.done(other, "claimClue", "ClueInput", json!({ "clueId": taken["clueId"] })).await;
    assert_eq!(pool.change().await, (taken["clueId"].clone(), json!(null)));
    world.end().await;
}

#[tokio::test]
async fn a_screen_that_begins_at_the_position_of_the_log_misses_nothing() {
    let world = World::new().await;
    let (agent, other) = (world.agent(0), world.agent(1));
    let clue = world.pooled("13800138305").await;
    let at = world.data(other, "{ logPosition }", json!({})).await["logPosition"].clone();
    assert_eq!(at, clue["position"]);
    // The claim comes between the reading of the list and the subscription.
    let query = "query P($at: Position) { poolClues(atLeast: $at) { edges { node { id } } } }";
    let pool = world.data(other, query, json!({ "at": at })).await;
    assert_eq!(pool["poolClues"]["edges"][0]["node"]["id"], clue["clueId"]);
    world.done(agent, "claimClue", "ClueInput", json!({ "clueId": clue["clueId"] })).await;
    let mut watcher = Watcher::new(&world, other, POOL, Some(&at)).await;
    assert_eq!(watcher.change().await, (clue["clueId"].clone(), json!(null)));
    world.end().await;
}

#[tokio::test]
async fn a_watcher_that_was_away_goes_on_where_it_was() {
    let world = World::new().await;
    let agent = world.agent(0);
    let first = world.owned("13800138310", agent).await;
    let mut missed = Vec::new();
    for n in 0..3 {
        missed.push(world.owned(&format!("1380013831{}", n + 1), agent).await);
    }
    let query = "query L($at: Position) { clues(atLeast: $at) { pageInfo { hasNextPage } } }";
    world.data(agent, query, json!({ "at": missed[2]["position"] })).await;
    let mut watcher = Watcher::new(&world, agent, LIST, Some(&first["position"])).await;
    for clue in &missed {
        assert_eq!(watcher.change().await.0, clue["clueId"]);
    }
    let next = world.owned("13800138319", agent).await;
    assert_eq!(watcher.change().await.0, next["clueId"], "and hears on");
    world.end().await;
}

#[tokio::test]
async fn a_watcher_that_was_away_hears_what_left_its_view_and_nothing_of_what_came_back() {
    let world = World::new().await;
    let (agent, other) = (world.agent(0), world.agent(1));
    let (left, back) = (world.owned("13800138340", agent).await, world.owned("13800138341", agent).await);
    let start = back["position"].clone();
    let clue = |clue: &Value| json!({ "clueId": clue["clueId"] });
    world.done(agent, "releaseClue", "ReleaseClueInput", clue(&back)).await;
    world.done(agent, "releaseClue", "ReleaseClueInput", clue(&left)).await;
    world.done(other, "claimClue", "ClueInput", clue(&left)).await;
    let lead = world.staff.teams[0].lead;
    let input = json!({ "clueId": back["clueId"], "operatorId": agent });
    let last = world.done(lead, "assignClue", "ClueOwnerInput", input).await;
    let query = "query L($at: Position) { clues(atLeast: $at) { pageInfo { hasNextPage } } }";
    world.data(agent, query, json!({ "at": last["position"] })).await;
    let mut list = Watcher::new(&world, agent, LIST, Some(&start)).await;
    assert_eq!(list.change().await, (left["clueId"].clone(), json!(null)));
    assert_eq!(list.change().await, (back["clueId"].clone(), json!("OWNED")));
    let mut pool = Watcher::new(&world, other, POOL, Some(&start)).await;
    let gone = [pool.change().await, pool.change().await];
    assert_eq!(gone, [(left["clueId"].clone(), json!(null)), (back["clueId"].clone(), json!(null))]);
    world.end().await;
}

#[tokio::test]
async fn a_dropped_socket_goes_on_behind_its_last_change_without_a_gap_or_a_repeat() {
    let world = World::new().await;
    let agent = world.agent(0);
    let start = world.owned("13800138330", agent).await;
    let mut made = Vec::new();
    let (mut told, mut last) = (Vec::new(), start["position"].clone());
    // Each socket is dropped with changes still on their way, and others come while there is none.
    for round in 1..=3 {
        let mut watcher = Watcher::new(&world, agent, LIST, Some(&last)).await;
        for n in 0..3 {
            let clue = world.owned(&format!("138001383{}{n}", 3 + round), agent).await;
            made.push(clue["clueId"].clone());
        }
        while told.len() + 1 < made.len() {
            let change = watcher.told().await;
            last = change["position"].clone();
            told.push(change["clueId"].clone());
        }
        drop(watcher);
        made.push(world.owned(&format!("138001383{}9", 3 + round), agent).await["clueId"].clone());
    }
    let mut watcher = Watcher::new(&world, agent, LIST, Some(&last)).await;
    while told.len() < made.len() {
        told.push(watcher.told().await["clueId"].clone());
    }
    assert_eq!(told, made);
    let next = world.owned("13800138379", agent).await;
    assert_eq!(watcher.change().await.0, next["clueId"], "nothing came twice");
    world.end().await;
}

#[tokio::test]
async fn a_suspended_watcher_hears_no_more() {
    let world = World::new().await;
    let agent = world.agent(0);
    let start = world.owned("13800138320", agent).await;
    let mut watcher = Watcher::new(&world, agent, LIST, Some(&start["position"])).await;
    let admin = world.who(Role::Admin);
    let gone = world.done(admin, "suspendOperator", "OperatorInput", json!({ "operatorId": agent })).await;
    let query = "query O($at: Position) { operators(atLeast: $at) { id } }";
    world.data(admin, query, json!({ "at": gone["position"] })).await;
    world.owned("13800138321", world.agent(1)).await;
    let message = watcher.hear().await;
    let errors = message["payload"]["errors"].as_array().or_else(|| message["payload"].as_array());
    assert_eq!(errors.unwrap()[0]["extensions"]["code"], "operator_suspended", "{message}");
    world.end().await;
}
