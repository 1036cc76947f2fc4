//! Commands that append one event, through the real command service, sealing included.

use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use commands::clock::{Clock, SystemClock, fresh_uuid};
use commands::service::CommandContext;
use commands::use_cases::clue::{ClueStep, WorkClue};
use commands::use_cases::customer::RegisterCustomer;
use domain::clue::{FollowUpChannel, FollowUpOutcome, Source};
use domain::envelope::Actor;
use domain::ids::{ClueId, CommandId};
use domain::operator::Role;
use domain::personal::Personal;
use futures::{StreamExt, stream};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use tests::given::{World, parse};
use tests::stores::{Backend, Store};

use crate::limits;
use crate::load::{Reached, closed_loop};
use crate::report::Report;
use crate::stock;

const ROUNDS: usize = 3;
const STEP: Duration = Duration::from_secs(4);
const CALLERS: usize = 64;
/// Aggregates that carry 100 events each.
const LOADED: usize = 500;
const EVENTS_EACH: usize = 100;

/// A server with default durability, for one benchmark.
pub async fn server() -> (PgConnectOptions, Child) {
    let settings = ["shared_buffers=2GB", "max_wal_size=8GB"];
    let (options, watcher) = tests::postgres::start_cluster(&settings).expect("a PostgreSQL server");
    for _ in 0..200 {
        if options.connect().await.is_ok() {
            return (options, watcher);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("PostgreSQL did not start");
}

/// A fresh database on the server.
pub async fn database(server: &PgConnectOptions, name: &str) -> PgConnectOptions {
    let mut connection = server.connect().await.expect("the server answers");
    connection.execute(format!("CREATE DATABASE {name}").as_str()).await.expect("a database");
    server.clone().database(name)
}

/// A command service on a fresh database.
pub async fn our_world(server: &PgConnectOptions, name: &str) -> World {
    let options = database(server, name).await;
    migrations::POSTGRES.run(&mut options.connect().await.expect("it answers")).await.expect("the schema");
    World::new(Store::Postgres(options).service(Arc::new(SystemClock)).await).await
}

/// Ours beside stock and the insert limit, on PostgreSQL.
pub async fn on_postgres(report: &mut Report) {
    let (server, _watcher) = server().await;
    let world = Arc::new(our_world(&server, "ours").await);
    let clues = loaded_clues(&world).await;
    let (pool, framework) = stock::framework(database(&server, "stock").await).await;
    load_stock(&framework).await;
    let mut limit = server.clone().database("stock").connect().await.expect("a connection");
    for _ in 0..ROUNDS {
        for table in ["ours", "stock"] {
            let mut connection = server.clone().database(table).connect().await.expect("a connection");
            connection.execute("CHECKPOINT").await.expect("a checkpoint");
        }
        let section = "append, fresh aggregates, 64 callers";
        report.record(section, "insert limit", "events/s", limits::unnest(&mut limit, STEP).await);
        let reached = stock_fresh(&framework).await;
        report.record(section, "stock", "commands/s", reached.per_second);
        let reached = ours_fresh(&world).await;
        latencies(report, section, "ours", &reached);
        let section = "append, aggregates of 100 events, 64 callers";
        let reached = stock_loaded(&framework).await;
        report.record(section, "stock", "commands/s", reached.per_second);
        let reached = ours_loaded(&world, &clues).await;
        latencies(report, section, "ours", &reached);
    }
    pool.close().await;
    report.ratio("append, fresh aggregates, 64 callers", "ours", "stock", Some(7.0));
    report.ratio("append, fresh aggregates, 64 callers", "ours", "insert limit", None);
    report.ratio("append, aggregates of 100 events, 64 callers", "ours", "stock", Some(10.0));
}

/// Ours beside the batched-insert limit, on SQLite.
pub async fn on_sqlite(report: &mut Report) {
    let store = Store::fresh(Backend::Sqlite).await;
    let world = Arc::new(World::new(store.service(Arc::new(SystemClock)).await).await);
    let clues = loaded_clues(&world).await;
    let section = "append on SQLite, 64 callers";
    for _ in 0..ROUNDS {
        report.record(section, "insert limit", "events/s", limits::sqlite_batches(STEP).await);
        latencies(report, section, "ours, fresh aggregates", &ours_fresh(&world).await);
        latencies(report, section, "ours, aggregates of 100 events", &ours_loaded(&world, &clues).await);
    }
    report.ratio(section, "ours, fresh aggregates", "insert limit", None);
    report.ratio(section, "ours, aggregates of 100 events", "insert limit", None);
}

fn latencies(report: &mut Report, section: &str, contender: &str, reached: &Reached) {
    report.record(section, contender, "commands/s", reached.per_second);
    let (p50, p99) = (reached.percentile(0.5), reached.percentile(0.99));
    report
        .note(format!("{section}: {contender}: p50 {p50:.2} ms, p99 {p99:.2} ms, p99/p50 {:.1}", p99 / p50));
}

fn system() -> CommandContext {
    CommandContext::new(CommandId::new(fresh_uuid(SystemClock.now())), Actor::System(parse("bench")))
}

async fn ours_fresh(world: &Arc<World>) -> Reached {
    let world = world.clone();
    closed_loop(CALLERS, STEP, move |_| {
        let world = world.clone();
        async move {
            let register = RegisterCustomer {
                line: world.line.clone(),
                source: Source { channel: parse("website"), key: None, campaign: None },
                name: Some(Personal::Clear(stock::text())),
                contacts: Vec::new(),
            };
            world.done(&system(), &register).await;
        }
    })
    .await
}

fn follow_up(clue_id: ClueId) -> WorkClue {
    let step = ClueStep::LogFollowUp {
        channel: FollowUpChannel::Call,
        outcome: FollowUpOutcome::NoAnswer,
        duration_seconds: None,
        next_at: None,
        note: Some(Personal::Clear(stock::text())),
    };
    WorkClue { clue_id, step }
}

async fn loaded_clues(world: &Arc<World>) -> Arc<Vec<ClueId>> {
    let agent = world.hire(&[Role::Agent]).await;
    let owned = stream::iter(0..LOADED).map(|n| {
        let world = world.clone();
        async move { world.owned_clue(&format!("138{n:08}"), agent).await.0 }
    });
    let clues: Vec<ClueId> = owned.buffer_unordered(CALLERS).collect().await;
    let calls = (0..EVENTS_EACH).flat_map(|_| clues.clone()).collect::<Vec<_>>();
    stream::iter(calls)
        .for_each_concurrent(CALLERS, |clue| async move {
            world.done(&system(), &follow_up(clue)).await;
        })
        .await;
    Arc::new(clues)
}

#[allow(clippy::cast_possible_truncation)]
async fn ours_loaded(world: &Arc<World>, clues: &Arc<Vec<ClueId>>) -> Reached {
    let (world, clues) = (world.clone(), clues.clone());
    closed_loop(CALLERS, STEP, move |n| {
        let (world, clue) = (world.clone(), clues[n as usize % clues.len()]);
        async move {
            world.done(&system(), &follow_up(clue)).await;
        }
    })
    .await
}

type Framework = Arc<postgres_es::PostgresCqrs<stock::Notes>>;

async fn take_note(framework: &Framework, id: &str) {
    let metadata = [("actor", "operator:0198"), ("correlation_id", "0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111")];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let _ = framework.execute_with_metadata(id, stock::Take(stock::text()), metadata).await;
}

async fn load_stock(framework: &Framework) {
    for _ in 0..EVENTS_EACH {
        stream::iter(0..LOADED)
            .for_each_concurrent(CALLERS, |n| async move {
                take_note(framework, &format!("loaded-{n}")).await;
            })
            .await;
    }
}

async fn stock_fresh(framework: &Framework) -> Reached {
    let framework = framework.clone();
    closed_loop(CALLERS, STEP, move |_| {
        let framework = framework.clone();
        async move { take_note(&framework, &fresh_uuid(SystemClock.now()).to_string()).await }
    })
    .await
}

async fn stock_loaded(framework: &Framework) -> Reached {
    let framework = framework.clone();
    closed_loop(CALLERS, STEP, move |n| {
        let framework = framework.clone();
        async move { take_note(&framework, &format!("loaded-{}", n % LOADED as u64)).await }
    })
    .await
}
