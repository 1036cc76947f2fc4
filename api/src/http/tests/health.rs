//! Health, metrics, the console, and the end.

use serde_json::json;

use super::world::{World, answer};
use crate::http::{BindError, Check, Server};

async fn get(world: &World, path: &str) -> super::world::Answer {
    answer(world.client.get(world.url(path))).await
}

#[tokio::test]
async fn the_program_is_ready_when_all_its_parts_are() {
    let world = World::new().await;
    assert_eq!(get(&world, "/healthz").await.status, 200);
    let check = |name: &str, ready| Check { name: name.into(), ready, detail: "d".into() };
    *world.parts.0.lock().unwrap() = vec![check("log", true), check("clue_list", true)];
    assert_eq!(get(&world, "/readyz").await.status, 200);
    *world.parts.0.lock().unwrap() = vec![check("log", true), check("clue_list", false)];
    let late = get(&world, "/readyz").await;
    assert_eq!(late.status, 503);
    assert_eq!(late.body["ready"], json!(false));
    assert_eq!(late.body["checks"][1], json!({ "name": "clue_list", "ready": false, "detail": "d" }));
}

#[tokio::test]
async fn metrics_count_requests_without_naming_anybody() {
    let world = World::new().await;
    world.query("{ echo(text: \"13800138000\") }").await;
    get(&world, "/nowhere/13800138000").await;
    let metrics = get(&world, "/metrics").await;
    let text = metrics.body.as_str().unwrap();
    assert!(
        text.contains("cluestream_http_requests_total{method=\"POST\",route=\"/graphql\",status=\"200\"}"),
        "{text}"
    );
    assert!(text.contains("route=\"other\""), "{text}");
    assert!(!text.contains("13800138000"));
}

#[tokio::test]
async fn the_console_loads_nothing_from_elsewhere() {
    let world = World::new().await;
    for path in ["/", "/graphiql"] {
        let page = get(&world, path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
        assert!(!policy.contains("unsafe-eval") && policy.contains("script-src 'self';"), "{policy}");
        let html = page.body.as_str().unwrap();
        let loaded: Vec<&str> = html
            .split(['"', '\''])
            .filter(|part| part.starts_with("/console/") || part.contains("//"))
            .collect();
        assert_eq!(loaded.len(), 7, "{loaded:?}");
        for path in loaded {
            assert_eq!(get(&world, path).await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_path_has_a_typed_answer() {
    let world = World::new().await;
    let answer = get(&world, "/nowhere").await;
    assert_eq!((answer.status, answer.code()), (404, "not_found"));
}

#[tokio::test]
async fn ending_waits_for_requests_that_are_open() {
    let world = World::new().await;
    let request = world.post("{ \"query\": \"{ slow }\" }");
    let open = tokio::spawn(answer(request));
    world.levers.entered.notified().await;
    world.stop.notify_one();
    // Readiness changes before the last request is answered, on a connection that is open already
    // or not at all: so only the request itself is looked at.
    world.levers.release.notify_one();
    assert_eq!(open.await.unwrap().body, json!({ "data": { "slow": true } }));
    world.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_what_to_do() {
    let world = World::new().await;
    let error = Server::bind(world.address).await.err().unwrap();
    assert!(matches!(error, BindError::InUse { .. }));
    let message = error.to_string();
    assert!(message.contains(&world.address.to_string()) && message.contains("LISTEN"), "{message}");
}
