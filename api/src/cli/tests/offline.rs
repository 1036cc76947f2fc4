//! An auditor with three things: a raw replay, a copy of the checkpoints, the verifier key.

use std::io::Cursor;
use std::time::Duration;

use commands::proof::{AuditError, AuditReport, Directory, Place, audit};
use domain::operator::Role;

use super::super::audit::{Checkpoints, key, offline};
use super::super::checkpoint::seal;
use super::super::replay_file::pages;
use super::super::{CliError, replay};
use crate::app::sealer;
use crate::config::Config;
use crate::graphql::tests::world::World;
use crate::http::events::Format;
use crate::proofs::Proofs;

/// A signed log, and a raw replay of it.
async fn signed() -> (World, String) {
    let world = World::new().await;
    world.pooled("13812345678").await;
    world.seal().await;
    let path = world.file("events.ndjson");
    let output = Some(path.clone());
    let arguments =
        replay::Arguments { after: 0, types: Vec::new(), raw: true, format: Format::Ndjson, output };
    replay::write(&world.app.log, &arguments).await.unwrap();
    (world, std::fs::read_to_string(path).unwrap())
}

async fn audited(world: &World, text: &str) -> Result<AuditReport, AuditError> {
    let place = Directory::new(&world.file("checkpoints"));
    audit(&place, world.verifier(), pages(Cursor::new(text.to_owned())), &mut |_, _| {}).await
}

async fn faults(world: &World, lines: &[String]) -> Vec<String> {
    let report = audited(world, &(lines.join("\n") + "\n")).await.unwrap();
    report.faults.iter().map(ToString::to_string).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_raw_replay_verifies_without_the_server_wherever_it_came_from() {
    let (world, text) = signed().await;
    let head = world.app.log.head().await.unwrap().position.get().unsigned_abs();
    let auditor = world.who(Role::Auditor);
    let over_http = world.get(auditor, "/events?raw=true").await.text().await.unwrap();
    assert_eq!(over_http, text, "the server and the command line print the same lines");
    for replay in [&text, &over_http] {
        let report = audited(&world, replay).await.unwrap();
        assert_eq!((report.faults, report.equal, report.different, report.beyond), (vec![], head, 0, 0));
    }
    let file = world.file("replay.ndjson");
    std::fs::write(&file, &text).unwrap();
    let place = Directory::new(&world.file("checkpoints"));
    let signed = Checkpoints { place, key: world.verifier().clone() };
    offline(&signed, &file).await.unwrap();
    std::fs::write(&file, text.replacen("\"revision\":1", "\"revision\":2", 1)).unwrap();
    assert!(matches!(offline(&signed, &file).await, Err(CliError::Faults(1))));
    let end = text.trim_end().rfind('\n').unwrap();
    std::fs::write(&file, &text[..=end]).unwrap();
    let refused = offline(&signed, &file).await.unwrap_err().to_string();
    assert!(refused.contains("does not end with the line"), "{refused}");
    world.end().await;
}

#[tokio::test]
async fn whatever_is_done_to_a_replay_is_named() {
    let (world, text) = signed().await;
    let good = lines(&text);
    let change = |from: &str, to: &str| {
        let mut lines = good.clone();
        let changed = lines[4].replacen(from, to, 1);
        assert_ne!(changed, lines[4], "{from}");
        lines[4] = changed;
        lines
    };
    // What a person reads, and what was signed: neither can be changed alone.
    let told = faults(&world, &change("\"actor\":\"", "\"actor\":\"system:x\",\"was\":\"")).await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("position 5: CHANGED: actor is not what the stored texts say"), "{told:#?}");
    let stored = faults(&world, &change("\\\"actor\\\":\\\"", "\\\"actor\\\": \\\"")).await;
    assert_eq!(stored.len(), 1, "{stored:#?}");
    assert!(stored[0].starts_with("position 5: CHANGED: "), "{stored:#?}");
    // Of two members with one name, programs take the one or the other.
    let twice = faults(&world, &change("{\"position\":5,", "{\"actor\":\"system:x\",\"position\":5,")).await;
    assert_eq!(twice.len(), 1, "{twice:#?}");
    assert!(twice[0].contains("position 5: CHANGED: actor is there twice"), "{twice:#?}");
    let nested = good.iter().position(|line| line.contains("\"data\":{\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(&good[nested]).unwrap();
    let (name, _) = line["data"].as_object().unwrap().iter().next().unwrap();
    let mut nested_twice = good.clone();
    nested_twice[nested] =
        good[nested].replacen("\"data\":{", &format!("\"data\":{{\"{name}\":\"another\","), 1);
    let told = faults(&world, &nested_twice).await;
    assert!(told.len() == 1 && told[0].contains("is there twice"), "{told:#?}");
    let mut removed = good.clone();
    removed.remove(4);
    assert!(faults(&world, &removed).await[0].starts_with("position 5: REMOVED"));
    let mut twice = good.clone();
    twice.insert(9, good[4].clone());
    assert!(
        faults(&world, &twice).await[0].starts_with("position 5: INSERTED: the position comes a second time")
    );
    let mut swapped = good.clone();
    swapped.swap(4, 5);
    assert_eq!(faults(&world, &swapped).await, ["position 5: MOVED: it stands behind position 6"]);
    let cut = good.len() - 2;
    let tail = faults(&world, &good[..cut]).await;
    assert!(tail.len() == 1 && tail[0].contains("REMOVED") && tail[0].contains(&(cut + 1).to_string()));
    world.end().await;
}

#[tokio::test]
async fn a_replay_cannot_steer_the_terminal_of_who_verifies_it() {
    let (world, text) = signed().await;
    let good = lines(&text);
    let mut hostile = good.clone();
    hostile[4] = good[4].replacen("\"type\":\"", "\"type\":\"\\u001b[2J\\nreplay: all is good", 2);
    let told = faults(&world, &hostile).await;
    assert!(told.iter().any(|fault| fault.contains("\\u{1b}[2J\\nreplay: all is good")), "{told:#?}");
    assert!(!told.iter().any(|fault| fault.contains(char::is_control)), "{told:#?}");
    let broken = format!("{}\n{{\"error\":{{\"code\":\"\\u001b[2J\\n\"}}}}\n", good[0]);
    let refused = audited(&world, &broken).await.unwrap_err().to_string();
    assert!(refused.contains("\\u{1b}") && !refused.contains(char::is_control), "{refused:?}");
    world.end().await;
}

#[tokio::test]
async fn a_raw_replay_of_a_log_that_was_tampered_with_is_whole_and_tells_what_was_done() {
    let (world, _) = signed().await;
    let head = world.app.log.head().await.unwrap().position.get();
    let cut = head - 2;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.file("cluestream.db"));
    let mut intruder = sqlx::ConnectOptions::connect(&options).await.unwrap();
    for sql in [
        "DROP TRIGGER events_no_update".to_owned(),
        "DROP TRIGGER events_no_delete".to_owned(),
        "UPDATE events SET metadata = 'none' WHERE position = 3".to_owned(),
        "UPDATE events SET payload = CAST(x'ff' AS text), event_version = 'x' WHERE position = 5".to_owned(),
        format!("DELETE FROM events WHERE position = 7 OR position > {cut}"),
    ] {
        sqlx::query(&sql).execute(&mut intruder).await.unwrap();
    }
    let output = Some(world.file("tampered.ndjson"));
    let arguments =
        replay::Arguments { after: 0, types: Vec::new(), raw: true, format: Format::Ndjson, output };
    replay::write(&world.app.log, &arguments).await.unwrap();
    let written = std::fs::read_to_string(world.file("tampered.ndjson")).unwrap();
    let told = faults(&world, &lines(&written)).await;
    for begin in [
        "position 7: REMOVED".to_owned(),
        format!("positions {} to {head}: REMOVED", cut + 1),
        "position 3: CHANGED".to_owned(),
        "position 5: CHANGED".to_owned(),
        "line 3: position 3: ".to_owned(),
        "line 5: position 5: ".to_owned(),
    ] {
        assert!(told.iter().any(|fault| fault.starts_with(&begin)), "{begin}: {told:#?}");
    }
    assert_eq!(told.len(), 6, "{told:#?}");
    // Whoever does not audit is stopped.
    let others = Some(world.file("others.ndjson"));
    let arguments = replay::Arguments { raw: false, output: others, ..arguments };
    assert!(matches!(replay::write(&world.app.log, &arguments).await, Err(CliError::Log(_))));
    world.end().await;
}

#[tokio::test]
async fn signing_fails_while_another_process_holds_the_place_and_the_log_is_not_signed_to_its_end() {
    let world = World::new().await;
    world.pooled("13812345678").await;
    let proofs = Proofs::new(&world.config, &world.keys);
    let mut sealer = sealer(&world.app, &world.config, &world.keys).unwrap();
    let head = world.app.log.head().await.unwrap().position;
    let place = Directory::new(&world.file("checkpoints"));
    let held = Place::lock(&place).await.unwrap();
    let refused = seal(&mut sealer, &proofs, head, Duration::ZERO).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("another process is signing")));
    drop(held);
    seal(&mut sealer, &proofs, head, Duration::ZERO).await.unwrap();
    assert_eq!(proofs.newest().await.unwrap().checkpoint.size, head.get().unsigned_abs());
    let _held = Place::lock(&place).await.unwrap();
    seal(&mut sealer, &proofs, head, Duration::ZERO).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_compared_is_refused_with_the_reason() {
    let (world, text) = signed().await;
    let good = lines(&text);
    let auditor = world.who(Role::Auditor);
    let get = |path: &'static str| async { world.get(auditor, path).await.text().await.unwrap() };
    for (replay, reason) in [
        (get("/events").await, "has not the stored texts"),
        (get("/events?raw=true&types=clue.*").await, "events were left out"),
        (
            format!("{}\n{{\"error\":{{\"code\":\"token_expired\"}}}}\n", good[0]),
            "broken off there (token_expired)",
        ),
        (text[..text.len() - 9].to_owned(), "not a line of a replay"),
        ("hello\n".to_owned(), "line 1: it is not a line of a replay"),
    ] {
        let refused = audited(&world, &replay).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{reason}: {refused}");
    }
    world.end().await;
}

#[test]
fn the_key_is_given_itself_or_in_a_file_and_a_missing_one_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { keys_dir: folder.path().join("keys"), ..Config::default() };
    let missing = key(None, &config).err().unwrap().to_string();
    assert!(missing.contains("--key"), "{missing}");
    crate::keys::Keys::create(&config.keys_dir).unwrap();
    let own = key(None, &config).unwrap();
    let file = crate::keys::Keys::verifier_file(&config.keys_dir);
    assert_eq!(key(Some(&own.to_string()), &config).unwrap(), own);
    assert_eq!(key(Some(file.to_str().unwrap()), &config).unwrap(), own);
    let mistyped = own.to_string().replacen("cluestream", "cluestraem", 1);
    assert!(key(Some(&mistyped), &config).err().unwrap().to_string().contains("mistyped or altered"));
}
