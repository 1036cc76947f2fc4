//! Which lines come, and what they hold.

use domain::envelope::Position;
use domain::ids::{CommandId, CorrelationId, EventId, SubjectId};
use domain::values::Code;
use futures::StreamExt;
use serde_json::{Value, json};
use tower::Service;
use uuid::Uuid;

use super::world::{AUDITOR, BI, World, brisk, event, events, many, position};
use crate::http::events::{ReplaySettings, routes};
use crate::http::observe::RequestId;
use crate::http::tests::world::{NOW, answer, operator};

#[tokio::test]
async fn everything_comes_in_order_and_ends_at_the_head() {
    let world = World::new().await;
    assert_eq!(world.replay(AUDITOR, "").await, [json!({ "end": { "position": 0 } })]);
    world.log.append(many(100));
    assert_eq!(world.positions(AUDITOR, "").await, (1..=100).collect::<Vec<_>>());
    assert_eq!(world.positions(AUDITOR, "after=97").await, [98, 99, 100]);
    assert_eq!(world.replay(AUDITOR, "after=100").await, [json!({ "end": { "position": 100 } })]);
}

#[tokio::test]
async fn a_line_has_the_whole_envelope_and_the_payload_without_its_tag() {
    let world = World::new().await;
    let mut won = event("clue.won", Some("sales"), "{\"won\":{\"b\":1,\"a\":[true, null]}}");
    won.metadata.on_behalf_of = Some(operator(8));
    won.metadata.subject = Some(SubjectId::new(Uuid::from_u128(9)));
    won.metadata.command_id = CommandId::new(Uuid::from_u128(21));
    won.metadata.correlation_id = CorrelationId::new(Uuid::from_u128(22));
    won.metadata.causation_id = Some(EventId::new(Uuid::from_u128(23)));
    won.metadata.reason = Some(Code::new("price").unwrap());
    won.metadata.policy_version = Some(4);
    won.metadata.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    world.log.append([won]);
    let id = |number: u128| Uuid::from_u128(number).to_string();
    let mut expected = json!({
        "position": 1,
        "eventId": id(10),
        "stream": { "type": "clue", "id": "019cafe0-dea2-7615-87fa-355301663174" },
        "revision": 1,
        "type": "clue.won",
        "version": 1,
        "recordedAt": "2027-01-15T08:00:00.000001Z",
        "occurredAt": NOW.to_string(),
        "actor": format!("operator:{}", id(7)),
        "onBehalfOf": id(8),
        "line": "sales",
        "subject": id(9),
        "commandId": id(21),
        "correlationId": id(22),
        "causationId": id(23),
        "reason": "price",
        "policyVersion": 4,
        "data": { "a": [true, null], "b": 1 },
    });
    assert_eq!(world.replay(BI, "").await[0], expected, "BI reads no trace");
    expected["trace"] = json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(world.replay(AUDITOR, "").await[0], expected);
}

#[tokio::test]
async fn what_is_not_known_of_an_event_is_null() {
    let world = World::new().await;
    world.log.append([event("team.resumed", None, "{\"resumed\":{}}")]);
    let line = &world.replay(AUDITOR, "").await[0];
    for name in ["onBehalfOf", "line", "subject", "causationId", "reason", "policyVersion", "trace"] {
        assert_eq!(line.get(name), Some(&Value::Null), "{name}");
    }
}

#[tokio::test]
async fn types_are_asked_for_by_name_or_by_aggregate() {
    let world = World::new().await;
    for event_type in
        ["clue.captured", "clue_attempts.claim_refused", "clue.won", "team.resumed", "clue.teleported"]
    {
        world.log.append([event(event_type, None, "{}")]);
    }
    for (types, expected) in [
        ("clue.won", &[3][..]),
        ("clue.captured,team.resumed", &[1, 4]),
        ("clue.*", &[1, 3, 5]),
        ("clue_attempts.*&types=clue.won", &[2, 3]),
        ("customer.*", &[]),
    ] {
        assert_eq!(world.positions(AUDITOR, &format!("types={types}")).await, expected, "{types}");
    }
}

#[tokio::test]
async fn types_and_versions_that_this_program_does_not_know_are_passed_on() {
    let world = World::new().await;
    let newer = |event_type, payload| domain::RecordedEvent {
        event_version: "7".into(),
        ..event(event_type, Some("sales"), payload)
    };
    world.log.append([
        newer("clue.teleported", "{\"teleported\":{\"to\":\"mars\"}}"),
        newer("spaceship.built", "{\"built\":{\"seats\":4}}"),
        newer("clue.shrunk", "{\"otherwise\":1,\"tagged\":2}"),
        newer("clue.shrunk", "\"shrunk\""),
        newer("clue.won", "{\n  \"won\": {\n    \"new\": 1\n  }\n}\n"),
    ]);
    for who in [BI, AUDITOR] {
        let lines = world.replay(who, "").await;
        let seen: Vec<_> =
            events(&lines).map(|line| (line["version"].clone(), line["data"].clone())).collect();
        let data = [
            json!({ "to": "mars" }),
            json!({ "seats": 4 }),
            json!({ "otherwise": 1, "tagged": 2 }),
            json!("shrunk"),
            json!({ "new": 1 }),
        ];
        assert_eq!(seen, data.map(|data| (json!(7), data)));
        assert_eq!(lines.last().unwrap(), &json!({ "end": { "position": 5 } }));
    }
}

#[tokio::test]
async fn a_limit_ends_the_replay_at_the_last_line() {
    let world = World::new().await;
    world.log.append(many(100));
    let lines = world.replay(AUDITOR, "types=clue.won&limit=3").await;
    assert_eq!(events(&lines).map(position).collect::<Vec<_>>(), [10, 20, 30]);
    assert_eq!(lines.last().unwrap(), &json!({ "end": { "position": 30 } }));
    assert_eq!(world.positions(AUDITOR, "types=clue.won&limit=300&after=30").await.len(), 7);
}

#[tokio::test]
async fn stretches_without_a_match_say_how_far_they_were_read() {
    let world = World::with(ReplaySettings { page: 4, ..brisk() }).await;
    world.log.append((1..=40).map(|_| event("team.resumed", None, "{\"resumed\":{}}")));
    let lines = world.replay(AUDITOR, "types=clue.won").await;
    let (end, progress) = lines.split_last().unwrap();
    assert_eq!(end, &json!({ "end": { "position": 40 } }));
    assert!(progress.len() >= 9, "a line for every page: {progress:?}");
    for line in progress {
        assert_eq!(line, &json!({ "position": position(line) }));
    }
}

#[tokio::test]
async fn going_on_from_any_line_gives_exactly_the_rest() {
    let world = World::new().await;
    world.log.append(many(60));
    for query in ["", "types=clue.won", "types=clue.*,customer.*"] {
        for who in [AUDITOR, BI] {
            let lines = world.replay(who, query).await;
            let all: Vec<i64> = events(&lines).map(position).collect();
            let (_, before_end) = lines.split_last().unwrap();
            for line in before_end {
                let after = position(line);
                let rest = world.positions(who, &format!("{query}&after={after}")).await;
                let expected: Vec<i64> = all.iter().copied().filter(|at| *at > after).collect();
                assert_eq!(rest, expected, "{query} after {after}");
            }
        }
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let world = World::new().await;
    world.log.append(many(5));
    for (query, status, code, named) in [
        ("after=x", 400, "bad_parameter", "after"),
        ("limit=0", 400, "bad_parameter", "limit"),
        ("follow=maybe", 400, "bad_parameter", "follow"),
        ("types=clue.nothing", 400, "bad_parameter", "types"),
        ("type=clue.won", 400, "bad_parameter", "types"),
        ("after=6", 409, "after_beyond_head", "after"),
    ] {
        let answer = answer(world.request(query).bearer_auth(world.token(BI, 60))).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{query}");
        assert!(answer.message().contains(named), "{}", answer.message());
        assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    }
}

#[tokio::test]
async fn no_more_than_a_few_pages_are_read_ahead_of_the_client() {
    let world = World::with(ReplaySettings { page: 100, chunk_bytes: 1_024, ..brisk() }).await;
    world.log.append(many(2_000));
    let request = axum::http::Request::get("/events")
        .header("authorization", format!("Bearer {}", world.token(AUDITOR, 60)))
        .extension(RequestId(Uuid::from_u128(1)))
        .body(axum::body::Body::empty())
        .unwrap();
    let response = routes(world.state.clone()).call(request).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    assert!(world.log.reads().is_empty(), "nothing is read before the client takes something");
    let (mut taken, mut largest) = (Position::ZERO, 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.unwrap();
        for (after, size) in world.log.reads() {
            let ahead = after.get() - taken.get();
            assert!(ahead <= 300, "the page behind {after} was read when only {taken} was taken");
            assert!(size <= 100);
        }
        largest = largest.max(chunk.len());
        let count = chunk.split_inclusive(|byte| *byte == b'\n').count();
        taken = taken.plus(count);
    }
    assert_eq!(taken.get(), 2_001, "all events and the end");
    assert!(largest < 2_048, "{largest}");
    assert!(world.log.reads().len() <= 25, "pages grow to their full size: {:?}", world.log.reads().len());
}

#[tokio::test]
async fn pages_of_large_events_have_fewer_of_them() {
    let world = World::with(ReplaySettings { page: 80, page_bytes: 50_000, ..brisk() }).await;
    let large = json!({ "won": { "text": "x".repeat(10_000) } }).to_string();
    world.log.append((0..50).map(|_| event("clue.won", None, &large)));
    assert_eq!(world.positions(AUDITOR, "").await.len(), 50);
    let sizes: Vec<usize> = world.log.reads().into_iter().map(|(_, size)| size).collect();
    assert!(sizes[0] <= 10 && sizes[1..].iter().all(|size| *size <= 5), "{sizes:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_back_its_own_replay_and_nothing_else() {
    let world = World::with(ReplaySettings { page: 500, ..brisk() }).await;
    let large = json!({ "won": { "text": "x".repeat(4_000) } }).to_string();
    world.log.append((0..10_000).map(|_| event("clue.won", None, &large)));
    let slow = world.open(AUDITOR, "").await;
    // What fits into the buffers of the sockets is far less than these 40 MB.
    let mut before = usize::MAX;
    while before != world.log.reads().len() {
        before = world.log.reads().len();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let reached = world.log.reads().last().unwrap().0;
    assert!(reached.get() < 8_000, "{reached}");
    assert_eq!(world.positions(AUDITOR, "after=9998").await, [9_999, 10_000]);
    let (lines, in_order) = slow.rest().await;
    assert!(in_order);
    assert_eq!(events(&lines).map(position).collect::<Vec<_>>(), (1..=10_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_replay_is_compressed_when_asked_for_and_a_follower_never() {
    let world = World::new().await;
    world.log.append(many(500));
    let ask = |query| {
        world.request(query).bearer_auth(world.token(AUDITOR, 60)).header("accept-encoding", "gzip").send()
    };
    let packed = ask("").await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < 50_000, "{}", packed.len());
    assert!(!ask("follow=true").await.unwrap().headers().contains_key("content-encoding"));
}
