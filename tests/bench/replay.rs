//! Ordered replay of the whole log through the port, decoded.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use commands::event_log::{EventLog, REPLAY_PAGE, replay};
use cqrs_es::persist::PersistedEventRepository;
use domain::clue::Clue;
use domain::envelope::Position;
use futures::{StreamExt, TryStreamExt};
use postgres_es::PostgresEventRepository;
use sqlx::postgres::{PgConnectOptions, PgPoolCopyExt, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgPool};

use crate::cluster::{self, ROUNDS, our_world};
use crate::limits::rate;
use crate::report::Report;
use crate::stock;

/// Events of a log that is read as a whole.
pub const EVENTS: usize = 500_000;
/// The database that is replayed.
const DATABASE: &str = "replayed";

/// Ours beside stock's `stream_all_events` and COPY.
pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let world = our_world(&cluster, DATABASE).await;
    fill(cluster.options(), DATABASE).await;
    let stock = cluster.options().clone().database(DATABASE);
    let stock = PgPoolOptions::new().max_connections(stock::POOL).connect_with(stock).await.expect("a pool");
    let log = world.service.log().clone();
    let section = "ordered replay, decoded";
    for round in 0..=ROUNDS {
        let limit = copy(cluster.options(), DATABASE).await;
        let theirs = stock_replay(&stock).await;
        let ours = ours(log.clone()).await;
        // The first round warms caches and connections.
        if round > 0 {
            report.record(section, "COPY TO binary, not decoded", "events/s", limit);
            report.record(section, "stock stream_all_events", "events/s", theirs);
            report.record(section, "ours", "events/s", ours);
        }
    }
    report.ratio(section, "ours", "stock stream_all_events", Some(3.5));
    report.ratio(section, "ours", "COPY TO binary, not decoded", None);
}

/// Follow-ups, as the log mostly has.
pub async fn fill(server: &PgConnectOptions, database: &str) {
    let payload = serde_json::json!({ "follow_up_logged": { "follow_up": {
        "id": "0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111", "channel": "call", "outcome": "no_answer",
        "at": "2026-05-01T12:00:00.000000Z", "note": { "$sealed": "A".repeat(200) } } } });
    let metadata = serde_json::json!({
        "event_id": "0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111", "occurred_at": "2026-05-01T12:00:00.000000Z",
        "actor": "operator:0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111", "line": "used-car-sales",
        "command_id": "0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111",
        "correlation_id": "0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111" });
    let mut log = server.clone().database(database).connect().await.expect("the log");
    sqlx::query(
        "INSERT INTO events SELECT 'clue', 'filled-' || (n / 100), n % 100 + 1, 'clue.follow_up_logged', '1', \
         $1::json, $2::json, (SELECT position FROM log_head) + n + 1, 1777636800000000 \
         FROM generate_series(0, $3 - 1) n",
    )
    .bind(payload.to_string())
    .bind(metadata.to_string())
    .bind(i32::try_from(EVENTS).expect("it fits"))
    .execute(&mut log)
    .await
    .expect("it is filled");
    log.execute("UPDATE log_head SET position = (SELECT max(position) FROM events)").await.expect("the head");
    log.execute("VACUUM ANALYZE events").await.expect("statistics");
}

async fn ours(log: Arc<dyn EventLog>) -> f64 {
    let start = Instant::now();
    let head = log.head().await.expect("a head").position;
    let mut pages = pin!(replay(log, Position::ZERO, head, REPLAY_PAGE));
    let mut count = 0;
    while let Some(page) = pages.next().await {
        for event in page.expect("a page") {
            event.decode().expect("it decodes");
            count += 1;
        }
    }
    assert!(count >= EVENTS);
    rate(count, start)
}

/// The same events of the same table: ours has the columns of stock's, and more.
async fn stock_replay(pool: &PgPool) -> f64 {
    let repository = PostgresEventRepository::new(pool.clone());
    let start = Instant::now();
    let mut stream = repository.stream_all_events::<Clue>().await.expect("a stream");
    let mut count = 0;
    while let Some(event) = stream.next::<Clue>(&[]).await {
        event.expect("it decodes");
        count += 1;
    }
    assert_eq!(count, EVENTS);
    rate(count, start)
}

/// The same table, read and thrown away.
pub async fn copy(server: &PgConnectOptions, database: &str) -> f64 {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(server.clone().database(database))
        .await
        .expect("a pool");
    let start = Instant::now();
    let sql = "COPY (SELECT * FROM events ORDER BY position) TO STDOUT (FORMAT binary)";
    let mut bytes = pool.copy_out_raw(sql).await.expect("a copy");
    let mut size = 0;
    while let Some(chunk) = bytes.try_next().await.expect("a chunk") {
        size += chunk.len();
    }
    assert!(size > EVENTS);
    rate(EVENTS, start)
}
