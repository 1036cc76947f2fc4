//! The import of clues on real stores: what becomes of every row, whatever interrupts it.

mod documented_maps;
mod files;
mod fitting;
mod interrupted;
mod scale;
mod unavailable;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use commands::import::{ImportError, Map, Options, Summary, import};
use commands::service::CommandService;
use commands::use_cases::business_line::ApplyLine;
use commands::vault::Vault;
use commands::{CommandContext, clock::fresh_uuid, line_file};
use domain::envelope::{Actor, Position};
use domain::ids::{CommandId, SubjectId};
use domain::ports::Unsealer;
use domain::values::LineKey;
use serde_json::Value;
use tempfile::TempDir;
use tests::clock::ManualClock;
use tests::generator::{self, Amounts, Form, Generated};
use tests::given::parse;
use tests::stores::{Store, key_material};

const SALES: &str = include_str!("../../../docs/lines/used-car-sales.toml");

/// A little of everything.
const SOME: Amounts = Amounts { people: 60, again: 20, repeated: 15, broken: 2, tangled: 0 };

/// A service on the store, with the line of the documents.
async fn service(store: &Store, line: &str) -> CommandService {
    let service = store.service(ManualClock::new()).await;
    let id = CommandId::new(fresh_uuid(service.clock().now()));
    let context = CommandContext::new(id, Actor::System(parse("test")));
    let apply = ApplyLine { spec: line_file::parse(line).expect("the line file reads") };
    service.execute(&context, &apply).await.expect("the line applies");
    service
}

/// A generated file in a folder of its own.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clues.csv");
    std::fs::write(&path, bytes).expect("the file is written");
    (folder, path)
}

fn generated(seed: u64, form: Form, amounts: Amounts) -> (TempDir, PathBuf, Generated) {
    let generated = generator::generate(seed, form, amounts);
    let (folder, path) = file(&generated.bytes);
    (folder, path, generated)
}

fn sales() -> LineKey {
    parse("used-car-sales")
}

fn map(header: bool) -> Map {
    Map::parse(&generator::map(header)).expect("the map reads")
}

async fn run(service: &CommandService, path: &Path) -> Result<Summary, ImportError> {
    import(service, &map(true), &sales(), path, Options::default(), &mut |_| ()).await
}

/// What the counts of a summary are.
fn counts(summary: &Summary) -> (u64, u64, u64, u64, BTreeMap<String, u64>) {
    let mut rejected = summary.rejected.clone();
    // A quote that nothing closes is told by whatever comes next.
    if let Some(count) = rejected.remove("quote_unterminated") {
        *rejected.entry("quote_misplaced".to_owned()).or_default() += count;
    }
    (summary.rows, summary.accepted, summary.won, summary.known, rejected)
}

fn expected(generated: &Generated) -> (u64, u64, u64, u64, BTreeMap<String, u64>) {
    let Generated { rows, accepted, won, known, rejected, .. } = generated;
    (*rows, *accepted, *won, *known, rejected.clone())
}

async fn head(service: &CommandService) -> i64 {
    service.log().head().await.expect("the log answers").position.get()
}

/// Everything that an import leaves, in clear, without ids: clues with the events they have and the
/// source key of their customer's first clue, and customers by that key.
#[derive(Debug, Default, PartialEq)]
struct State {
    clues: BTreeMap<String, (String, Vec<Value>)>,
    customers: BTreeMap<String, Vec<Value>>,
}

async fn state(service: &CommandService) -> State {
    let log = service.log();
    let events = log.read(Position::ZERO, 1_000_000).await.expect("the log reads");
    let vault = Vault::new(log.clone(), key_material(), service.clock().clone());
    let subjects: Vec<SubjectId> = events.iter().filter_map(|event| event.metadata.subject).collect();
    let keys = vault.keys(&subjects).await.expect("the vault answers");
    let mut streams: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for event in &events {
        let payload = event.clear_payload(keys.as_ref()).expect("it opens");
        let stream = (event.stream.aggregate_type().to_owned(), event.stream.id().to_owned());
        streams.entry(stream).or_default().push(payload);
    }
    let source_key = |event: &Value, what: &str| event[what]["source"]["key"].as_str().map(str::to_owned);
    let mut state = State::default();
    let mut key_of = BTreeMap::new();
    for ((kind, id), events) in &streams {
        if kind == "customer" {
            let key = source_key(&events[0], "registered").expect("imported with a key");
            key_of.insert(id.clone(), key.clone());
            let without_ids = events.iter().cloned().map(|mut event| {
                if let Some(added) = event["contact_point_added"].as_object_mut() {
                    added.remove("contact_point_id");
                }
                event
            });
            let mut events: Vec<Value> = without_ids.collect();
            // Rows that share no contact may add theirs to one customer in any order.
            events[1..].sort_by_key(ToString::to_string);
            state.customers.insert(key, events);
        }
    }
    for ((kind, _), mut events) in streams {
        if kind == "clue" {
            let key = source_key(&events[0], "captured").expect("imported with a key");
            let captured = events[0]["captured"].as_object_mut().expect("captured first");
            let customer = captured.remove("customer_id").expect("a customer");
            let customer = key_of[customer.as_str().expect("an id")].clone();
            state.clues.insert(key, (customer, events));
        }
    }
    state
}
