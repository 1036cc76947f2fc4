//! Every fail point of the program: what passes it, and on which store.
//!
//! A test compares this list with the code and with `docs/faults.md`.

use super::database::Backend;

/// What passes a fail point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedBy {
    /// A server that has work.
    Server,
    /// `cluestream import`.
    Import,
    /// `cluestream rebuild`.
    Rebuild,
}

/// A fail point.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Its name in the code.
    pub name: &'static str,
    /// What passes it.
    pub passed_by: PassedBy,
    /// The one store on which it is passed; `None` for all.
    pub only: Option<Backend>,
    /// How often it is surely passed in the work of one round.
    pub often: u64,
}

const fn point(name: &'static str, passed_by: PassedBy, often: u64) -> Point {
    Point { name, passed_by, only: None, often }
}

const fn only(backend: Backend, name: &'static str, often: u64) -> Point {
    Point { name, passed_by: PassedBy::Server, only: Some(backend), often }
}

/// Every fail point.
pub const POINTS: [Point; 21] = [
    point("log.batch-taken", PassedBy::Server, 30),
    point("log.before-commit", PassedBy::Server, 30),
    only(Backend::Sqlite, "log.keys-stored", 30),
    only(Backend::Sqlite, "log.in-transaction", 30),
    only(Backend::Sqlite, "log.before-key-destruction", 1),
    only(Backend::EventStore, "log.staged", 30),
    only(Backend::EventStore, "log.in-stream", 30),
    point("log.after-commit", PassedBy::Server, 30),
    point("command.before-reply", PassedBy::Server, 40),
    point("projection.before-commit", PassedBy::Server, 30),
    point("projection.after-commit", PassedBy::Server, 30),
    point("consumer.before-commit", PassedBy::Server, 5),
    point("consumer.after-commit", PassedBy::Server, 5),
    point("proof.tiles-written", PassedBy::Server, 2),
    point("proof.signed", PassedBy::Server, 2),
    point("rebuild.built", PassedBy::Rebuild, 1),
    point("rebuild.in-swap", PassedBy::Rebuild, 1),
    point("rebuild.after-swap", PassedBy::Rebuild, 1),
    point("import.row-begun", PassedBy::Import, 60),
    point("import.row-done", PassedBy::Import, 60),
    point("import.before-end", PassedBy::Import, 1),
];
