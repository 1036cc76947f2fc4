//! How replays end, well or not.

use domain::envelope::Position;
use domain::ports::ReadError;
use serde_json::{Value, json};

use super::world::{AUDITOR, BI, World, event, events, many, position};
use crate::http::tests::world::answer;

/// The error of the last line, after checking that no line is an end.
fn error(lines: &[Value]) -> &Value {
    assert!(lines.iter().all(|line| line.get("end").is_none()), "{lines:?}");
    &lines.last().unwrap()["error"]
}

#[tokio::test]
async fn a_fault_of_the_log_is_the_last_line_and_breaks_the_connection_off() {
    let hole = ReadError::Hole { expected: Position::new(21), found: Position::new(22) };
    let corrupt = ReadError::Corrupt { position: Position::new(21), reason: "hunter2".into() };
    for (failure, code) in [
        (hole, "log_hole"),
        (corrupt, "log_corrupt"),
        (ReadError::Unavailable("hunter2".into()), "log_unavailable"),
    ] {
        let world = World::new().await;
        world.log.append(many(40));
        world.log.fail_at(21, failure);
        let (lines, in_order) = world.open(AUDITOR, "").await.rest().await;
        assert!(!in_order, "{code}: a client that ignores the last line learns it too");
        let error = error(&lines);
        assert_eq!(error["code"], code);
        assert!(error["message"].is_string() && error["correlationId"].is_string());
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let reached = position(error);
        assert_eq!(events(&lines).map(position).collect::<Vec<_>>(), (1..=reached).collect::<Vec<_>>());
        assert!(reached > 0 && reached < 21);
    }
}

#[tokio::test]
async fn a_hole_that_the_store_does_not_see_is_seen() {
    for lost in [1, 7, 20] {
        let world = World::new().await;
        world.log.append(many(20));
        if lost == 20 {
            // The head was read, and then its event is not there.
            world.log.append(many(1));
            world.log.lose(20);
        } else {
            world.log.lose(lost);
        }
        let lines = world.replay(AUDITOR, "types=clue.*").await;
        assert_eq!((&error(&lines)["code"], position(error(&lines))), (&json!("log_hole"), lost - 1));
    }
}

#[tokio::test]
async fn an_event_that_is_no_json_stops_the_replay_in_front_of_it() {
    let version = domain::RecordedEvent { event_version: "x".into(), ..event("clue.won", None, "{}") };
    for broken in [event("clue.won", None, "hunter2"), version] {
        let world = World::new().await;
        world.log.append(many(3).chain([broken]).chain(many(3)));
        for who in [BI, AUDITOR] {
            let lines = world.replay(who, "").await;
            assert_eq!(events(&lines).count(), 3);
            assert_eq!((&error(&lines)["code"], position(error(&lines))), (&json!("log_corrupt"), 3));
            assert!(!Value::from(lines).to_string().contains("hunter2"));
        }
    }
}

#[tokio::test]
async fn a_log_without_an_answer_is_a_typed_error() {
    let world = World::new().await;
    world.log.lose_head();
    let answer = answer(world.request("").bearer_auth(world.token(BI, 60))).await;
    assert_eq!((answer.status, answer.code()), (503, "log_unavailable"));
    assert!(!answer.body.to_string().contains("hunter2"));
}

#[tokio::test]
async fn what_is_appended_during_a_replay_waits_for_the_next_one() {
    let world = World::new().await;
    world.log.append((0..200).map(|_| event("clue.won", None, &format!("\"{}\"", "x".repeat(100_000)))));
    let reply = world.open(AUDITOR, "").await;
    world.log.append(many(50));
    let (lines, in_order) = reply.rest().await;
    assert!(in_order);
    assert_eq!(lines.last().unwrap(), &json!({ "end": { "position": 200 } }));
    assert_eq!(events(&lines).count(), 200);
    assert_eq!(world.positions(AUDITOR, "after=200").await.len(), 50);
}
