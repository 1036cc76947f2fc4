//! Physical limits: what the database does when nothing but the rows is asked of it.

use std::time::{Duration, Instant};

use domain::ids::OperatorId;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::stock::{EVENTS_TABLE, text};

const ROWS: usize = 500;

/// A table of events in the shape that cqrs-es gives it, and a connection to it. The limit is
/// measured without a vacuum in its back.
pub async fn events_table(options: PgConnectOptions) -> PgConnection {
    let mut connection = options.connect().await.expect("a connection");
    connection.execute(EVENTS_TABLE).await.expect("the table");
    connection.execute("ALTER TABLE events SET (autovacuum_enabled = false)").await.expect("no vacuum");
    connection
}

/// Events a second of one connection that inserts 500 rows a commit with unnest.
pub async fn unnest(connection: &mut PgConnection, duration: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0);
    let payload = serde_json::json!({ "Taken": { "text": text(), "line": "used-car-sales" } }).to_string();
    let metadata = serde_json::json!({ "actor": "operator:0198", "command_id": Uuid::now_v7() }).to_string();
    while start.elapsed() < duration {
        let ids: Vec<String> = (0..ROWS).map(|_| Uuid::now_v7().to_string()).collect();
        sqlx::query(
            "INSERT INTO events SELECT 'limit', i, 1, 'Taken', '1', p::json, m::json \
             FROM unnest($1::text[], $2::text[], $3::text[]) AS e(i, p, m)",
        )
        .bind(ids)
        .bind(vec![payload.clone(); ROWS])
        .bind(vec![metadata.clone(); ROWS])
        .execute(&mut *connection)
        .await
        .expect("an insert");
        count += ROWS;
    }
    rate(count, start)
}

/// Events a second of SQLite with 500 rows a commit, `synchronous = FULL`.
pub async fn sqlite_batches(duration: Duration) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let mut connection = SqliteConnectOptions::new()
        .filename(folder.path().join("limit.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .expect("a file");
    sqlx::query(
        "CREATE TABLE events (position integer PRIMARY KEY, kind text, id text, sequence integer, \
         payload text, metadata text, UNIQUE (kind, id, sequence)) STRICT",
    )
    .execute(&mut connection)
    .await
    .expect("a table");
    let sql = format!(
        "INSERT INTO events (kind, id, sequence, payload, metadata) VALUES {}",
        vec!["(?, ?, ?, ?, ?)"; ROWS].join(", ")
    );
    let (start, mut count, payload) = (Instant::now(), 0, text());
    while start.elapsed() < duration {
        let mut transaction = connection.begin().await.expect("a transaction");
        let mut query = sqlx::query(&sql);
        for _ in 0..ROWS {
            query =
                query.bind("limit").bind(Uuid::now_v7().to_string()).bind(1).bind(&payload).bind(&payload);
        }
        query.execute(&mut *transaction).await.expect("an insert");
        transaction.commit().await.expect("a commit");
        count += ROWS;
    }
    rate(count, start)
}

/// The ten fields of the first page by owner: `$1` is the owner, `$2` how many rows.
pub const FIRST_PAGE: &str = "SELECT clue_id, line, stage, lifecycle, source_channel, captured_at, updated_at, \
    next_follow_up_at, star, customer_name FROM clue_list WHERE owner_id = $1 \
    ORDER BY updated_at DESC, clue_id DESC LIMIT $2";

/// A row of [`FIRST_PAGE`].
pub type FirstPageRow = (String, String, String, String, String, i64, i64, i64, i64, Option<String>);

/// Queries a second of the first page by owner, asked directly over eight connections.
pub async fn selects(options: &PgConnectOptions, owner: OperatorId, duration: Duration) -> f64 {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let mut connection = options.connect().await.expect("a connection");
        tasks.push(tokio::spawn(async move {
            let mut count = 0;
            while start.elapsed() < duration {
                let query = sqlx::query(FIRST_PAGE).bind(owner.to_string()).bind(21_i64);
                assert_eq!(query.fetch_all(&mut connection).await.expect("a page").len(), 21);
                count += 1;
            }
            count
        }));
    }
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("a connection");
    }
    rate(count, start)
}

/// Things a second since `start`.
#[allow(clippy::cast_precision_loss)]
pub fn rate(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}
