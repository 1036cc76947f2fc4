//! Stored events come as their rows have them, on every backend.

use domain::Position;
use domain::proof::StoredEvent;
use tests::stores::Store;

use super::Signed;

on_every_backend! {
    stored_texts_are_read_byte_for_byte,
    pages_and_ranges_of_stored_events_meet_and_holes_are_no_error,
}

async fn all(signed: &Signed) -> Vec<StoredEvent> {
    signed.log.read_stored(Position::ZERO, 1_000).await.unwrap()
}

async fn stored_texts_are_read_byte_for_byte(store: Store) {
    let mut signed = Signed::new(store).await;
    signed.append(1).await;
    let metadata = r#"{ "b":"1",  "a" : "李伟", "b":"2" }"#;
    signed.tamper(&[&format!("UPDATE events SET metadata = '{metadata}', event_version = '01'")]).await;
    let stored = &all(&signed).await[0];
    assert_eq!(&*stored.metadata, metadata, "no envelope is read, and nothing is printed anew");
    assert_eq!((&*stored.payload, &*stored.event_version), (r#"{"pooled": {}, "text":"0"}"#, "01"));
    assert_eq!((stored.position, stored.sequence.get()), (Position::new(1), 1));
    assert_eq!((&*stored.aggregate_type, &*stored.event_type), ("clue", "clue.pooled"));
    assert!(signed.log.read(Position::ZERO, 1).await.is_err(), "whoever reads events is stopped");
}

async fn pages_and_ranges_of_stored_events_meet_and_holes_are_no_error(store: Store) {
    let mut signed = Signed::new(store).await;
    signed.append(30).await;
    let events = all(&signed).await;
    let recorded = signed.log.read(Position::ZERO, 30).await.unwrap();
    assert!(events.iter().map(|event| event.recorded().unwrap()).eq(recorded));
    signed.tamper(&["DELETE FROM events WHERE position IN (11, 12, 13, 25)"]).await;
    let positions = |events: &[StoredEvent]| events.iter().map(|e| e.position.get()).collect::<Vec<_>>();
    let range = |after, until| {
        let log = signed.log.clone();
        async move {
            let read = log.read_stored_range(Position::new(after), Position::new(until)).await.unwrap();
            positions(&read)
        }
    };
    assert_eq!(range(8, 15).await, [9, 10, 14, 15]);
    assert_eq!(range(10, 13).await, [0_i64; 0]);
    assert_eq!(range(28, 99).await, [29, 30]);
    let page = signed.log.read_stored(Position::new(9), 3).await.unwrap();
    assert_eq!(positions(&page), [10, 14, 15]);
}
