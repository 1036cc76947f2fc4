//! How replays end, well or not.

use domain::envelope::Position;
use domain::ports::ReadError;
use serde_json::{Value, json};

use super::world::{AUDITOR, BI, SALES_AUDITOR, World, event, events, many, position};
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
async fn a_raw_replay_says_where_the_log_has_nothing_and_goes_on() {
    for lost in [1..=1, 7..=7, 20..=20, 3..=30, 1..=39] {
        let world = World::new().await;
        world.log.append(many(40));
        lost.clone().for_each(|position| world.log.lose(position));
        let (lines, in_order) = world.open(AUDITOR, "raw=true").await.rest().await;
        assert!(in_order && position(&lines.last().unwrap()["end"]) == 40, "{lines:?}");
        let missing = lines.iter().filter_map(|line| {
            let count = line.get("missing")?.as_i64()?;
            Some((position(line), count))
        });
        let missing: Vec<i64> = missing.flat_map(|(until, count)| until - count + 1..=until).collect();
        assert_eq!(missing, lost.clone().collect::<Vec<_>>());
        let told: Vec<i64> = events(&lines).map(position).collect();
        assert_eq!(told, (1..=40).filter(|position| !lost.contains(position)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_raw_replay_has_an_unreadable_event_as_it_is_stored() {
    let version =
        domain::RecordedEvent { event_version: "x".into(), ..event("clue.won", Some("sales"), "{}") };
    for broken in [event("clue.won", Some("sales"), "no JSON"), version] {
        let world = World::new().await;
        world.log.append(many(3).chain([broken.clone()]).chain(many(3)));
        for who in [AUDITOR, SALES_AUDITOR] {
            let lines = world.replay(who, "raw=true").await;
            assert_eq!(events(&lines).map(position).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
            assert!(lines[3]["unreadable"].is_string() && lines[3].get("data").is_none(), "{lines:?}");
            let stored = (&lines[3]["payload"], &lines[3]["version"]);
            assert_eq!(stored, (&json!(broken.payload), &json!(broken.event_version)));
        }
        let others = world.replay(AUDITOR, "raw=true&types=team.*").await;
        assert_eq!(events(&others).count(), 6);
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
