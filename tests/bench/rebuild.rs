//! The clue list built anew from the log, beside a plain COPY of the rows that it makes.

use std::time::Instant;

use commands::import::{Map, Options, import};
use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Executor, Row};
use tests::generator::{self, Amounts, PLAIN};
use tests::given::parse;

use crate::cluster::{self, ROUNDS, checkpoint};
use crate::limits::rate;
use crate::report::Report;
use crate::served::{LINE, Staffed};

const PEOPLE: usize = 30_000;
const SECTION: &str = "the clue list built anew";
const ONE: &str = "rebuild and comparison, one worker";
const TWO: &str = "rebuild and comparison, two workers";
/// The tables of the read model.
const TABLES: [&str; 8] = [
    "clue_list",
    "clue_list_field",
    "clue_list_customer",
    "clue_list_star",
    "clue_list_phone",
    "clue_list_gram",
    "clue_list_graph",
    "clue_list_departure",
];

pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let options = cluster.database("rebuilt").await;
    let served = Staffed::on(&options).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("clues.csv");
    let amounts = Amounts { people: PEOPLE, again: 0, repeated: 0, broken: 0, tangled: 0 };
    std::fs::write(&file, generator::generate(7, PLAIN, amounts).bytes).expect("the file is written");
    let map = Map::parse(&generator::map(true)).expect("the map reads");
    let line = parse(LINE);
    import(&served.server.app.commands, &map, &line, &file, Options::default(), &mut |_| ())
        .await
        .expect("imported");
    served.server.app.projections.catch_up().await.expect("read models");
    let mut connection = options.connect().await.expect("a connection");
    let events: i64 = connection.fetch_one("SELECT position FROM log_head").await.expect("the head").get(0);
    let events = usize::try_from(events).expect("a count");
    for round in 0..ROUNDS {
        checkpoint(&cluster).await;
        let start = Instant::now();
        copy(&options, &mut connection).await;
        report.record(SECTION, "COPY of its rows", "events/s", rate(events, start));
        // In turn, so that neither always pays for what the other one left behind.
        let contenders = if round % 2 == 0 { [(ONE, 1), (TWO, 2)] } else { [(TWO, 2), (ONE, 1)] };
        for (contender, workers) in contenders {
            checkpoint(&cluster).await;
            let projections = served.server.app.projections.clone().with_workers(workers);
            let start = Instant::now();
            let found = projections.rebuild("clue_list", &|_| ()).await.expect("rebuilt");
            report.record(SECTION, contender, "events/s", rate(events, start));
            assert!(found.is_equal(), "{found:?}");
        }
    }
    report.ratio(SECTION, ONE, "COPY of its rows", None);
    report.ratio(SECTION, TWO, ONE, None);
}

/// Copies every table into one of the same indexes.
async fn copy(options: &PgConnectOptions, into: &mut PgConnection) {
    let mut from = options.connect().await.expect("a connection");
    for table in TABLES {
        into.execute(format!("CREATE TABLE copied (LIKE {table} INCLUDING ALL)").as_str())
            .await
            .expect("a table");
        let out = format!("COPY {table} TO STDOUT (FORMAT binary)");
        let mut rows = from.copy_out_raw(&out).await.expect("rows");
        let mut copy = into.copy_in_raw("COPY copied FROM STDIN (FORMAT binary)").await.expect("a copy");
        while let Some(bytes) = rows.try_next().await.expect("rows") {
            copy.send(bytes).await.expect("sent");
        }
        copy.finish().await.expect("copied");
        drop(rows);
        into.execute("DROP TABLE copied").await.expect("dropped");
    }
}
