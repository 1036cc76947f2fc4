//! What is tried on a live EventStoreDB when one is named: beside the conformance suite, that a stream
//! rebuilds a replica. On the double otherwise.

use commands::event_log::Append;
use tests::stores::{Backend, Store};

use super::super::conformance::event_log::{all, new_events};
use super::{done, faults, open, opened};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_replica_equals_the_one_that_was_written() {
    let Store::EventStore(store) = Store::fresh(Backend::EventStoreOnSqlite).await else {
        panic!("that is what was asked for");
    };
    let log = opened(&store).await;
    for n in 0..50 {
        done(&log, new_events(&[(n, 0, 2), (1_000 + n, 0, 1)])).await;
    }
    done(&log, Append::of(new_events(&[]).command)).await;
    let fresh = Store::fresh(Backend::Sqlite).await;
    let rebuilt = open(&store, &fresh).await.unwrap();
    assert_eq!(all(&rebuilt).await, all(&log).await);
    assert_eq!(faults(&rebuilt).await, []);
    assert_eq!(faults(&log).await, []);
}
