//! The log as it is read, and what is always true of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use commands::event_log::EventLog;
use domain::clue::ClueEvent;
use domain::envelope::{Position, RecordedEvent};
use domain::{Event, Instant};
use serde_json::Value;
use uuid::Uuid;

use crate::faults::followers::number;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// An event, as much of it as the checks need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its position.
    pub position: i64,
    /// Aggregate type and id.
    pub stream: (String, String),
    /// Its revision.
    pub revision: i64,
    /// Its type.
    pub kind: String,
    /// The command that it is an effect of.
    pub command: Uuid,
    /// Who acted: `operator:<id>` or `system:<part>`.
    pub actor: String,
    /// When the log took it.
    pub recorded_at: String,
    /// Whom it gives a clue to.
    pub to: Option<String>,
    /// Whose clue it is.
    pub customer: Option<String>,
    /// What the source calls it: channel and key.
    pub source: Option<(String, String)>,
}

/// The log as the port reads it.
///
/// # Panics
/// When it does not answer, or has a hole.
pub async fn through_port(log: &Arc<dyn EventLog>) -> Vec<Entry> {
    let (mut entries, mut after) = (Vec::new(), Position::ZERO);
    loop {
        let page = log.read(after, PAGE).await.expect("the log reads without a hole");
        let Some(last) = page.last() else { return entries };
        after = last.position;
        entries.extend(page.iter().map(entry));
    }
}

fn entry(event: &RecordedEvent) -> Entry {
    let (mut to, mut customer, mut source) = (None, None, None);
    match event.decode().expect("the event reads") {
        Event::Clue(
            ClueEvent::Claimed { operator_id, .. }
            | ClueEvent::Assigned { operator_id, .. }
            | ClueEvent::Transferred { to: operator_id, .. },
        ) => to = Some(operator_id.to_string()),
        Event::Clue(ClueEvent::Captured { source: from, customer_id, .. }) => {
            customer = Some(customer_id.to_string());
            source = from.key.map(|key| (from.channel.to_string(), key.to_string()));
        }
        _ => {}
    }
    Entry {
        position: event.position.get(),
        stream: (event.stream.aggregate_type().to_owned(), event.stream.id().to_owned()),
        revision: event.revision.get(),
        kind: event.event_type.to_string(),
        command: event.metadata.command_id.to_string().parse().expect("an id"),
        actor: event.metadata.actor.to_string(),
        recorded_at: written(event.recorded_at),
        to,
        customer,
        source,
    }
}

fn written(instant: Instant) -> String {
    serde_json::to_value(instant).ok().and_then(|text| text.as_str().map(str::to_owned)).expect("a text")
}

/// The log as `GET /events` answers it to an auditor.
///
/// # Panics
/// When the answer is not whole.
pub async fn over_http(server: &str, token: &str) -> Vec<Entry> {
    let request = reqwest::Client::new().get(format!("{server}/events")).bearer_auth(token);
    let answer = request.send().await.expect("an answer").text().await.expect("a whole answer");
    let mut lines: Vec<Value> =
        answer.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let end = lines.pop().expect("a last line");
    assert!(!end["end"].is_null(), "the answer is whole: {end}");
    // Progress lines have no event.
    lines.iter().filter(|line| !line["eventId"].is_null()).map(line_entry).collect()
}

fn line_entry(line: &Value) -> Entry {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (kind, data) = (text(&line["type"]).expect("a type"), &line["data"]);
    let to = match &*kind {
        "clue.claimed" | "clue.assigned" => text(&data["operator_id"]),
        "clue.transferred" => text(&data["to"]),
        _ => None,
    };
    let captured = kind == "clue.captured";
    let source =
        captured.then(|| Some((text(&data["source"]["channel"])?, text(&data["source"]["key"])?))).flatten();
    Entry {
        position: number(&line["position"]).expect("a position"),
        stream: (
            text(&line["stream"]["type"]).expect("a stream"),
            text(&line["stream"]["id"]).expect("a stream"),
        ),
        revision: number(&line["revision"]).expect("a revision"),
        kind,
        command: line["commandId"].as_str().and_then(|id| id.parse().ok()).expect("a command"),
        actor: text(&line["actor"]).expect("an actor"),
        recorded_at: text(&line["recordedAt"]).expect("a time"),
        to,
        customer: captured.then(|| text(&data["customer_id"])).flatten(),
        source,
    }
}

/// Positions and revisions are dense, times never run backwards, a source record is taken in once.
///
/// # Panics
/// When they are not.
pub fn assert_sound(log: &[Entry]) {
    let mut revisions: BTreeMap<&(String, String), i64> = BTreeMap::new();
    let mut sources: BTreeMap<&(String, String), i64> = BTreeMap::new();
    let mut time = 0;
    for (expected, entry) in (1..).zip(log) {
        assert_eq!(entry.position, expected, "positions are dense: {entry:?}");
        let revision = revisions.entry(&entry.stream).or_default();
        *revision += 1;
        assert_eq!(entry.revision, *revision, "revisions are dense: {entry:?}");
        let at = entry.recorded_at.parse::<Instant>().expect("a time").micros();
        assert!(at >= time, "recorded times run forward: {entry:?}");
        time = at;
        if let Some(source) = &entry.source
            && let Some(before) = sources.insert(source, entry.position)
        {
            panic!("a source record is taken in once, and this one was at {before} already: {entry:?}");
        }
    }
}
