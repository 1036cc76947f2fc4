//! The protocol, over real sockets.

use std::time::Duration;

use domain::Instant;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::SocketSettings;
use crate::http::tests::world::{NOW, World, operator};

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What the server said.
#[derive(Debug, PartialEq)]
enum Heard {
    Said(Value),
    Closed(u16, String),
    Gone,
}

impl Client {
    async fn connect(world: &World, path: &str, protocol: Option<&str>) -> Self {
        let mut request = format!("ws://{}{path}", world.address).into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        Self(connect_async(request).await.unwrap().0)
    }

    /// Connected, not yet initialised.
    async fn open(world: &World) -> Self {
        Self::connect(world, "/graphql/ws", Some("graphql-transport-ws")).await
    }

    /// Initialised as operator 1.
    async fn ready(world: &World) -> Self {
        let mut client = Self::open(world).await;
        client.say(json!({ "type": "connection_init", "payload": { "token": world.token(1) } })).await;
        assert_eq!(client.hear().await, Heard::Said(json!({ "type": "connection_ack" })));
        client
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next word of the server but for its own pings.
    async fn hear(&mut self) -> Heard {
        loop {
            match tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("an answer") {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] != "ping" {
                        return Heard::Said(message);
                    }
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    // The answer is written with the next read.
                    let _ = self.0.next().await;
                    return Heard::Closed(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Gone,
            }
        }
    }

    async fn close_code(&mut self) -> u16 {
        match self.hear().await {
            Heard::Closed(code, _) => code,
            other => panic!("{other:?}"),
        }
    }
}

fn next(id: &str, data: &Value) -> Heard {
    Heard::Said(json!({ "type": "next", "id": id, "payload": { "data": data } }))
}

fn complete(id: &str) -> Heard {
    Heard::Said(json!({ "type": "complete", "id": id }))
}

#[tokio::test]
async fn a_subscription_yields_its_items_and_completes() {
    let world = World::new().await;
    for path in ["/graphql/ws", "/graphql"] {
        let mut client = Client::connect(&world, path, Some("graphql-transport-ws")).await;
        let bearer = format!("Bearer {}", world.token(1));
        client.say(json!({ "type": "connection_init", "payload": { "Authorization": bearer } })).await;
        assert_eq!(client.hear().await, Heard::Said(json!({ "type": "connection_ack" })));
        client.subscribe("a", "subscription { count(to: 2) }").await;
        assert_eq!(client.hear().await, next("a", &json!({ "count": 1 })));
        assert_eq!(client.hear().await, next("a", &json!({ "count": 2 })));
        assert_eq!(client.hear().await, complete("a"));
        client.subscribe("a", "{ echo(text: \"again\") }").await;
        assert_eq!(client.hear().await, next("a", &json!({ "echo": "again" })));
        assert_eq!(client.hear().await, complete("a"));
    }
}

#[tokio::test]
async fn another_protocol_closes_with_4406() {
    let world = World::new().await;
    let mut client = Client::connect(&world, "/graphql/ws", None).await;
    assert_eq!(client.close_code().await, 4406);
}

#[tokio::test]
async fn what_is_no_message_closes_with_4400() {
    let world = World::new().await;
    for bad in [
        "nonsense",
        "{}",
        "{\"type\":\"start\",\"id\":\"1\"}",
        "{\"type\":\"subscribe\",\"payload\":{\"query\":\"{ me }\"}}",
        "{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{}}",
        "{\"type\":\"complete\"}",
        "[]",
    ] {
        let mut client = Client::ready(&world).await;
        client.0.send(Message::text(bad)).await.unwrap();
        assert_eq!(client.close_code().await, 4400, "{bad}");
    }
    let mut client = Client::ready(&world).await;
    client.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(client.close_code().await, 4400);
}

#[tokio::test]
async fn nothing_is_executed_before_initialisation() {
    let world = World::new().await;
    let mut client = Client::open(&world).await;
    client.subscribe("a", "mutation { change(to: 3) }").await;
    assert_eq!(client.close_code().await, 4401);
    assert_eq!(*world.levers.changes.borrow(), 0);
}

#[tokio::test]
async fn a_caller_who_is_not_known_is_closed_with_4403() {
    let world = World::new().await;
    for payload in [
        json!(null),
        json!({}),
        json!({ "token": 1 }),
        json!({ "token": "nonsense" }),
        json!({ "Authorization": "Basic x" }),
        json!({ "token": world.token(2) }),
        json!({ "token": world.token(3) }),
    ] {
        let mut client = Client::open(&world).await;
        client.say(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.close_code().await, 4403, "{payload}");
    }
    let mut client = Client::open(&world).await;
    client.say(json!({ "type": "connection_init", "payload": { "token": world.token(99) } })).await;
    assert_eq!(client.close_code().await, 1011, "nobody could tell");
}

#[tokio::test]
async fn a_second_initialisation_closes_with_4429() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    client.say(json!({ "type": "connection_init", "payload": { "token": world.token(1) } })).await;
    assert_eq!(client.close_code().await, 4429);
}

#[tokio::test]
async fn silence_before_initialisation_closes_with_4408() {
    let settings = SocketSettings { init_timeout: Duration::from_millis(20), ..SocketSettings::default() };
    let world = World::with(settings).await;
    assert_eq!(Client::open(&world).await.close_code().await, 4408);
}

#[tokio::test]
async fn an_id_in_use_closes_with_4409_and_a_completed_one_is_free_again() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    client.subscribe("a", "subscription { changes }").await;
    world.levers.streams.subscribe().wait_for(|count| *count == 1).await.unwrap();
    client.say(json!({ "type": "complete", "id": "a" })).await;
    world.levers.streams.subscribe().wait_for(|count| *count == 0).await.unwrap();
    client.subscribe("a", "subscription { changes }").await;
    client.subscribe("a", "subscription { changes }").await;
    assert_eq!(client.hear().await, Heard::Closed(4409, "Subscriber for a already exists".into()));
    world.levers.streams.subscribe().wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn ping_is_answered_with_its_payload() {
    let world = World::new().await;
    let mut client = Client::open(&world).await;
    client.say(json!({ "type": "ping", "payload": { "n": 1 } })).await;
    assert_eq!(client.hear().await, Heard::Said(json!({ "type": "pong", "payload": { "n": 1 } })));
    client.say(json!({ "type": "pong" })).await;
    client.say(json!({ "type": "ping" })).await;
    assert_eq!(client.hear().await, Heard::Said(json!({ "type": "pong" })));
}

#[tokio::test]
async fn a_client_that_never_answers_is_dropped() {
    let settings = SocketSettings { keepalive: Duration::from_millis(30), ..SocketSettings::default() };
    let world = World::with(settings).await;
    let mut client = Client::ready(&world).await;
    // `hear` swallows the server's ping and answers nothing.
    assert_eq!(client.hear().await, Heard::Closed(1001, "No answer to ping".into()));
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let world = World::new().await;
    let soon = Instant::from_micros(NOW.micros() - 3_599_950_000);
    let token = world.tokens.issue(operator(1), soon, Duration::from_secs(3_600)).unwrap().token;
    let mut client = Client::open(&world).await;
    client.say(json!({ "type": "connection_init", "payload": { "token": token } })).await;
    assert_eq!(client.hear().await, Heard::Said(json!({ "type": "connection_ack" })));
    client.subscribe("a", "subscription { changes }").await;
    assert_eq!(client.hear().await, Heard::Closed(4403, "Forbidden: the token has expired".into()));
    world.levers.streams.subscribe().wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn an_operator_who_was_suspended_begins_nothing_more() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    world.people.set(operator(1), true);
    client.subscribe("a", "{ me }").await;
    assert_eq!(client.close_code().await, 4403);
}

#[tokio::test]
async fn an_operation_that_was_never_executed_has_an_error_and_no_data() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    for (query, code) in [
        ("{", "graphql_syntax"),
        ("{ nothing }", "graphql_invalid"),
        ("subscription { nothing }", "graphql_invalid"),
        ("subscription { bad }", "internal"),
    ] {
        client.subscribe("a", query).await;
        let Heard::Said(message) = client.hear().await else { panic!("{query}") };
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("a")), "{query}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{query}");
        assert!(message["payload"][0]["extensions"]["correlationId"].is_string());
    }
}

#[tokio::test]
async fn operations_at_once_are_limited_and_the_limit_is_stated() {
    let settings = SocketSettings { operations: 2, ..SocketSettings::default() };
    let world = World::with(settings).await;
    let mut client = Client::ready(&world).await;
    for id in ["a", "b", "c"] {
        client.subscribe(id, "subscription { changes }").await;
    }
    let Heard::Said(message) = client.hear().await else { panic!() };
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("c")));
    assert_eq!(message["payload"][0]["extensions"]["code"], "operation_limit");
    assert!(message["payload"][0]["message"].as_str().unwrap().contains('2'));
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_back_its_subscription_and_loses_nothing() {
    let settings = SocketSettings { queue: 1, ..SocketSettings::default() };
    let world = World::with(settings).await;
    let mut client = Client::ready(&world).await;
    client.subscribe("a", "subscription { count(to: 20000) }").await;
    for n in 1..=20_000 {
        assert_eq!(client.hear().await, next("a", &json!({ "count": n })));
    }
    assert_eq!(client.hear().await, complete("a"));
}

#[tokio::test]
async fn a_message_over_the_limit_closes_the_socket() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    let _ = client.0.send(Message::text("x".repeat(100_000))).await;
    assert!(matches!(client.hear().await, Heard::Closed(1009, _) | Heard::Gone));
}

#[tokio::test]
async fn the_end_of_the_program_closes_sockets() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    world.stop.notify_one();
    assert_eq!(client.close_code().await, 1001);
    world.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_socket_that_goes_away_ends_its_subscriptions() {
    let world = World::new().await;
    let mut client = Client::ready(&world).await;
    client.subscribe("a", "subscription { changes }").await;
    world.levers.streams.subscribe().wait_for(|count| *count == 1).await.unwrap();
    drop(client);
    world.levers.streams.subscribe().wait_for(|count| *count == 0).await.unwrap();
}
