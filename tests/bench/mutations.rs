//! A mutation over HTTP to a durable event: ours, and with the stock framework behind the same server,
//! once the same mutation and once the least that a mutation can do.

use std::sync::Arc;

use commands::clock::{Clock, SystemClock, fresh_uuid};
use commands::service::CommandContext;
use commands::use_cases::customer::RegisterCustomer;
use domain::clue::Source;
use domain::envelope::Actor;
use domain::ids::CommandId;
use domain::personal::Personal;
use tests::given::parse;

use crate::cluster::{self, CALLERS, ROUNDS, STEP, checkpoint};
use crate::report::Report;
use crate::same_server;
use crate::served::{LINE, Staffed};
use crate::stock;
use crate::stock_customers;
use crate::wire;

/// Customers whose clues are captured.
const CUSTOMERS: usize = 500;
const SECTION: &str = "a mutation over HTTP, 64 connections";
const REGISTER: &str = "mutation Register($input: RegisterCustomerInput!) { registerCustomer(input: $input) { \
    customerId position userErrors { code message } } }";
const CAPTURE: &str = "mutation Capture($input: CaptureClueInput!) { captureClue(input: $input) { \
    clueId position userErrors { code message } } }";
const NOTE_QUERY: &str = "mutation Take($id: String!, $text: String!) { takeNote(id: $id, text: $text) }";

const STOCK: &str = "stock, the same mutation behind the same server";
const NOTE: &str = "stock, a bare note behind the same server";
const ONE: &str = "registerCustomer, one event";
const TWO: &str = "captureClue with its need, two events";

pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let served = Staffed::on(&cluster.database("mutations").await).await;
    let (pool, notes) = stock::framework(cluster.database("stock").await).await;
    let stock = stock_customers::framework(pool).await;
    let stock = same_server::serve(notes, stock, &served.server.keys).await;
    let ours = served.server.address;
    let customers = Arc::new(customers(&served).await);
    let (token, text) = (served.token.clone(), stock::text());
    let register = move |_: u64| {
        let variables = format!(
            r#"{{"input":{{"commandId":"{}","line":"{LINE}","source":{{"channel":"website"}},"name":"{text}","contacts":[]}}}}"#,
            fresh_uuid(SystemClock.now())
        );
        post(REGISTER, &variables, &token)
    };
    let (token, text) = (served.token.clone(), stock::text());
    let capture = move |n: u64| {
        let index = usize::try_from(n).unwrap_or_default() % customers.len();
        let variables = format!(
            r#"{{"input":{{"commandId":"{}","line":"{LINE}","source":{{"channel":"website"}},"customer":{{"customerId":"{}"}},"need":{{"note":"{text}"}}}}}}"#,
            fresh_uuid(SystemClock.now()),
            customers[index]
        );
        post(CAPTURE, &variables, &token)
    };
    let (token, text) = (served.token.clone(), stock::text());
    let note = move |_: u64| {
        let variables = format!(r#"{{"id":"{}","text":"{text}"}}"#, fresh_uuid(SystemClock.now()));
        post(NOTE_QUERY, &variables, &token)
    };
    for (server, request, id) in [
        (ours, register(0), "/data/registerCustomer/customerId"),
        (ours, capture(0), "/data/captureClue/clueId"),
        (stock, register(0), "/data/registerCustomer/customerId"),
        (stock, note(0), "/data/takeNote"),
    ] {
        let answer = wire::once(server, &request).await;
        assert!(answer.pointer(id).is_some_and(serde_json::Value::is_string), "{answer}");
    }
    for round in 0..=ROUNDS {
        checkpoint(&cluster).await;
        let bare = wire::closed_loop(stock, CALLERS, STEP, note.clone()).await;
        checkpoint(&cluster).await;
        let same = wire::closed_loop(stock, CALLERS, STEP, register.clone()).await;
        checkpoint(&cluster).await;
        let one = wire::closed_loop(ours, CALLERS, STEP, register.clone()).await;
        checkpoint(&cluster).await;
        let two = wire::closed_loop(ours, CALLERS, STEP, capture.clone()).await;
        // The first round warms caches and connections.
        if round > 0 {
            for (contender, reached) in [(NOTE, &bare), (STOCK, &same), (ONE, &one), (TWO, &two)] {
                report.commands(SECTION, contender, reached);
            }
        }
    }
    report.ratio(SECTION, ONE, STOCK, Some(5.0));
    report.ratio(SECTION, ONE, NOTE, None);
    report.ratio(SECTION, TWO, NOTE, None);
}

/// A mutation. Its variables are text already: a client that builds trees of JSON would take a good
/// part of what the server has.
fn post(query: &str, variables: &str, token: &str) -> Arc<[u8]> {
    wire::post("/graphql", &format!(r#"{{"query":"{query}","variables":{variables}}}"#), token)
}

async fn customers(served: &Staffed) -> Vec<String> {
    let mut ids = Vec::with_capacity(CUSTOMERS);
    for n in 0..CUSTOMERS {
        let command = CommandId::new(fresh_uuid(SystemClock.now()));
        let context = CommandContext::new(command, Actor::System(parse("bench")));
        let register = RegisterCustomer {
            line: parse(LINE),
            source: Source { channel: parse("website"), key: None, campaign: None },
            name: Some(Personal::Clear(format!("Li Wei {n}"))),
            contacts: Vec::new(),
        };
        let receipt = served.server.app.commands.execute(&context, &register).await.expect("a customer");
        ids.push(tests::given::id::<domain::ids::CustomerId>(&receipt, "customer_id").to_string());
    }
    ids
}
