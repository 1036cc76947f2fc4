//! Whatever is done to a signed log, its tiles or its checkpoints is found and named.

use std::fs;

use commands::event_log::{LogFault, verify};
use commands::proof::SealError;
use domain::Position;
use domain::ports::ReadError;
use tests::stores::{Backend, Store};

use super::{Signed, shift};

on_every_backend! {
    a_changed_event_is_named,
    removed_events_are_named,
    an_inserted_event_is_named,
    reordered_events_are_named,
    events_outside_of_the_log_are_refused_and_named,
    an_event_that_is_no_text_any_more_is_named,
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
    let head = "UPDATE log_head SET position = 701".to_owned();
    let found = faults(store, &[away, back, insert, head]).await;
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

async fn events_outside_of_the_log_are_refused_and_named(store: Store) {
    let signed = Signed::with(store, &[20]).await;
    let insert = |position: i64| {
        format!(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
             metadata, position, recorded_at) SELECT aggregate_type, 'intruder', 100 + {position}, event_type, \
             event_version, payload, metadata, {position}, recorded_at FROM events WHERE position = 20"
        )
    };
    for position in [0, -5] {
        assert!(signed.store.execute(&insert(position)).await.is_err(), "position {position}");
    }
    signed.tamper(&[&insert(0), &insert(-5), &insert(1_000)]).await;
    let outside = |faults: Vec<String>| {
        let mut outside: Vec<String> = faults.into_iter().filter(|fault| fault.contains("OUTSIDE")).collect();
        outside.sort();
        let begins = outside.iter().zip(["position -5: ", "position 0: ", "position 1000: "]);
        assert!(
            outside.len() == 3 && begins.clone().all(|(fault, begin)| fault.starts_with(begin)),
            "{outside:#?}"
        );
        assert!(outside[0].contains("stream clue-intruder"), "{outside:#?}");
    };
    outside(signed.faults().await);
    let report = verify(&signed.log, &mut |_, _| {}).await.unwrap();
    outside(report.faults.iter().map(LogFault::to_string).collect());
}

async fn an_event_that_is_no_text_any_more_is_named(store: Store) {
    let signed = Signed::with(store, &[20]).await;
    match signed.store.backend() {
        Backend::Sqlite | Backend::EventStoreOnSqlite => {
            signed
                .tamper(&["UPDATE events SET payload = CAST(x'22ff22' AS text) WHERE position IN (5, 20)"])
                .await;
        }
        Backend::Postgres | Backend::EventStoreOnPostgres => {
            signed
                .tamper(&[
                    "ALTER TABLE events ALTER payload DROP NOT NULL",
                    "UPDATE events SET payload = NULL WHERE position IN (5, 20)",
                ])
                .await;
        }
    }
    let found = signed.faults().await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("position 5: CHANGED") && found[1].starts_with("position 20: CHANGED"));
    let refused = signed.sealer().seal().await.unwrap_err();
    assert!(matches!(refused, SealError::Changed { position } if position == Position::new(5)), "{refused}");
    // Whoever reads events stops in front of it, in pages and in stretches.
    for stretch in
        [signed.log.read(Position::ZERO, 20), signed.log.read_range(Position::ZERO, Position::new(20))]
    {
        let read = stretch.await;
        assert!(
            matches!(read, Err(ReadError::Corrupt { position, .. }) if position == Position::new(5)),
            "{read:?}"
        );
    }
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

/// Moves the events between two positions, these included.
fn shift_within(first: usize, last: usize, by: i64) -> [String; 2] {
    let [away, back] = shift(first, by);
    [format!("{away} AND position <= {last}"), back]
}

/// Puts an event that was never signed at a free position.
fn fake(position: usize) -> String {
    format!(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
         position, recorded_at) SELECT aggregate_type, 'fake-{position}', 1, event_type, event_version, payload, \
         metadata, {position}, recorded_at FROM events WHERE position = 1"
    )
}

fn delete(position: usize) -> String {
    format!("DELETE FROM events WHERE position = {position}")
}

fn begins(faults: &[String], expected: &[&str]) {
    let good = faults.len() == expected.len();
    assert!(
        good && faults.iter().zip(expected).all(|(fault, begin)| fault.starts_with(begin)),
        "{faults:#?}"
    );
}

#[tokio::test]
async fn a_second_removal_behind_events_that_moved_up_is_named_too() {
    let [one_away, one_back] = shift(101, -1);
    let [two_away, two_back] = shift(300, -1);
    let store = Store::fresh(Backend::Sqlite).await;
    // The event of position 300 stands at 299 by then.
    let found = faults(store, &[delete(100), one_away, one_back, delete(299), two_away, two_back]).await;
    begins(&found, &["position 100: REMOVED", "position 300: REMOVED"]);
}

#[tokio::test]
async fn fakes_that_fill_the_places_of_removed_events_are_named_beside_what_was_removed() {
    let mut statements = Vec::new();
    for removed in [100, 300] {
        statements.push(delete(removed));
        statements.extend(shift_within(removed + 1, removed + 50, -1));
        statements.push(fake(removed + 50));
    }
    let found = faults(Store::fresh(Backend::Sqlite).await, &statements).await;
    let expected = [
        "position 100: REMOVED",
        "position 150: INSERTED",
        "position 300: REMOVED",
        "position 350: INSERTED",
    ];
    begins(&found, &expected);
}

#[tokio::test]
async fn a_log_whose_events_moved_up_and_that_was_cut_off_lost_both() {
    let [away, back] = shift(6, -1);
    let cut = "DELETE FROM events WHERE position > 689".to_owned();
    let found = faults(Store::fresh(Backend::Sqlite).await, &[delete(5), away, back, cut]).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    for begin in ["position 5: REMOVED", "positions 691 to 700: REMOVED"] {
        assert!(found.iter().any(|fault| fault.starts_with(begin)), "{found:#?}");
    }
}

#[tokio::test]
async fn a_removed_event_is_named_where_an_inserted_one_hides_the_hole() {
    let [away, back] = shift_within(100, 199, 1);
    let found = faults(Store::fresh(Backend::Sqlite).await, &[delete(200), away, back, fake(100)]).await;
    begins(&found, &["position 100: INSERTED", "position 200: REMOVED"]);
}

#[tokio::test]
async fn more_removed_events_than_are_followed_are_one_stretch() {
    let [away, back] = shift(160, -60);
    let delete = "DELETE FROM events WHERE position BETWEEN 100 AND 159".to_owned();
    let found = faults(Store::fresh(Backend::Sqlite).await, &[delete, away, back]).await;
    one(&found, "positions 100 to 159: REMOVED");
}

#[tokio::test]
async fn every_changed_event_is_named_up_to_a_hundred_and_the_others_are_counted() {
    for (changed, named) in [(20, 20), (150, 100)] {
        let change = format!(
            "UPDATE events SET payload = '{{}}' WHERE position % 4 = 0 AND position <= 4 * {changed}"
        );
        let found = faults(Store::fresh(Backend::Sqlite).await, &[change]).await;
        let (changes, others): (Vec<&String>, Vec<&String>) =
            found.iter().partition(|fault| fault.contains("CHANGED"));
        assert_eq!(changes.len(), named, "{found:#?}");
        assert!(changes.iter().zip(1..).all(|(fault, n)| fault.starts_with(&format!("position {}:", 4 * n))));
        let left = changed - named;
        let rest = format!("{left} more events are not what, or not where, was signed");
        assert!(if left == 0 { others.is_empty() } else { others == [&rest] }, "{others:#?}");
    }
}

#[tokio::test]
async fn a_newest_checkpoint_that_contradicts_the_history_is_named_and_not_signed_upon() {
    let mut signed = Signed::with(Store::fresh(Backend::Sqlite).await, &SIZES).await;
    let forged =
        |size| domain::proof::Checkpoint::sign(size, domain::proof::Hash::of_nothing(), &signed.signer);
    for size in [250, 700] {
        fs::write(signed.path().join("checkpoint"), forged(size)).unwrap();
        let found = signed.faults().await;
        one(&found, &format!("CHECKPOINT of size {size}: it is signed, but"));
    }
    signed.append(5).await;
    assert!(matches!(signed.sealer().seal().await, Err(SealError::Damaged(_))));
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
    // The first three lead to a root, and of tile 1 all leaves are known; nothing tells of the others.
    assert_eq!((report.equal, report.different), (3 + 444, 0));
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
    let pages = commands::proof::live_pages(signed.log.clone());
    let audited =
        commands::proof::audit(&*signed.place(), other.signer.verifier(), pages, &mut |_, _| {}).await;
    assert!(matches!(audited, Err(commands::proof::AuditError::NothingSigned)));
}
