//! Appends through the port of the log, beside the multi-row insert of the very same events.
//!
//! Every append is a command of one event for a fresh stream, with its stored result, so that it has
//! one effect however often it comes. A Merkle leaf is computed from stored bytes by whoever seals
//! the log, never while a caller waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commands::clock::{Clock, SystemClock, fresh_uuid};
use commands::event_log::{Append, CommandRecord, EventLog, NewEvent, StreamAppend, append};
use domain::EventType;
use domain::envelope::{Revision, StreamId};
use domain::ids::CommandId;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor};
use tests::eventstore_double::EventStoreDouble;
use tests::postgres::Cluster;
use tests::stores::{Backend, EventStoreStore, Store};

use crate::cluster::{self, ROUNDS, STEP, checkpoint};
use crate::limits::{self, rate};
use crate::load::{Reached, closed_loop};
use crate::report::Report;

/// Callers that each wait for their answer.
const CALLERS: [usize; 4] = [1, 16, 64, 256];
/// Rows of one insert: as many as a group commit takes.
const ROWS: usize = 256;
const LIMIT: &str = "multi-row insert of the same events";
const POSTGRES: &str = "append through the port, PostgreSQL";
const SQLITE: &str = "append through the port, SQLite";
/// Its figures are the double's, not those of a server: a server writes to disks, and to other nodes.
const DOUBLE: &str = "append through the port, a double of EventStoreDB, replica in PostgreSQL";

/// Every backend, with one caller up to 256.
pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let options = migrated(&cluster, "appended").await;
    let log = Store::Postgres(options.clone()).open(Arc::new(SystemClock)).await;
    let mut limit = insert_table(&options).await;
    let store = Store::fresh(Backend::Sqlite).await;
    let embedded = store.open(Arc::new(SystemClock)).await;
    let replica = Store::Postgres(migrated(&cluster, "replica").await);
    let stream = Store::EventStore(EventStoreStore::on(EventStoreDouble::start().await, replica));
    let replicated = stream.open(Arc::new(SystemClock)).await;
    for _ in 0..ROUNDS {
        checkpoint(&cluster).await;
        report.record(POSTGRES, LIMIT, "events/s", inserts(&mut limit, STEP).await);
        for callers in CALLERS {
            checkpoint(&cluster).await;
            report.commands(POSTGRES, &named(callers), &appends(&log, callers).await);
        }
        for callers in CALLERS {
            checkpoint(&cluster).await;
            report.commands(DOUBLE, &named(callers), &appends(&replicated, callers).await);
        }
        report.record(SQLITE, LIMIT, "events/s", limits::sqlite_batches(STEP).await);
        for callers in CALLERS {
            report.commands(SQLITE, &named(callers), &appends(&embedded, callers).await);
        }
    }
    for callers in CALLERS {
        report.ratio(POSTGRES, &named(callers), LIMIT, (callers == 256).then_some(0.5));
        report.ratio(SQLITE, &named(callers), LIMIT, None);
    }
    report.ceiling(POSTGRES, &named(64), 3.0);
}

fn named(callers: usize) -> String {
    if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") }
}

async fn migrated(cluster: &Cluster, name: &str) -> PgConnectOptions {
    let options = cluster.database(name).await;
    migrations::POSTGRES.run(&mut options.connect().await.expect("it answers")).await.expect("the schema");
    options
}

async fn appends(log: &Arc<dyn EventLog>, callers: usize) -> Reached {
    let log = log.clone();
    closed_loop(callers, STEP, move |_| {
        let log = log.clone();
        async move {
            append(log.as_ref(), captured()).await.expect("it is appended");
        }
    })
    .await
}

/// The capture of a clue, as the command service hands it in.
fn captured() -> Append {
    let id = fresh_uuid(SystemClock.now());
    let (payload, metadata) = texts(id);
    let event = NewEvent::sealed(EventType { name: "clue.captured", version: 1 }, payload, metadata);
    let entry = StreamAppend {
        stream: StreamId::stored("clue", &id.to_string()),
        expected: Revision::ZERO,
        events: vec![event.expect("nothing in clear")],
    };
    let result = format!(r#"{{"done":{{"ids":{{"clueId":"{id}"}},"revision":1}}}}"#);
    let command = CommandRecord { id: CommandId::new(id), fingerprint: [7; 16], result };
    Append { streams: vec![entry], ..Append::of(command) }
}

/// Payload and metadata of a capture.
fn texts(id: uuid::Uuid) -> (String, String) {
    let payload = format!(
        r#"{{"captured":{{"customer_id":"{id}","line":"used-car-sales","source":{{"channel":"website"}},"stage":"new","graph_version":1}}}}"#
    );
    let metadata = format!(
        r#"{{"event_id":"{id}","occurred_at":"2026-05-01T12:00:00.000000Z","actor":"operator:{id}","line":"used-car-sales","subject":"{id}","command_id":"{id}","correlation_id":"{id}"}}"#
    );
    (payload, metadata)
}

/// A table of the log's columns, types and constraints, without its triggers.
async fn insert_table(options: &PgConnectOptions) -> PgConnection {
    let mut connection = options.connect().await.expect("a connection");
    connection.execute("CREATE TABLE inserted (LIKE events INCLUDING ALL)").await.expect("a table");
    connection
}

/// Events a second of one connection that inserts whole groups, and nothing else.
async fn inserts(connection: &mut PgConnection, duration: Duration) -> f64 {
    let first: i64 = sqlx::query_scalar("SELECT count(*) FROM inserted")
        .fetch_one(&mut *connection)
        .await
        .expect("a count");
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < duration {
        let ids: Vec<uuid::Uuid> = (0..ROWS).map(|_| fresh_uuid(SystemClock.now())).collect();
        let (payloads, metadata): (Vec<String>, Vec<String>) = ids.iter().map(|id| texts(*id)).unzip();
        sqlx::query(
            "INSERT INTO inserted SELECT 'clue', i, 1, 'clue.captured', '1', p::json, m::json, $4 + n, $5 \
             FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e(i, p, m, n)",
        )
        .bind(ids.iter().map(ToString::to_string).collect::<Vec<_>>())
        .bind(payloads)
        .bind(metadata)
        .bind(first + i64::try_from(count).expect("a count"))
        .bind(SystemClock.now().micros())
        .execute(&mut *connection)
        .await
        .expect("an insert");
        count += ROWS;
    }
    rate(count, start)
}
