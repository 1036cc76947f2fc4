//! Replays that go on at the end of the log.

use std::time::Duration;

use domain::envelope::Position;
use domain::operator::Role;
use serde_json::{Value, json};

use super::world::{AUDITOR, BI, Reply, World, brisk, event, events, many, position};
use crate::http::events::ReplaySettings;

const LONG: Duration = Duration::from_secs(3_600);

/// The error with which a follower ends in order.
async fn ending(reply: Reply) -> Value {
    let (lines, in_order) = reply.rest().await;
    assert!(in_order);
    assert!(lines.iter().all(|line| line.get("end").is_none()), "{lines:?}");
    lines.last().unwrap()["error"].clone()
}

/// The next line of an event.
async fn next_event(reply: &mut Reply) -> Value {
    loop {
        let line = reply.line().await;
        if line.get("type").is_some() {
            return line;
        }
    }
}

#[tokio::test]
async fn an_event_that_is_appended_later_comes_as_soon_as_it_is_told_of() {
    let world = World::with(ReplaySettings { poll: LONG, ..brisk() }).await;
    world.log.append(many(10));
    let mut reply = world.open(AUDITOR, "after=9&follow=true").await;
    assert_eq!(position(&reply.line().await), 10);
    for at in 11..=13 {
        world.log.append([event("clue.won", None, "{\"won\":{}}")]);
        world.appended.send_replace(Position::new(at));
        assert_eq!(position(&next_event(&mut reply).await), at);
    }
}

#[tokio::test]
async fn events_of_other_processes_are_found_by_looking() {
    let world = World::new().await;
    let mut reply = world.open(AUDITOR, "follow=true").await;
    world.log.append(many(3));
    for at in 1..=3 {
        assert_eq!(position(&next_event(&mut reply).await), at);
    }
}

#[tokio::test]
async fn a_log_that_tells_no_more_is_still_looked_at_now_and_then() {
    let world = World::new().await;
    let mut reply = world.open(AUDITOR, "follow=true").await;
    drop(world.appended);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.log.reads().len() < 100, "nobody looks without a pause");
    world.log.append(many(1));
    assert_eq!(position(&next_event(&mut reply).await), 1);
}

#[tokio::test]
async fn a_follower_reads_pages_in_step_with_the_log() {
    let world = World::new().await;
    world.log.append(many(1_000));
    let mut reply = world.open(AUDITOR, "follow=true&types=clue.won&limit=101").await;
    for at in (10..=1_000).step_by(10) {
        assert_eq!(position(&next_event(&mut reply).await), at);
    }
    world.log.append(many(30));
    let (lines, in_order) = reply.rest().await;
    assert!(in_order);
    assert_eq!(events(&lines).map(position).collect::<Vec<_>>(), [1_010]);
    assert_eq!(lines.last().unwrap(), &json!({ "end": { "position": 1_010 } }), "the limit ends it");
}

#[tokio::test]
async fn silence_is_filled_with_the_position() {
    let world = World::with(ReplaySettings { heartbeat: Duration::from_millis(30), ..brisk() }).await;
    world.log.append(many(5));
    let mut reply = world.open(AUDITOR, "follow=true&after=5").await;
    for _ in 0..3 {
        assert_eq!(reply.line().await, json!({ "position": 5 }));
    }
}

#[tokio::test]
async fn a_follower_ends_with_its_token() {
    let world = World::new().await;
    world.log.append(many(2));
    let request = world.request("follow=true").bearer_auth(world.token(AUDITOR, 1));
    let mut reply = Reply::of(request.send().await.unwrap());
    assert_eq!(position(&reply.line().await), 1);
    assert_eq!(position(&reply.line().await), 2);
    let error = ending(reply).await;
    assert_eq!((&error["code"], position(&error)), (&json!("token_expired"), 2));
}

#[tokio::test]
async fn a_follower_ends_when_the_program_does() {
    let world = World::new().await;
    world.log.append(many(2));
    let reply = world.open(AUDITOR, "follow=true&after=2").await;
    world.stop.notify_one();
    let error = ending(reply).await;
    assert_eq!((&error["code"], position(&error)), (&json!("server_ending"), 2));
    world.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_loses_the_role_loses_the_replay() {
    let world = World::with(ReplaySettings { renew: Duration::ZERO, ..brisk() }).await;
    for (roles, suspended, code) in
        [(&[Role::Agent][..], false, "forbidden"), (&[Role::Bi][..], true, "operator_suspended")]
    {
        world.staff.set(BI, &[Role::Bi], &["sales"], false);
        let reply = world.open(BI, "follow=true").await;
        world.staff.set(BI, roles, &["sales"], suspended);
        assert_eq!(ending(reply).await["code"], code);
    }
}

#[tokio::test]
async fn a_scope_that_changes_changes_what_comes_next() {
    let world = World::with(ReplaySettings { renew: Duration::ZERO, ..brisk() }).await;
    let mut reply = world.open(BI, "follow=true").await;
    world.log.append(["sales", "service"].map(|line| event("clue.won", Some(line), "{\"won\":{}}")));
    assert_eq!(position(&next_event(&mut reply).await), 1);
    // The line of the progress says that the event of the other line was passed over.
    assert_eq!(reply.line().await, json!({ "position": 2 }));
    world.staff.set(BI, &[Role::Bi], &["service"], false);
    world.log.append(["sales", "service"].map(|line| event("clue.won", Some(line), "{\"won\":{}}")));
    assert_eq!(position(&next_event(&mut reply).await), 4);
}
