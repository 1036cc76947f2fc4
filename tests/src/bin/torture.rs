//! `make torture`: faults with random seeds, for as long as asked.
//!
//! `SECONDS` is how long (60), `SEED` the first seed (random), `STORE` one of `Sqlite`, `Postgres` and
//! `EventStore` (all in turn), `LENGTH` the rounds of a seed (12, or `once` for each kind once),
//! `ROUNDS` the numbers of those to run (all).

use std::process::ExitCode;
use std::time::Duration;

use commands::clock::fresh_uuid;
use tests::faults::database::Backend;
use tests::faults::{Extent, Failure, Plan, run};
use tests::random::Random;
use tokio::time::Instant;

/// Rounds of a seed.
const LENGTH: usize = 12;
/// How often a shorter schedule is tried before it counts as harmless.
const TRIES: usize = 2;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(torture())
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} makes no sense")))
}

async fn torture() -> ExitCode {
    let until = Instant::now() + Duration::from_secs(variable("SECONDS").unwrap_or(60));
    let stores: Vec<Backend> = match variable::<String>("STORE").as_deref() {
        None => Backend::ALL.to_vec(),
        Some("Sqlite") => vec![Backend::Sqlite],
        Some("Postgres") => vec![Backend::Postgres],
        Some("EventStore") => vec![Backend::EventStore],
        Some(other) => panic!("STORE={other} is none of Sqlite, Postgres and EventStore"),
    };
    let extent = match variable::<String>("LENGTH").as_deref() {
        None => Extent::Rounds(LENGTH),
        Some("once") => Extent::Once,
        Some(count) => Extent::Rounds(count.parse().expect("LENGTH is a number or `once`")),
    };
    let rounds: String = variable("ROUNDS").unwrap_or_default();
    let only: Vec<usize> = rounds
        .split(',')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().expect("numbers"))
        .collect();
    let fixed = variable::<u64>("SEED");
    let now = domain::Instant::from_micros(0);
    let mut seeds = Random::new(fixed.unwrap_or_else(|| fresh_uuid(now).as_u64_pair().1));
    let mut seed = fixed.unwrap_or_else(|| seeds.next() % 1_000_000_000);
    let mut done = 0;
    loop {
        for backend in &stores {
            let until = only.is_empty().then_some(until);
            let plan = Plan { seed, backend: *backend, extent, only: only.clone(), until };
            println!("seed {seed} on {backend:?}");
            match run(plan, &|line| println!("{line}")).await {
                Ok(count) => done += count,
                Err(failure) => {
                    println!("\n{failure}");
                    shrink(*failure).await;
                    return ExitCode::FAILURE;
                }
            }
        }
        if Instant::now() >= until || !only.is_empty() {
            println!("{done} rounds, every promise kept");
            return ExitCode::SUCCESS;
        }
        seed = seeds.next() % 1_000_000_000;
    }
}

/// Looks for fewer rounds that fail as well: the last one alone, then with more and more of those
/// before it.
async fn shrink(failure: Failure) {
    let Some(last) = failure.round else { return };
    let rounds: Vec<usize> = failure.plan.rounds().iter().map(|round| round.number).collect();
    let before: Vec<usize> = rounds.into_iter().filter(|number| *number <= last).collect();
    let mut size = 1;
    while size < before.len() {
        let only = before[before.len() - size..].to_vec();
        println!("\nshrinking: do rounds {only:?} fail by themselves?");
        for _ in 0..TRIES {
            let plan = Plan { only: only.clone(), until: None, ..failure.plan.clone() };
            if let Err(smaller) = run(plan, &|line| println!("{line}")).await {
                println!("\n{smaller}");
                return;
            }
        }
        size *= 2;
    }
    println!("\nfewer rounds do not fail again");
}
