//! The first page of a line's clues as of a past position, beside the same page of the present: the read
//! side alone, for both have the same GraphQL above them.

use std::sync::Arc;
use std::time::Instant;

use domain::operator::{Role, Scope};
use domain::{Instant as At, Position};
use projections::Moment;
use projections::clue_list::{ClueFilter, ClueListQuery, ClueOrder};
use projections::history::HistoryQuery;
use projections::{Paging, Viewer};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};

use crate::cluster::{self, ROUNDS, STEP};
use crate::limits;
use crate::report::Report;
use crate::served::{LINE, Staffed};

/// Clues, and how many states each went through.
const CLUES: i64 = 100_000;
const STATES: i64 = 4;
/// Those who ask at once.
const ASKING: usize = 8;

const SECTION: &str = "first page of a line of 100,000 clues, 400,000 states";

pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let options = cluster.database("past").await;
    let staffed = Staffed::on(&options).await;
    seed(&options).await;
    let app = &staffed.server.app;
    let (db, index) = (app.projections.database().clone(), app.index.clone());
    let list = ClueListQuery::new(db.clone(), Arc::clone(&index));
    let history = HistoryQuery::new(db, index);
    let scope = Scope { lines: [LINE.parse().expect("a line")].into(), ..Scope::default() };
    let viewer = Viewer::operator(staffed.agents[0], [Role::Manager].into(), scope);
    let head = Position::new(CLUES * STATES);
    for round in 0..=ROUNDS {
        let mut figures = vec![("present", present(&list, &viewer).await)];
        for (contender, tenths) in [("as of a tenth", 1), ("as of half", 5), ("as of nine tenths", 9)] {
            let position = Position::new(head.get() * tenths / 10);
            let moment = Moment { at: At::default(), position, head };
            figures.push((contender, past(&history, &viewer, moment).await));
        }
        // The first round warms caches.
        if round > 0 {
            for (contender, figure) in figures {
                report.record(SECTION, contender, "pages/s", figure);
            }
        }
    }
    for contender in ["as of a tenth", "as of half", "as of nine tenths"] {
        report.ratio(SECTION, contender, "present", None);
    }
}

async fn present(list: &ClueListQuery, viewer: &Viewer) -> f64 {
    let start = Instant::now();
    let asking = (0..ASKING).map(|_| async {
        let mut count = 0;
        while start.elapsed() < STEP {
            let filter = ClueFilter::default();
            let page = list.page(viewer, &filter, ClueOrder::NextFollowUp, &Paging::first(20)).await;
            assert_eq!(page.expect("a page").edges.len(), 20);
            count += 1;
        }
        count
    });
    limits::rate(futures::future::join_all(asking).await.into_iter().sum(), start)
}

async fn past(history: &HistoryQuery, viewer: &Viewer, moment: Moment) -> f64 {
    let start = Instant::now();
    let asking = (0..ASKING).map(|_| async {
        let mut count = 0;
        while start.elapsed() < STEP {
            let filter = ClueFilter::default();
            let order = ClueOrder::NextFollowUp;
            let page = history.page(viewer, &filter, order, &moment, &Paging::first(20)).await;
            assert_eq!(page.expect("a page").edges.len(), 20);
            count += 1;
        }
        count
    });
    limits::rate(futures::future::join_all(asking).await.into_iter().sum(), start)
}

/// Rows as the projectors write them, made in the database. Every fourth clue ends in its second state.
async fn seed(options: &PgConnectOptions) {
    let columns = |position: &str| {
        format!(
            "md5('clue' || n)::uuid::text, md5('customer' || n)::uuid::text, '{LINE}', 'owned', 'contacted', \
             'ongoing', 1, md5('owner' || n % 100)::uuid::text, NULL, 'website', 'row-' || n, 'Spring', \
             1780000000000000 + n * 1000000::bigint, 1790000000000000 + {position} * 1000000::bigint, NULL, \
             1780000000000000, NULL, CASE WHEN n % 3 = 0 THEN {never} \
             ELSE 1800000000000000 + {position} * 1000000::bigint + n * 7919::bigint % 1000000 END, NULL, NULL, \
             NULL, NULL, NULL, NULL, 'buy', 10000000, 20000000, 'CNY', n % 6, 'Li Wei ' || n, 0, {position}",
            never = i64::MAX,
        )
    };
    let last = format!("s = {STATES} - 1 OR (n % 4 = 0 AND s = 1)");
    let position = format!("(1 + s * {CLUES} + n)");
    let statements = [
        format!(
            "INSERT INTO clue_list SELECT {} FROM generate_series(0, {CLUES} - 1) AS n, \
             LATERAL (SELECT CASE WHEN n % 4 = 0 THEN 1 ELSE {STATES} - 1 END AS s) AS last",
            columns(&position)
        ),
        // A state lasts as many positions as there are clues: longer than 32,768 and shorter than 262,144.
        format!(
            "INSERT INTO clue_past SELECT {}, 'liwei' || n, CASE WHEN {last} THEN {never} ELSE {position} + {CLUES} END, \
             CASE WHEN {last} THEN -1 ELSE (3::bigint << 48) + {position} / 262144 END \
             FROM generate_series(0, {CLUES} - 1) AS n, generate_series(0, {STATES} - 1) AS s \
             WHERE n % 4 > 0 OR s < 2",
            columns(&position),
            never = i64::MAX,
        ),
        "VACUUM ANALYZE clue_list, clue_past".to_owned(),
    ];
    let mut connection = options.connect().await.expect("it answers");
    for statement in statements {
        connection.execute(statement.as_str()).await.expect("rows");
    }
}
