//! The stock side: cqrs-es with postgres-es, set up as their README does.

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use postgres_es::{PostgresCqrs, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Connections of `postgres_es::default_postgress_pool`.
pub const POOL: u32 = 10;

/// The table of events as the README of postgres-es has it.
pub const EVENTS_TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// An aggregate that takes notes.
#[derive(Default, Serialize, Deserialize)]
pub struct Notes {
    count: u64,
}

/// Take a note.
pub struct Take(pub String);

/// A note was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NotesEvent {
    Taken { text: String, line: String, channel: String, at: String },
}

/// Nothing is refused.
#[derive(Debug)]
pub struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("never")
    }
}

impl std::error::Error for Never {}

impl DomainEvent for NotesEvent {
    fn event_type(&self) -> String {
        "Taken".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

impl Aggregate for Notes {
    const TYPE: &'static str = "notes";
    type Command = Take;
    type Event = NotesEvent;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, command: Take, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
        let event = NotesEvent::Taken {
            text: command.0,
            line: "used-car-sales".to_owned(),
            channel: "website".to_owned(),
            at: "2026-05-01T12:00:00.000000Z".to_owned(),
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, _: NotesEvent) {
        self.count += 1;
    }
}

/// The stock framework.
pub type Framework = Arc<PostgresCqrs<Notes>>;

/// What goes along with a command.
pub fn metadata() -> HashMap<String, String> {
    let metadata = [("actor", "operator:0198"), ("correlation_id", "0198c7e2-5c5e-7c3a-9f1f-52d9f4b6a111")];
    metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Stock framework on a database of its own.
pub async fn framework(options: PgConnectOptions) -> (PgPool, Framework) {
    let pool = PgPoolOptions::new().max_connections(POOL).connect_with(options).await.expect("a pool");
    for statement in [
        EVENTS_TABLE,
        "CREATE TABLE snapshots (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
         last_sequence bigint NOT NULL, current_snapshot bigint NOT NULL, payload json NOT NULL, \
         PRIMARY KEY (aggregate_type, aggregate_id, last_sequence))",
    ] {
        sqlx::query(statement).execute(&pool).await.expect("the stock schema");
    }
    let framework = postgres_cqrs(pool.clone(), vec![], ());
    (pool, Arc::new(framework))
}

/// Some hundred bytes of text, as a follow-up note has.
pub fn text() -> String {
    "Asked for an SUV with seven seats, wants to see it on Saturday with the whole family. ".repeat(2)
}
