//! Equal queries that wait at the same time, asked together.
//!
//! Many operators open the same list at once, each with an owner of their own. A lane is a
//! connection of its own; it takes what waits, joins queries of one text into one statement
//! (`unnest` of their parameters, joined `LATERAL` with the query) and deals the rows out. That
//! saves the round trip, the plan and the pool for all but one; nobody waits for company.
//!
//! Guarantees: everybody gets the rows, in the order, that the query alone would give.
//! Deliberately absent: queries that may walk far. They would hold a lane, so they go to the pool.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow};
use sqlx::{Arguments as _, Connection as _, Postgres, Row as _};
use tokio::sync::{Notify, oneshot};

use super::bind;
use super::error::SqlError;
use super::row::Row;
use super::value::Value;

/// Connections.
const LANES: usize = 2;
/// Most queries of one statement.
const MOST: usize = 32;

type Answer = Result<Vec<Row>, SqlError>;

struct Asked {
    sql: String,
    params: Vec<Value>,
    reply: oneshot::Sender<Answer>,
}

/// Where queries wait.
#[derive(Default)]
struct Waiting {
    queue: Mutex<VecDeque<Asked>>,
    arrived: Notify,
}

/// Asks equal queries together, on PostgreSQL. Cheap to clone; its lanes end with the last clone.
#[derive(Clone)]
pub struct Together {
    waiting: Arc<Waiting>,
    lanes: Arc<Lanes>,
}

struct Lanes(Vec<tokio::task::AbortHandle>);

impl Lanes {
    fn end(&self) {
        for lane in &self.0 {
            lane.abort();
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Together {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Together")
    }
}

impl Together {
    /// Starts the lanes; they connect when they are first needed.
    pub fn start(options: &PgConnectOptions) -> Self {
        let waiting = Arc::new(Waiting::default());
        let lane = |_| tokio::spawn(serve(waiting.clone(), options.clone())).abort_handle();
        let lanes = (0..LANES).map(lane).collect();
        Self { waiting: waiting.clone(), lanes: Arc::new(Lanes(lanes)) }
    }

    /// Ends the lanes; whoever waits gets an error.
    pub fn close(&self) {
        self.lanes.end();
        self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether these parameters can be asked together with others: single values that are there.
    pub fn takes(params: &[Value]) -> bool {
        !params.is_empty() && params.iter().all(|param| matches!(param, Value::Int(_) | Value::Text(_)))
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn fetch(&self, sql: String, params: Vec<Value>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { sql, params, reply };
        self.waiting.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(asked);
        self.waiting.arrived.notify_one();
        answer.await.unwrap_or_else(|_| Err(SqlError::Unavailable("closed".to_owned())))
    }
}

/// One lane.
async fn serve(waiting: Arc<Waiting>, options: PgConnectOptions) {
    let mut connection = None;
    loop {
        let batch = waiting.take();
        if batch.is_empty() {
            waiting.arrived.notified().await;
            continue;
        }
        let batch: Vec<Asked> = batch.into_iter().filter(|asked| !asked.reply.is_closed()).collect();
        if batch.is_empty() {
            continue;
        }
        // A connection that lay idle may be dead: then the queries, which only read, are asked anew.
        let mut answers = ask(&mut connection, &options, &batch).await;
        if matches!(answers, Err(SqlError::Unavailable(_))) {
            connection = None;
            answers = ask(&mut connection, &options, &batch).await;
        }
        match answers {
            Ok(answers) => {
                for (asked, rows) in batch.into_iter().zip(answers) {
                    let _ = asked.reply.send(Ok(rows));
                }
            }
            Err(error) => {
                for asked in batch {
                    let _ = asked.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

impl Waiting {
    /// The first query that waits, and those that are equal but for their parameters.
    fn take(&self) -> Vec<Asked> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = queue.pop_front() else { return Vec::new() };
        let mut batch = vec![first];
        let mut others = VecDeque::with_capacity(queue.len());
        while let Some(asked) = queue.pop_front() {
            if batch.len() < MOST && equal(&batch[0], &asked) {
                batch.push(asked);
            } else {
                others.push_back(asked);
            }
        }
        *queue = others;
        if !queue.is_empty() {
            self.arrived.notify_one();
        }
        batch
    }
}

/// Whether two queries differ in the values of their parameters alone.
fn equal(one: &Asked, other: &Asked) -> bool {
    let kind = std::mem::discriminant::<Value>;
    one.sql == other.sql && one.params.iter().map(kind).eq(other.params.iter().map(kind))
}

async fn ask(
    connection: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    batch: &[Asked],
) -> Result<Vec<Vec<Row>>, SqlError> {
    if connection.is_none() {
        *connection = Some(PgConnection::connect_with(options).await?);
    }
    let Some(connection) = connection else { return Err(SqlError::Unavailable("closed".to_owned())) };
    if let [asked] = batch {
        let query = sqlx::query_with::<Postgres, _>(&asked.sql, bind::postgres(&asked.params)?);
        let rows = query.fetch_all(connection).await?;
        return Ok(vec![rows.into_iter().map(Row::Postgres).collect()]);
    }
    let text = joined(&batch[0].sql, &batch[0].params);
    let rows = sqlx::query_with::<Postgres, _>(&text, arrays(batch)?).fetch_all(connection).await?;
    deal(rows, batch.len())
}

/// The query for many sets of parameters; the last column says whose row it is, from 1.
fn joined(sql: &str, params: &[Value]) -> String {
    let mut text = String::with_capacity(sql.len() + 160);
    text.push_str("SELECT each.*, asked.n FROM unnest(");
    for (index, param) in params.iter().enumerate() {
        let array = if matches!(param, Value::Int(_)) { "bigint[]" } else { "text[]" };
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a string never fails.
        let _ = write!(text, "{comma}${}::{array}", index + 1);
    }
    text.push_str(") WITH ORDINALITY AS asked(");
    for index in 1..=params.len() {
        let _ = write!(text, "p{index}, ");
    }
    text.push_str("n) CROSS JOIN LATERAL (");
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        text.push_str("asked.p");
        rest = after;
    }
    text.push_str(rest);
    text.push_str(") AS each");
    text
}

/// One array for each parameter.
fn arrays(batch: &[Asked]) -> Result<PgArguments, SqlError> {
    let mut arguments = PgArguments::default();
    let refused = |_| SqlError::Data { code: "encode".to_owned() };
    for index in 0..batch[0].params.len() {
        let column = batch.iter().filter_map(|asked| asked.params.get(index));
        if matches!(batch[0].params[index], Value::Int(_)) {
            arguments.add(column.filter_map(int).collect::<Vec<i64>>()).map_err(refused)?;
        } else {
            arguments.add(column.filter_map(text).collect::<Vec<&str>>()).map_err(refused)?;
        }
    }
    Ok(arguments)
}

const fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

fn text(value: &Value) -> Option<&str> {
    if let Value::Text(value) = value { Some(value) } else { None }
}

/// To everybody the rows that are theirs.
fn deal(rows: Vec<PgRow>, askers: usize) -> Result<Vec<Vec<Row>>, SqlError> {
    let mut answers: Vec<Vec<Row>> = std::iter::repeat_with(Vec::new).take(askers).collect();
    for row in rows {
        let asker: i64 = row.try_get(row.len() - 1)?;
        let answer = usize::try_from(asker - 1).ok().and_then(|index| answers.get_mut(index));
        answer.ok_or_else(|| SqlError::Schema("a row of nobody".to_owned()))?.push(Row::Postgres(row));
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::super::Database;
    use super::super::builder::Sql;
    use super::*;
    use crate::tests::on_each_database;

    /// As many rows as the parameter says, each with the parameter and its own number, last first.
    fn countdown(from: i64) -> Sql {
        let mut sql = Sql::new(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40) \
             SELECT CAST(",
        );
        sql.bind(from.to_string()).push(" AS text), CAST(n AS bigint) FROM n WHERE n <= ");
        sql.bind(from).push(" ORDER BY n DESC LIMIT 30");
        sql
    }

    async fn ask_many(db: &Database) {
        let asked = (0..200).map(|n| {
            let db = db.clone();
            tokio::spawn(async move { (n % 45, db.fetch_together(countdown(n % 45)).await.unwrap()) })
        });
        for answer in futures::future::join_all(asked).await {
            let (from, rows) = answer.unwrap();
            let rows: Vec<(String, i64)> =
                rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect();
            let last = from.min(40);
            let expected: Vec<_> = (1..=last).rev().take(30).map(|n| (from.to_string(), n)).collect();
            assert_eq!(rows, expected);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn everybody_gets_the_rows_and_the_order_of_a_query_alone() {
        on_each_database(|world| async move { ask_many(&world.db).await }).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lane_whose_connection_died_asks_again() {
        on_each_database(|world| async move {
            ask_many(&world.db).await;
            if world.db.is_postgres() {
                let kill = "SELECT pg_terminate_backend(pid)::int::bigint FROM pg_stat_activity \
                            WHERE datname = current_database() AND pid <> pg_backend_pid()";
                world.db.fetch(kill, &[]).await.unwrap();
            }
            ask_many(&world.db).await;
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_fails_is_answered_with_its_error() {
        on_each_database(|world| async move {
            let mut sql = Sql::new("SELECT nothing FROM nowhere WHERE id = ");
            sql.bind(1);
            let failed = world.db.fetch_together(sql).await.err();
            assert!(matches!(failed, Some(SqlError::Schema(_))), "{failed:?}");
        })
        .await;
    }

    #[test]
    fn every_parameter_becomes_a_column_of_the_askers() {
        let params = ["owner".into(), 7.into()];
        assert_eq!(
            joined("SELECT id FROM list WHERE owner = $1 AND at < $2 LIMIT 3", &params),
            "SELECT each.*, asked.n FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS asked(p1, p2, n) \
             CROSS JOIN LATERAL (SELECT id FROM list WHERE owner = asked.p1 AND at < asked.p2 LIMIT 3) AS each"
        );
    }

    #[test]
    fn lists_and_absent_values_are_not_asked_together() {
        assert!(Together::takes(&["owner".into(), 7.into()]));
        assert!(!Together::takes(&[]));
        assert!(!Together::takes(&["owner".into(), Value::Null]));
        assert!(!Together::takes(&[Value::texts(["a"])]));
    }
}
