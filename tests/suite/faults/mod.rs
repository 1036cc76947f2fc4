//! The program under faults, and a short run of every kind of them on each store.

use tests::faults::database::Backend;
use tests::faults::{Extent, Plan, run};

/// Decides the run that is part of every test. `TORTURE_SEED` takes another one.
const SEED: u64 = 20_261_126;

async fn every_kind(backend: Backend) {
    let seed = std::env::var("TORTURE_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    println!("seed {seed} on {backend:?}");
    let plan = Plan { seed, backend, extent: Extent::Once, only: Vec::new(), until: None };
    if let Err(failure) = run(plan, &|line| println!("{line}")).await {
        panic!("{failure}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_fault_leaves_every_promise_kept_on_sqlite() {
    every_kind(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_fault_leaves_every_promise_kept_on_postgres() {
    every_kind(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_fault_leaves_every_promise_kept_on_the_double_of_eventstore() {
    every_kind(Backend::EventStore).await;
}
