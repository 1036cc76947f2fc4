//! Appends that were handed in before what they build on was committed, and what others did meanwhile.

use std::time::Duration;

use commands::event_log::{Append, AppendError, Chain, DecidedOn, append};
use domain::envelope::{Position, Revision};
use sqlx::{ConnectOptions, Connection, Executor};
use tests::clock::ManualClock;
use tests::stores::{Backend, Store};

use super::event_log::{all, assert_dense, new_events, stream};

on_every_backend! {
    what_goes_on_with_an_append_that_failed_fails_though_another_process_made_room_for_it,
}

async fn what_goes_on_with_an_append_that_failed_fails_though_another_process_made_room_for_it(store: Store) {
    let [here, there] = [store.open(ManualClock::new()).await, store.open(ManualClock::new()).await];
    append(there.as_ref(), new_events(&[(1, 0, 1)])).await.unwrap();
    append(there.as_ref(), new_events(&[(1, 1, 1)])).await.unwrap();
    let chain = |number| vec![Chain::new(number)];
    // The first was decided on revision 1, the others on what it would have made of that.
    let first = Append { extends: chain(7), ..new_events(&[(1, 1, 1)]) };
    let second = Append { extends: chain(7), ..new_events(&[(1, 2, 1)]) };
    let decided_on = vec![DecidedOn { stream: stream(1), at: Revision::new(2) }];
    let beside = Append { decided_on, rests_on: chain(7), extends: chain(8), ..new_events(&[(2, 0, 1)]) };
    let behind = Append { extends: chain(8), ..new_events(&[(2, 1, 1)]) };
    let mut pending = Vec::new();
    for append in [first, beside, second, behind] {
        pending.push(here.appender().permit().await.unwrap().submit(append));
    }
    for (number, append) in pending.into_iter().enumerate() {
        let refused = append.await;
        assert!(matches!(refused, Err(AppendError::WrongExpectedRevision { .. })), "{number}: {refused:?}");
    }
    append(here.as_ref(), Append { extends: chain(9), ..new_events(&[(1, 2, 1)]) }).await.unwrap();
    let events = all(&here).await;
    assert_eq!(events.len(), 3);
    assert_dense(&events);
}

/// What is checked while a statement waits for the head must be what is there when it has the head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_appends_while_an_append_waits_for_the_head_counts() {
    let store = Store::fresh(Backend::Postgres).await;
    let Store::Postgres(options) = &store else { panic!("it is on PostgreSQL") };
    let log = store.open(ManualClock::new()).await;
    append(log.as_ref(), new_events(&[(1, 0, 1)])).await.unwrap();
    for (streams, revision) in [(&[][..], 1), (&[(2, 0, 1)], 2)] {
        // The other process, as far as the database sees it.
        let mut other = options.connect().await.unwrap();
        let mut transaction = other.begin().await.unwrap();
        transaction.execute("UPDATE log_head SET position = position + 1").await.unwrap();
        let decided_on = vec![DecidedOn { stream: stream(1), at: Revision::new(revision) }];
        let stale = Append { decided_on, ..new_events(streams) };
        let pending = log.appender().permit().await.unwrap().submit(stale);
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'cluestream' AND wait_event_type = 'Lock'";
        while store.count(waits).await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        transaction
            .execute(
                "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                 metadata, position, recorded_at) SELECT aggregate_type, aggregate_id, sequence + 1, event_type, \
                 event_version, payload, metadata, position + 1, recorded_at FROM events ORDER BY position DESC LIMIT 1",
            )
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        let (stream, expected) = (stream(1), Revision::new(revision));
        assert_eq!(pending.await, Err(AppendError::WrongExpectedRevision { stream, expected }));
        assert_eq!(log.head().await.unwrap().position, Position::new(revision + 1));
    }
}
