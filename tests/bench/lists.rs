//! The first page of an operator's clues over GraphQL: ours, a plain async-graphql resolver over the
//! same table, and what HTTP and the database cost without GraphQL.

use std::net::SocketAddr;
use std::sync::Arc;

use domain::ids::OperatorId;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor};

use crate::cluster::{self, CALLERS, ROUNDS, STEP};
use crate::limits;
use crate::load::Reached;
use crate::plain;
use crate::report::Report;
use crate::served::Staffed;
use crate::wire;

/// Clues in a short list and in a long one.
const SHORT: u32 = 10_000;
const LONG: u32 = 1_000_000;
/// Twenty rows of ten fields.
const QUERY: &str = "query MyClues($owner: ID!) { clues(filter: { ownerId: $owner }, first: 20) { edges { cursor node { \
    id line stage lifecycle sourceChannel capturedAt updatedAt nextFollowUpAt stars customerName { text } } } \
    pageInfo { hasNextPage endCursor } } }";

const SECTION: &str = "clues by owner over HTTP, 64 connections";
const LENGTH: &str = "clues by owner over HTTP, length of the list";

pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let (short_options, long_options) = (cluster.database("short").await, cluster.database("long").await);
    let (short, long) = (Staffed::on(&short_options).await, Staffed::on(&long_options).await);
    seed(&short_options, &short.agents, SHORT).await;
    seed(&long_options, &long.agents, LONG).await;
    let pool = PgPoolOptions::new().max_connections(16).connect_with(long_options.clone()).await;
    let plain = plain::serve_clues(pool.expect("a pool")).await;
    let request = |served: &Staffed| {
        let body = serde_json::json!({ "query": QUERY, "variables": { "owner": served.agents[0] } });
        wire::post("/graphql", &body.to_string(), &served.token)
    };
    let (short_request, request) = (request(&short), request(&long));
    let (ours, theirs) = (wire::once(long.server.address, &request).await, wire::once(plain, &request).await);
    assert_eq!(ours["data"]["clues"]["edges"].as_array().map(Vec::len), Some(20), "{ours}");
    assert_eq!(nodes(&ours), nodes(&theirs), "both answer the same");
    let fixed = plain::serve_fixed(ours.to_string()).await;
    for round in 0..=ROUNDS {
        let selects = limits::selects(&long_options, long.agents[0], STEP).await;
        let contenders = [
            (SECTION, "cluestream", load(long.server.address, &request).await),
            (SECTION, "plain async-graphql", load(plain, &request).await),
            (SECTION, "fixed answer of the same size", load(fixed, &request).await),
            (LENGTH, "10,000 clues", load(short.server.address, &short_request).await),
            (LENGTH, "1,000,000 clues", load(long.server.address, &request).await),
        ];
        // The first round warms caches and connections.
        if round == 0 {
            continue;
        }
        report.record(SECTION, "bare SELECT, 8 connections", "queries/s", selects);
        for (section, contender, reached) in contenders {
            report.record(section, contender, "requests/s", reached.per_second);
            report.latencies(section, contender, &reached);
        }
    }
    report.ratio(SECTION, "cluestream", "plain async-graphql", Some(2.0));
    report.ratio(SECTION, "cluestream", "fixed answer of the same size", None);
    report.ratio(SECTION, "cluestream", "bare SELECT, 8 connections", None);
    // At most 1.2 times the cost.
    report.ratio(LENGTH, "1,000,000 clues", "10,000 clues", Some(1.0 / 1.2));
}

async fn load(address: SocketAddr, request: &Arc<[u8]>) -> Reached {
    let request = request.clone();
    wire::closed_loop(address, CALLERS, STEP, move |_| request.clone()).await
}

/// The nodes, without what is signed with a key.
fn nodes(answer: &serde_json::Value) -> Vec<serde_json::Value> {
    let edges = answer["data"]["clues"]["edges"].as_array().cloned().unwrap_or_default();
    edges.into_iter().map(|edge| edge["node"].clone()).collect()
}

/// Rows as the projector writes them, made in the database.
async fn seed(options: &PgConnectOptions, agents: &[OperatorId], clues: u32) {
    let owners: Vec<String> = agents.iter().map(|agent| format!("'{agent}'")).collect();
    let rows = format!(
        "INSERT INTO clue_list SELECT \
           md5('clue' || n)::uuid::text, md5('customer' || n)::uuid::text, 'used-car-sales', 'owned', 'contacted', \
           'ongoing', 1, (ARRAY[{owners}])[1 + n % {count}], NULL, 'website', 'row-' || n, 'Spring', \
           1780000000000000 + n * 1000000::bigint, 1790000000000000 + (n * 7919::bigint % {clues}) * 1000000, NULL, \
           1780000000000000, NULL, CASE WHEN n % 3 = 0 THEN {never} ELSE 1800000000000000 + n END, NULL, NULL, NULL, \
           NULL, NULL, NULL, 'buy', 10000000, 20000000, 'CNY', n % 6, 'Li Wei ' || n, 0, n \
         FROM generate_series(1, {clues}) AS n",
        owners = owners.join(", "),
        count = agents.len(),
        never = i64::MAX,
    );
    let mut connection = options.connect().await.expect("it answers");
    // Indexes are built faster over rows that are there.
    let indexes = "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename = 'clue_list' \
                   AND indexdef LIKE 'CREATE INDEX%'";
    let indexes: Vec<(String, String)> =
        sqlx::query_as(indexes).fetch_all(&mut connection).await.expect("the indexes");
    for (name, _) in &indexes {
        connection.execute(format!("DROP INDEX {name}").as_str()).await.expect("dropped");
    }
    connection.execute(rows.as_str()).await.expect("rows");
    for (_, definition) in &indexes {
        connection.execute(definition.as_str()).await.expect("an index");
    }
    connection.execute("VACUUM ANALYZE clue_list").await.expect("statistics");
}
