//! The program under faults, and a short run of every kind of them on each store.

use std::fmt::{Debug, Display, Formatter};

use tests::faults::database::Backend;
use tests::faults::{Extent, Failure, Plan, run};

/// Decides the run that is part of every test. `TORTURE_SEED` takes another one.
const SEED: u64 = 20_261_126;

/// What broke is the last that it says, with no trace of the harness behind it.
type Outcome = Result<(), Told>;

struct Told(Box<Failure>);

impl Debug for Told {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(&self.0, f)
    }
}

async fn every_kind(backend: Backend) -> Outcome {
    let seed = std::env::var("TORTURE_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    println!("seed {seed} on {backend:?}");
    let plan = Plan { seed, backend, extent: Extent::Once, only: Vec::new(), until: None };
    run(plan, &|line| println!("{line}")).await.map(drop).map_err(Told)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_fault_leaves_every_promise_kept_on_sqlite() -> Outcome {
    every_kind(Backend::Sqlite).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_fault_leaves_every_promise_kept_on_postgres() -> Outcome {
    every_kind(Backend::Postgres).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_fault_leaves_every_promise_kept_on_the_double_of_eventstore() -> Outcome {
    every_kind(Backend::EventStore).await
}
