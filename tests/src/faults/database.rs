//! The databases that things can happen to.

use std::sync::Arc;

use commands::backup::Place;
use commands::clock::SystemClock;
use commands::event_log::{EventLog, EventStoreAddress, EventStoreLog, PostgresLog, SqliteLog};

use super::disk::Disk;
use super::primary::Primary;
use crate::eventstore_double::EventStoreDouble;

/// Size of a disk for files, in megabytes.
const DISK: usize = 96;
/// Nodes of EventStoreDB's double.
const NODES: usize = 3;
/// The program's name of the log's stream, unless told another one.
const STREAM: &str = "cluestream";

/// Which database things happen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Files on a small disk.
    Sqlite,
    /// A cluster on a small disk behind a proxy.
    Postgres,
    /// A double of EventStoreDB, with a replica in files on a small disk.
    EventStore,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::EventStore];
}

/// A database that things can happen to.
#[allow(clippy::large_enum_variant, reason = "a run has one")]
pub enum Database {
    /// Files on a small disk.
    Sqlite(Disk),
    /// A cluster on a small disk behind a proxy.
    Postgres(Box<Primary>),
    /// A double of EventStoreDB, with a replica in files on a small disk.
    EventStore(Box<Nodes>),
}

/// Nodes of EventStoreDB's double, and the replica.
pub struct Nodes {
    /// The nodes. They are in this process and outlive every fault.
    pub double: EventStoreDouble,
    /// Which of them leads.
    leader: usize,
    disk: Disk,
}

impl Nodes {
    /// No node answers, or all of them do.
    pub fn away(&self, away: bool) {
        for node in 0..NODES {
            if away {
                self.double.take_down(node);
            } else {
                self.double.bring_up(node);
            }
        }
    }

    /// Takes the leader down. Nobody leads then.
    pub fn lose_leader(&self) {
        self.double.take_down(self.leader);
    }

    /// Lets the next node lead. The former leader follows, once it is up.
    pub fn next_leader(&mut self) {
        self.leader = (self.leader + 1) % NODES;
        self.double.lead(self.leader);
    }
}

impl Database {
    pub(super) async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite(Disk::new(DISK)),
            Backend::Postgres => Self::Postgres(Box::new(Primary::start().await)),
            Backend::EventStore => {
                let double = EventStoreDouble::cluster(NODES).await;
                Self::EventStore(Box::new(Nodes { double, leader: 0, disk: Disk::new(DISK) }))
            }
        }
    }

    /// What the program must know to find it.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let database = match self {
            Self::Postgres(primary) => {
                let port = primary.proxy.port();
                format!("postgres://postgres@127.0.0.1:{port}/cluestream?sslmode=disable")
            }
            Self::Sqlite(_) | Self::EventStore(_) => {
                format!("sqlite://{}", self.disk().folder().join("cluestream.db").display())
            }
        };
        let mut environment = vec![("DATABASE_URL", database)];
        if let Self::EventStore(nodes) = self {
            environment.push(("EVENT_STORE_URL", nodes.double.url()));
        }
        environment
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        match self {
            Self::Sqlite(disk) => disk,
            Self::Postgres(primary) => &primary.disk,
            Self::EventStore(nodes) => &nodes.disk,
        }
    }

    /// The log, past all processes and proxies.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn log(&self) -> Arc<dyn EventLog> {
        let clock = Arc::new(SystemClock);
        let file = |name: &str| self.disk().folder().join(name);
        let (log, keys) = (file("cluestream.db"), file("cluestream-keys.db"));
        match self {
            Self::Sqlite(_) => Arc::new(SqliteLog::open(&log, &keys, clock).await.expect("the log opens")),
            Self::Postgres(primary) => {
                Arc::new(PostgresLog::connect(primary.database(), clock).await.expect("the log opens"))
            }
            Self::EventStore(nodes) => {
                let address = EventStoreAddress::new(&nodes.double.url(), STREAM).expect("an address");
                let replica = Place::Sqlite { log: &log, keys: &keys };
                let log = EventStoreLog::connect(&address, &replica, clock).await;
                Arc::new(log.expect("the log opens"))
            }
        }
    }

    /// Its server.
    ///
    /// # Panics
    /// When it is not PostgreSQL.
    pub fn primary(&mut self) -> &mut Primary {
        match self {
            Self::Postgres(primary) => primary,
            Self::Sqlite(_) | Self::EventStore(_) => panic!("it is not PostgreSQL"),
        }
    }

    /// The nodes of EventStoreDB's double.
    ///
    /// # Panics
    /// When there are none.
    pub fn nodes(&mut self) -> &mut Nodes {
        match self {
            Self::EventStore(nodes) => nodes,
            Self::Sqlite(_) | Self::Postgres(_) => panic!("it is not EventStoreDB's double"),
        }
    }

    /// Lets it answer nobody, or go on.
    ///
    /// # Panics
    /// When it has no server.
    pub fn pause(&self, paused: bool) {
        match self {
            Self::Sqlite(_) => panic!("files have no server"),
            Self::Postgres(primary) => primary.pause(paused),
            Self::EventStore(nodes) => nodes.away(paused),
        }
    }

    /// Starts what has ended of it.
    pub async fn recover(&mut self) {
        if let Self::Postgres(primary) = self {
            primary.recover().await;
        }
    }
}
