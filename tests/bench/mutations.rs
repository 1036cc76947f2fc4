//! A mutation over HTTP to a durable event: ours, and the stock framework behind the same server and
//! behind a plain async-graphql server.

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
use crate::plain;
use crate::report::Report;
use crate::same_server;
use crate::served::{LINE, Staffed};
use crate::stock;
use crate::wire;

/// Customers whose clues are captured.
const CUSTOMERS: usize = 500;
const SECTION: &str = "a mutation over HTTP, 64 connections";
const REGISTER: &str = "mutation Register($input: RegisterCustomerInput!) { registerCustomer(input: $input) { \
    customerId position userErrors { code message } } }";
const CAPTURE: &str = "mutation Capture($input: CaptureClueInput!) { captureClue(input: $input) { \
    clueId position userErrors { code message } } }";
const TAKE: &str = "mutation Take($id: String!, $text: String!) { takeNote(id: $id, text: $text) }";

pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let served = Staffed::on(&cluster.database("mutations").await).await;
    let (_pool, framework) = stock::framework(cluster.database("stock").await).await;
    let notes = plain::serve_notes(framework.clone()).await;
    let same = same_server::serve_notes(framework, &served.server.keys).await;
    let customers = Arc::new(customers(&served).await);
    let token = served.token.clone();
    let register = {
        let token = token.clone();
        move |_: u64| {
            let input = serde_json::json!({
                "commandId": fresh_uuid(SystemClock.now()), "line": LINE, "source": { "channel": "website" },
                "name": stock::text(), "contacts": [],
            });
            let body = serde_json::json!({ "query": REGISTER, "variables": { "input": input } });
            wire::post("/graphql", &body.to_string(), &token)
        }
    };
    let capture = move |n: u64| {
        let index = usize::try_from(n).unwrap_or_default() % customers.len();
        let input = serde_json::json!({
            "commandId": fresh_uuid(SystemClock.now()), "line": LINE, "source": { "channel": "website" },
            "customer": { "customerId": customers[index] }, "need": { "note": stock::text() },
        });
        let body = serde_json::json!({ "query": CAPTURE, "variables": { "input": input } });
        wire::post("/graphql", &body.to_string(), &token)
    };
    let token = served.token.clone();
    let take = move |_| {
        let input = serde_json::json!({ "id": fresh_uuid(SystemClock.now()), "text": stock::text() });
        let body = serde_json::json!({ "query": TAKE, "variables": input });
        wire::post("/graphql", &body.to_string(), &token)
    };
    let answer = wire::once(served.server.address, &register(0)).await;
    assert!(answer["data"]["registerCustomer"]["customerId"].is_string(), "{answer}");
    let answer = wire::once(served.server.address, &capture(0)).await;
    assert!(answer["data"]["captureClue"]["clueId"].is_string(), "{answer}");
    for stock in [notes, same] {
        let answer = wire::once(stock, &take(0)).await;
        assert!(answer["data"]["takeNote"].is_string(), "{answer}");
    }
    for round in 0..=ROUNDS {
        checkpoint(&cluster).await;
        let plain = wire::closed_loop(notes, CALLERS, STEP, take.clone()).await;
        checkpoint(&cluster).await;
        let same = wire::closed_loop(same, CALLERS, STEP, take.clone()).await;
        checkpoint(&cluster).await;
        let one = wire::closed_loop(served.server.address, CALLERS, STEP, register.clone()).await;
        checkpoint(&cluster).await;
        let two = wire::closed_loop(served.server.address, CALLERS, STEP, capture.clone()).await;
        // The first round warms caches and connections.
        if round > 0 {
            report.commands(SECTION, "stock behind plain async-graphql", &plain);
            report.commands(SECTION, "stock behind the same server", &same);
            report.commands(SECTION, "registerCustomer, one event", &one);
            report.commands(SECTION, "captureClue with its need, two events", &two);
        }
    }
    let stock = "stock behind the same server";
    report.ratio(SECTION, "registerCustomer, one event", stock, Some(5.0));
    report.ratio(SECTION, "captureClue with its need, two events", stock, None);
    report.ratio(SECTION, "registerCustomer, one event", "stock behind plain async-graphql", None);
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
