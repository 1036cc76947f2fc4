//! Data keys: those of people who are new come in with an append, those of the erased go with one, and
//! nothing is sealed for whoever has none.

use commands::event_log::{Append, AppendError, WrappedKey, append};
use domain::ids::SubjectId;
use tests::clock::ManualClock;
use tests::stores::Store;
use uuid::Uuid;

use super::event_log::{all, new_events};

on_every_backend! {
    a_destroyed_data_key_is_gone_and_an_append_that_fails_stores_none,
    nothing_is_sealed_under_a_data_key_that_was_destroyed,
}

fn subject(number: u128) -> SubjectId {
    SubjectId::new(Uuid::from_u128(number))
}

fn key(number: u128) -> WrappedKey {
    WrappedKey { subject: subject(number), wrapped: vec![1, 2], master_version: 1 }
}

async fn a_destroyed_data_key_is_gone_and_an_append_that_fails_stores_none(store: Store) {
    let log = store.open(ManualClock::new()).await;
    assert_eq!(log.any_data_key().await.unwrap(), None);
    let with_key = Append { new_keys: vec![key(1)], ..new_events(&[(1, 0, 1)]) };
    append(log.as_ref(), with_key).await.unwrap();
    assert_eq!(log.data_keys(&[subject(1), subject(2)]).await.unwrap(), [key(1)]);
    assert_eq!(log.any_data_key().await.unwrap(), Some(key(1)));
    let destroy = Append { destroy_keys: vec![subject(1)], ..new_events(&[(1, 1, 1)]) };
    append(log.as_ref(), destroy).await.unwrap();
    assert_eq!(log.data_keys(&[subject(1)]).await.unwrap(), []);
    assert_eq!(log.any_data_key().await.unwrap(), None);
    // Refused: the stream went on. The key of another person must survive.
    append(log.as_ref(), Append { new_keys: vec![key(3)], ..new_events(&[(3, 0, 1)]) }).await.unwrap();
    let refused = Append { destroy_keys: vec![subject(3)], ..new_events(&[(1, 0, 1)]) };
    assert!(append(log.as_ref(), refused).await.is_err());
    assert_eq!(log.data_keys(&[subject(3)]).await.unwrap(), [key(3)]);
    // Handed in beside one that would leave a hole, a new key is stored all the same.
    let hole = Append { new_keys: vec![key(4)], ..new_events(&[(4, 7, 1)]) };
    let good = Append { new_keys: vec![key(5)], ..new_events(&[(5, 0, 1)]) };
    let hole = log.appender().permit().await.unwrap().submit(hole);
    let good = log.appender().permit().await.unwrap().submit(good);
    assert!(hole.await.is_err());
    good.await.unwrap();
    assert_eq!(log.data_keys(&[subject(5)]).await.unwrap(), [key(5)]);
}

async fn nothing_is_sealed_under_a_data_key_that_was_destroyed(store: Store) {
    let (log, other) = (store.open(ManualClock::new()).await, store.open(ManualClock::new()).await);
    let seals =
        |n, stream, of: u128| Append { seals_for: vec![subject(of)], ..new_events(&[(n, stream, 1)]) };
    let first = Append { new_keys: vec![key(1), key(2)], ..new_events(&[(1, 0, 1)]) };
    append(log.as_ref(), first).await.unwrap();
    // Whoever is new in the same group commit has a key, too.
    let third = Append { new_keys: vec![key(3)], ..new_events(&[(3, 0, 1)]) };
    let together = tokio::join!(
        append(log.as_ref(), third),
        append(log.as_ref(), seals(3, 1, 3)),
        append(log.as_ref(), seals(4, 0, 1)),
    );
    assert!(together.0.is_ok() && together.1.is_ok() && together.2.is_ok(), "{together:?}");

    let erase = Append { destroy_keys: vec![subject(1)], ..new_events(&[(1, 1, 1)]) };
    append(other.as_ref(), erase).await.unwrap();
    let together = tokio::join!(
        append(log.as_ref(), seals(5, 0, 2)),
        append(log.as_ref(), seals(6, 0, 1)),
        append(log.as_ref(), seals(7, 0, 3)),
    );
    assert!(together.0.is_ok() && together.2.is_ok(), "{together:?}");
    assert_eq!(together.1, Err(AppendError::KeyDestroyed { subject: subject(1) }));
    let never = append(other.as_ref(), seals(6, 0, 9)).await;
    assert_eq!(never, Err(AppendError::KeyDestroyed { subject: subject(9) }));
    assert_eq!(all(&log).await.len(), 7);
}
