//! Whatever is done to a signed log, its tiles or its checkpoints is found and named.

use std::fs;

use tests::stores::{Backend, Store};

use super::{Signed, shift};

on_every_backend! {
    a_changed_event_is_named,
    removed_events_are_named,
    an_inserted_event_is_named,
    reordered_events_are_named,
}

const SIZES: [usize; 4] = [3, 250, 400, 700];

/// The faults of a log to which this was done.
async fn faults(store: Store, statements: &[String]) -> Vec<String> {
    let signed = Signed::with(store, &SIZES).await;
    assert!(signed.audit().await.faults.is_empty());
    signed.tamper(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let report = signed.audit().await;
    assert!(report.different > 0 && report.equal + report.different <= 700, "{report:?}");
    // The tree of what was signed is known from the tiles, so all checkpoints are still good.
    assert_eq!((report.checkpoints, report.unchecked), (4, 0));
    report.faults.iter().map(ToString::to_string).collect()
}

fn one(faults: &[String], begin: &str) {
    assert!(faults.len() == 1 && faults[0].starts_with(begin), "{begin}: {faults:#?}");
}

async fn a_changed_event_is_named(store: Store) {
    let change = |set: &str, position| format!("UPDATE events SET {set} WHERE position = {position}");
    let found = faults(
        store,
        &[
            change("metadata = '{\"event_id\": \"1\"}'", 5),
            change("recorded_at = recorded_at + 1", 300),
            change("event_version = '2'", 301),
            change("sequence = 77", 700),
        ],
    )
    .await;
    let positions = [5, 300, 301, 700];
    assert_eq!(found.len(), 4, "{found:#?}");
    for (fault, position) in found.iter().zip(positions) {
        assert!(fault.starts_with(&format!("position {position}: CHANGED: clue.pooled of clue-")), "{fault}");
    }
}

async fn removed_events_are_named(store: Store) {
    let signed = Signed::with(store, &SIZES).await;
    signed.tamper(&["DELETE FROM events WHERE position = 5 OR position BETWEEN 300 AND 302"]).await;
    let found = signed.faults().await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("position 5: REMOVED") && found[1].starts_with("positions 300 to 302: REMOVED")
    );
}

async fn an_inserted_event_is_named(store: Store) {
    let [away, back] = shift(260, 1);
    let insert = "INSERT INTO events SELECT aggregate_type, 'intruder', 1, event_type, event_version, payload, \
                  metadata, 260, recorded_at FROM events WHERE position = 259";
    let columns = "(aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
                   position, recorded_at)";
    let insert = insert.replacen("events", &format!("events {columns}"), 1);
    let found = faults(store, &[away, back, insert]).await;
    one(&found, "position 260: INSERTED: never signed, beginning with clue.pooled of clue-intruder");
}

async fn reordered_events_are_named(store: Store) {
    let swap = [
        "UPDATE events SET position = -5 WHERE position = 5",
        "UPDATE events SET position = 5 WHERE position = 650",
        "UPDATE events SET position = 650 WHERE position = -5",
    ];
    one(
        &faults(store, &swap.map(str::to_owned)).await,
        "position 5: MOVED: the event that was signed here, clue.pooled",
    );
}

#[tokio::test]
async fn events_that_moved_up_into_the_places_of_removed_ones_do_not_hide_them() {
    for (first, last) in [(1, 1), (5, 5), (300, 303), (699, 699)] {
        let [away, back] = shift(last + 1, first as i64 - last as i64 - 1);
        let delete = format!("DELETE FROM events WHERE position BETWEEN {first} AND {last}");
        let store = Store::fresh(Backend::Sqlite).await;
        let found = faults(store, &[delete, away, back]).await;
        let name =
            if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
        one(&found, &format!("{name}: REMOVED: signed here and gone; the events behind moved up"));
    }
}

#[tokio::test]
async fn an_event_that_was_moved_far_is_named_once() {
    for (from, to) in [(10, 600), (600, 10)] {
        let [away, back] = shift(from + 1, -1);
        let [away_again, back_again] = shift(to, 1);
        let moved = [
            format!("UPDATE events SET position = 100000 WHERE position = {from}"),
            away.replace("WHERE", "WHERE position < 100000 AND"),
            back,
            away_again.replace("WHERE", "WHERE position < 100000 AND"),
            back_again,
            format!("UPDATE events SET position = {to} WHERE position = 100000"),
        ];
        let store = Store::fresh(Backend::Sqlite).await;
        let found = faults(store, &moved).await;
        one(&found, &format!("position {}: MOVED", from.min(to)));
    }
}

#[tokio::test]
async fn a_log_that_was_cut_off_is_found_although_its_head_says_nothing() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &SIZES).await;
    signed.tamper(&["DELETE FROM events WHERE position > 650"]).await;
    one(&signed.faults().await, "positions 651 to 700: REMOVED");
}

#[tokio::test]
async fn a_damaged_tile_is_named_and_the_events_are_good_all_the_same() {
    for (name, reason) in [("tile/0/001", "altered"), ("tile/0/000", "altered")] {
        let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &SIZES).await;
        let mut content = fs::read(signed.path().join(name)).unwrap();
        content[40] ^= 1;
        fs::write(signed.path().join(name), content).unwrap();
        let report = signed.audit().await;
        assert_eq!((report.equal, report.checkpoints), (700, 4), "the events lead to the roots");
        let found: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        one(&found, &format!("TILE {name}: it was {reason}"));
        fs::remove_file(signed.path().join(name)).unwrap();
        one(&signed.faults().await, &format!("TILE {name}: it is missing"));
    }
}

#[tokio::test]
async fn where_events_and_tiles_are_both_damaged_the_stretch_is_named() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &SIZES).await;
    fs::write(signed.path().join("tile/0/000"), [7; 8_192]).unwrap();
    signed.tamper(&["UPDATE events SET sequence = 99 WHERE position = 100"]).await;
    let report = signed.audit().await;
    let found: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert!(found[0].starts_with("positions 4 to 250: DIFFERENT"), "{found:#?}");
    assert!(found[1].starts_with("TILE tile/0/000"), "{found:#?}");
    assert_eq!((found.len(), report.checkpoints, report.unchecked), (2, 1, 2));
}

#[tokio::test]
async fn altered_foreign_and_contradicting_checkpoints_are_named() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &SIZES).await;
    let folder = signed.path().join("checkpoints/00000000000000");
    let file = |size: u64| folder.join(format!("{size:020}"));
    let altered = fs::read_to_string(file(3)).unwrap().replace("\n3\n", "\n4\n");
    fs::write(file(3), altered).unwrap();
    fs::copy(file(400), file(250)).unwrap();
    let found = signed.faults().await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("CHECKPOINT") && found[0].contains("signature is wrong"), "{found:#?}");
    assert!(found[1].contains("it is the checkpoint of size 400"), "{found:#?}");
    // Somebody with the key signs another history.
    let other = Signed::with(Store::fresh(Backend::Sqlite).await, &[250]).await;
    let root = other.audit().await.newest.root;
    let forged = domain::proof::Checkpoint::sign(250, root, &signed.signer);
    fs::write(file(250), forged).unwrap();
    let found = signed.faults().await;
    assert!(found.iter().any(|fault| fault.contains("two histories were signed")), "{found:#?}");
}

#[tokio::test]
async fn without_a_checkpoint_of_the_key_there_is_nothing_to_compare_with() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[3]).await;
    let other = Signed::new(Store::fresh(Backend::Sqlite).await).await;
    let pages = commands::proof::live_pages(signed.log.clone(), domain::Position::new(3));
    let audited =
        commands::proof::audit(&*signed.place(), other.signer.verifier(), pages, &mut |_, _| {}).await;
    assert!(matches!(audited, Err(commands::proof::AuditError::NothingSigned)));
}
