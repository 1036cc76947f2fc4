//! Consumers over HTTP.

use std::time::Duration;

use domain::envelope::Position;
use domain::ports::EventReader;
use domain::values::Code;
use projections::ConsumerError;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{AGENT, AUDITOR, BI, Reply, World, brisk, event, events, many, position};
use crate::http::events::ReplaySettings;
use crate::http::events::hold::Hold;
use crate::http::tests::world::answer;

/// A consumer of BI, on a log of a hundred events.
async fn made(world: &World, types: &[&str]) {
    world.log.append(many(100));
    let request = world.consumers(BI, Method::PUT, "/warehouse").json(&json!({ "types": types }));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// Begins to read; the lease and the reply.
async fn open(world: &World, query: &str) -> (String, Reply) {
    let path = format!("/warehouse/events?{query}");
    let response = world.consumers(BI, Method::GET, &path).send().await.unwrap();
    let lease = response.headers()["cluestream-lease"].to_str().unwrap().to_owned();
    (lease, Reply::of(response))
}

/// Reads to the end; the lease and the positions of the events.
async fn read(world: &World, query: &str) -> (String, Vec<i64>) {
    let (lease, reply) = open(world, query).await;
    let (lines, _) = reply.rest().await;
    assert!(lines.last().unwrap().get("end").is_some(), "{lines:?}");
    (lease, events(&lines).map(position).collect())
}

async fn post(world: &World, who: u128, path: &str, body: Value) -> (u16, Value) {
    let answer = answer(world.consumers(who, Method::POST, path).json(&body)).await;
    let code = if answer.status == 200 { answer.body["position"].clone() } else { json!(answer.code()) };
    (answer.status, code)
}

async fn acknowledge(world: &World, lease: &str, at: i64) -> (u16, Value) {
    post(world, BI, "/warehouse/ack", json!({ "lease": lease, "position": at })).await
}

#[tokio::test]
async fn what_is_not_acknowledged_comes_again() {
    let world = World::new().await;
    made(&world, &["clue.*"]).await;
    let (lease, seen) = read(&world, "limit=3").await;
    assert_eq!(seen, [10, 20, 30]);
    assert_eq!(acknowledge(&world, &lease, 20).await, (200, json!(20)));
    assert_eq!(read(&world, &format!("lease={lease}&limit=2")).await.1, [30, 40]);
    assert_eq!(read(&world, &format!("lease={lease}&after=30&limit=2")).await.1, [40, 50]);
    world.clock.advance(Duration::from_secs(61));
    let (next, seen) = read(&world, "limit=1").await;
    assert_eq!(seen, [30], "another reader begins behind what is acknowledged");
    assert_eq!(acknowledge(&world, &lease, 30).await, (409, json!("lease_lost")));
    assert_eq!(acknowledge(&world, &next, 30).await, (200, json!(30)));
}

#[tokio::test]
async fn only_what_was_delivered_is_acknowledged_and_never_backwards() {
    let world = World::new().await;
    made(&world, &[]).await;
    let (lease, _) = read(&world, "limit=10").await;
    assert_eq!(acknowledge(&world, &lease, 11).await, (409, json!("position_undelivered")));
    assert_eq!(acknowledge(&world, &lease, 10).await, (200, json!(10)));
    assert_eq!(acknowledge(&world, &lease, 9).await, (409, json!("position_acknowledged")));
    for (query, code) in [("after=9", "position_acknowledged"), ("after=11", "position_undelivered")] {
        let path = format!("/warehouse/events?lease={lease}&{query}");
        assert_eq!(answer(world.consumers(BI, Method::GET, &path)).await.code(), code);
    }
    let release = json!({ "lease": lease, "position": 10, "release": true });
    assert_eq!(post(&world, BI, "/warehouse/ack", release).await, (200, json!(10)));
    assert_eq!(read(&world, "limit=1").await.1, [11], "it is free at once");
}

#[tokio::test]
async fn a_second_reader_is_told_that_there_is_one() {
    let world = World::new().await;
    made(&world, &[]).await;
    let (_, first) = open(&world, "follow=true").await;
    let second = answer(world.consumers(BI, Method::GET, "/warehouse/events")).await;
    assert_eq!((second.status, second.code()), (409, "consumer_leased"));
    drop(first);
}

#[tokio::test]
async fn a_reader_that_lost_its_lease_gets_nothing_more() {
    let world = World::with(ReplaySettings { heartbeat: Duration::from_millis(30), ..brisk() }).await;
    made(&world, &[]).await;
    for lost_by in ["seek", "another"] {
        let (_, mut reply) = open(&world, "follow=true").await;
        assert!(reply.line().await.get("type").is_some());
        if lost_by == "seek" {
            let moved = post(&world, BI, "/warehouse/seek", json!({ "position": 0 })).await;
            assert_eq!(moved, (200, json!(0)));
        } else {
            world.clock.advance(Duration::from_secs(61));
            // The heartbeat of the first may renew its lease before the second comes.
            let second = world.consumers(BI, Method::GET, "/warehouse/events").send().await.unwrap();
            if second.status() != 200 {
                continue;
            }
        }
        let (lines, in_order) = reply.rest().await;
        assert!(in_order);
        assert_eq!(lines.last().unwrap()["error"]["code"], "lease_lost");
    }
}

#[tokio::test]
async fn a_consumer_that_does_not_read_slows_nobody() {
    let world = World::with(ReplaySettings { page: 100, ..ReplaySettings::default() }).await;
    made(&world, &[]).await;
    let large = json!({ "won": { "text": "x".repeat(4_000) } }).to_string();
    world.log.append((0..10_000).map(|_| event("clue.won", Some("sales"), &large)));
    let (lease, slow) = open(&world, "").await;
    for _ in 0..3 {
        assert_eq!(world.positions(AUDITOR, "after=10000").await.len(), 100, "others read on");
    }
    world.log.append(many(50));
    assert_eq!(world.log.head().await.unwrap().position, Position::new(10_150), "and appends go on");
    // What was read for it is what its sockets and a few pages hold, not these 40 MB.
    let mut before = usize::MAX;
    while before != world.log.reads().len() {
        before = world.log.reads().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let reached = world.log.reads().iter().map(|(after, _)| *after).filter(|at| at.get() < 9_000).max();
    assert!(reached.unwrap().get() < 8_000, "{reached:?}");
    let (lines, in_order) = slow.rest().await;
    assert!(in_order);
    assert_eq!(events(&lines).count(), 10_100, "and nothing is lost for it");
    assert_eq!(acknowledge(&world, &lease, 10_100).await, (200, json!(10_100)));
}

#[tokio::test]
async fn consumers_are_of_whoever_made_them_and_listed_with_their_lag() {
    let world = World::new().await;
    made(&world, &["clue.won"]).await;
    let get = |who, path: &'static str| answer(world.consumers(who, Method::GET, path));
    assert_eq!(get(AGENT, "").await.code(), "forbidden");
    let listed = get(AUDITOR, "").await.body;
    assert_eq!(listed["consumers"][0]["name"], "warehouse");
    assert_eq!(listed["consumers"][0]["lag"]["events"], 100);
    let one = get(AUDITOR, "/warehouse").await.body;
    assert_eq!((&one["types"], &one["lag"]["events"]), (&json!(["clue.won"]), &json!(100)));
    assert_eq!(get(AUDITOR, "/warehouse/events").await.code(), "consumer_of_another");
    let seek = post(&world, AUDITOR, "/warehouse/seek", json!({ "position": 1 })).await;
    assert_eq!(seek, (403, json!("consumer_of_another")));
    let again = world.consumers(AUDITOR, Method::PUT, "/warehouse").json(&json!({ "types": ["clue.won"] }));
    assert_eq!(answer(again).await.code(), "consumer_exists");
    assert_eq!(
        answer(world.consumers(AUDITOR, Method::DELETE, "/warehouse")).await.code(),
        "consumer_of_another"
    );
    let gone = world.consumers(BI, Method::DELETE, "/warehouse").send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(get(BI, "/warehouse").await.code(), "consumer_unknown");
}

#[tokio::test]
async fn a_consumer_may_begin_at_the_end() {
    let world = World::new().await;
    world.log.append(many(30));
    let request = world.consumers(BI, Method::PUT, "/fresh").json(&json!({ "after": "end" }));
    assert_eq!(answer(request).await.body["position"], 30);
    let request = world.consumers(BI, Method::PUT, "/beyond").json(&json!({ "after": 31 }));
    assert_eq!(answer(request).await.code(), "after_beyond_head");
}

#[tokio::test]
async fn a_read_that_is_refused_takes_no_lease() {
    let world = World::with(ReplaySettings { replies_each: 1, ..brisk() }).await;
    made(&world, &[]).await;
    let get = || answer(world.consumers(BI, Method::GET, "/warehouse/events"));
    world.log.lose_head();
    assert_eq!(get().await.code(), "log_unavailable");
    world.log.find_head();
    let other = world.open(BI, "follow=true").await;
    assert_eq!((get().await.status, get().await.code()), (429, "too_many_replies"));
    drop(other);
    loop {
        let answer = world.consumers(BI, Method::GET, "/warehouse/events?limit=1").send().await.unwrap();
        match answer.status().as_u16() {
            200 => break,
            // The server has not noticed yet that the other reader is gone.
            429 => tokio::task::yield_now().await,
            status => panic!("{status}: somebody seems to have it"),
        }
    }
}

#[tokio::test]
async fn what_the_reader_takes_keeps_its_lease_although_no_page_is_turned() {
    let world = World::new().await;
    made(&world, &[]).await;
    let name = Code::new("warehouse").unwrap();
    let (lease, _) = world.kept.take(&name, Duration::from_secs(60)).await.unwrap();
    world.clock.advance(Duration::from_secs(61));
    let hold = |ttl| Hold::new(world.kept.clone(), name.clone(), lease, ttl);
    let until = || async { world.kept.get(&name).await.unwrap().leased_until };
    hold(Duration::from_secs(60)).took().await.unwrap();
    assert_eq!(until().await, None, "a third of its time has not passed");
    let mut hold = hold(Duration::from_millis(3));
    while until().await.is_none() {
        hold.took().await.unwrap();
    }
    world.kept.seek(&name, None, Position::ZERO).await.unwrap();
    assert_eq!(hold.keep().await, Err(ConsumerError::LeaseLost));
}

#[tokio::test]
async fn types_with_a_comma_are_several() {
    let world = World::new().await;
    made(&world, &["clue.won,clue.lost"]).await;
    let request = world.consumers(BI, Method::PUT, "/warehouse");
    let again = answer(request.json(&json!({ "types": ["clue.lost", "clue.won"] }))).await;
    assert_eq!((again.status, &again.body["types"]), (200, &json!(["clue.lost", "clue.won"])));
    assert_eq!(read(&world, "limit=1").await.1, [10]);
}

#[tokio::test]
async fn wrong_requests_are_named_and_change_nothing() {
    let world = World::new().await;
    made(&world, &[]).await;
    for (query, named) in [
        ("types=clue.won", "types"),
        ("raw=true", "raw"),
        ("after=3", "after"),
        ("lease=x", "lease"),
        ("lease_seconds=5", "lease_seconds"),
        ("limit=0", "limit"),
    ] {
        let answer = answer(world.consumers(BI, Method::GET, &format!("/warehouse/events?{query}"))).await;
        assert_eq!((answer.status, answer.code()), (400, "bad_parameter"), "{query}");
        assert!(answer.message().contains(named), "{}", answer.message());
    }
    let head = world.consumers(BI, Method::HEAD, "/warehouse/events").send().await.unwrap();
    assert_eq!(head.status(), 405, "looking takes no lease");
    assert_eq!(head.headers()["allow"], "GET");
    let patch = answer(world.consumers(BI, Method::PATCH, "/warehouse")).await;
    assert_eq!(
        (patch.code(), &patch.headers["allow"]),
        ("method_not_allowed", &"GET, HEAD, PUT, DELETE".parse().unwrap())
    );
    for (path, body, code) in [
        ("/Warehouse", json!({}), "bad_name"),
        ("/other", json!({ "types": ["clue.nothing"] }), "bad_parameter"),
        ("/other", json!({ "type": [] }), "bad_body"),
        ("/other", json!({ "after": -1 }), "bad_body"),
    ] {
        let answer = answer(world.consumers(BI, Method::PUT, path).json(&body)).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{body}");
    }
    let form = world.consumers(BI, Method::POST, "/warehouse/ack").body("lease=1");
    assert_eq!(answer(form).await.code(), "unsupported_media_type");
    assert_eq!(read(&world, "limit=1").await.1, [1], "nobody took it meanwhile");
}
