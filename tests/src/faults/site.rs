//! An installation of the program: a database that things can happen to, keys, a line, people.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use commands::clock::SystemClock;
use commands::event_log::{EventLog, PostgresLog, SqliteLog};
use rustix::process::Signal;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::PATIENCE;
use super::disk::Disk;
use super::process::{POLL, Setting};
use super::proxy::Proxy;
use crate::postgres::{Cluster, STANDBY, connect_patiently};

/// The line that everybody works in.
pub const LINE: &str = "used-car-sales";
/// How many agents there are.
pub const AGENTS: usize = 4;
/// How long a token is good for, in seconds: clocks jump.
const LIFETIME: &str = "31536000";
/// Sizes of disks, in megabytes.
const SQLITE_DISK: usize = 96;
const POSTGRES_DISK: usize = 320;
/// A server that loses nothing that it acknowledged, and writes its log in small pieces.
const SETTINGS: [&str; 4] = ["fsync=on", "min_wal_size=2MB", "max_wal_size=16MB", "wal_keep_size=16MB"];

/// The folder of signed checkpoints.
const CHECKPOINTS: &str = "checkpoints";

/// Somebody who sends commands.
#[derive(Clone, Debug)]
pub struct Person {
    /// The operator's id.
    pub id: String,
    /// A token for it.
    pub token: String,
}

/// An installation.
pub struct Site {
    /// Where its data is.
    pub database: Database,
    /// How its processes are started.
    pub setting: Setting,
    /// Agents, then the manager.
    pub people: Vec<Person>,
    /// Who may read the log.
    pub auditor: Person,
    folder: TempDir,
}

/// Which database things happen to. EventStoreDB has its double for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Files on a small disk.
    Sqlite,
    /// A cluster on a small disk behind a proxy.
    Postgres,
}

/// A database that things can happen to.
#[allow(clippy::large_enum_variant, reason = "a run has one")]
pub enum Database {
    /// Files on a small disk.
    Sqlite(Disk),
    /// A cluster on a small disk behind a proxy.
    Postgres(Box<Primary>),
}

/// The server that clients are led to.
pub struct Primary {
    /// What leads clients to it.
    pub proxy: Proxy,
    cluster: Cluster,
    disk: Disk,
}

impl Site {
    /// A fresh installation.
    ///
    /// # Panics
    /// When something of it does not work.
    pub async fn new(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(backend).await;
        let setting = Setting {
            environment: vec![
                ("DATABASE_URL", database.url()),
                ("KEYS_DIR", folder.path().join("keys").display().to_string()),
                ("CHECKPOINTS_DIR", folder.path().join(CHECKPOINTS).display().to_string()),
                ("CLUESTREAM_CHECKPOINTS_INTERVAL_SECONDS", "1".to_owned()),
                ("CLUESTREAM_LOG_LEVEL", "info".to_owned()),
            ],
            ..Setting::default()
        };
        let line = documents().join("lines").join(format!("{LINE}.toml"));
        setting.done(&["keys", "init"]).await;
        setting.done(&["migrate"]).await;
        setting.done(&["line", "apply", &line.display().to_string()]).await;
        let mut people = Vec::new();
        for number in 0..AGENTS {
            people.push(hire(&setting, &format!("Agent {number}"), "agent").await);
        }
        people.push(hire(&setting, "Manager", "manager").await);
        let auditor = hire(&setting, "Auditor", "auditor").await;
        Self { database, setting, people, auditor, folder }
    }

    /// Where its log is signed: not where its database is.
    #[must_use]
    pub fn checkpoints(&self) -> PathBuf {
        self.file(CHECKPOINTS)
    }

    /// A file in its folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The folder `docs`.
#[must_use]
pub fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("docs")
}

async fn hire(setting: &Setting, name: &str, role: &str) -> Person {
    let lines: &[&str] = if role == "auditor" { &[] } else { &["--line", LINE] };
    let id = setting.done(&[&["user", "add", name, "--role", role], lines].concat()).await;
    let token = setting.done(&["token", &id, "--lifetime", LIFETIME]).await;
    Person { id, token }
}

impl Database {
    async fn new(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::Sqlite(Disk::new(SQLITE_DISK)),
            Backend::Postgres => {
                let disk = Disk::new(POSTGRES_DISK);
                let cluster = Cluster::start_in(&folder_on(&disk), &SETTINGS)
                    .expect("PostgreSQL's server programs are installed");
                cluster.database("cluestream").await;
                let proxy = Proxy::before(cluster.options().get_port()).await;
                Self::Postgres(Box::new(Primary { proxy, cluster, disk }))
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(disk) => format!("sqlite://{}", disk.folder().join("cluestream.db").display()),
            Self::Postgres(primary) => {
                let port = primary.proxy.port();
                format!("postgres://postgres@127.0.0.1:{port}/cluestream?sslmode=disable")
            }
        }
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        match self {
            Self::Sqlite(disk) => disk,
            Self::Postgres(primary) => &primary.disk,
        }
    }

    /// The log, past all processes and proxies.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn log(&self) -> Arc<dyn EventLog> {
        match self {
            Self::Sqlite(disk) => {
                let file = |name: &str| disk.folder().join(name);
                let (log, keys) = (file("cluestream.db"), file("cluestream-keys.db"));
                let log = SqliteLog::open(&log, &keys, Arc::new(SystemClock));
                Arc::new(log.await.expect("the log opens"))
            }
            Self::Postgres(primary) => {
                let log = PostgresLog::connect(primary.database(), Arc::new(SystemClock));
                Arc::new(log.await.expect("the log opens"))
            }
        }
    }

    /// Its server.
    ///
    /// # Panics
    /// When it has none.
    pub fn primary(&mut self) -> &mut Primary {
        match self {
            Self::Postgres(primary) => primary,
            Self::Sqlite(_) => panic!("files have no server"),
        }
    }

    /// Starts what has ended of it.
    pub async fn recover(&mut self) {
        if let Self::Postgres(primary) = self {
            primary.recover().await;
        }
    }
}

fn folder_on(disk: &Disk) -> PathBuf {
    let folder = disk.folder().join("postgres");
    std::fs::create_dir(&folder).expect("a folder on the disk");
    folder
}

impl Primary {
    fn database(&self) -> PgConnectOptions {
        self.cluster.options().clone().database("cluestream")
    }

    /// Stops every process of it, or lets them go on.
    pub fn pause(&self, paused: bool) {
        self.cluster.signal(if paused { Signal::STOP } else { Signal::CONT });
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.cluster.kill();
    }

    /// Starts it again if it has ended.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn recover(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        // The last processes of a killed server may still be ending, or a server that ran out of disk
        // may still be finding that out.
        while PgConnection::connect_with(&self.database()).await.is_err() {
            assert!(Instant::now() < deadline, "the database does not come back");
            if !self.cluster.is_running() {
                let _ = self.cluster.try_restart();
            }
            sleep(POLL).await;
        }
    }

    /// Gives it a synchronous standby.
    ///
    /// # Panics
    /// When that does not follow.
    pub async fn standby(&self) -> Standby {
        let disk = Disk::new(POSTGRES_DISK);
        let cluster = self.cluster.standby_in(&folder_on(&disk), &SETTINGS).expect("a copy of the primary");
        let mut connection = connect_patiently(self.cluster.options()).await;
        for statement in [
            format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            sqlx::raw_sql(&statement).execute(&mut connection).await.expect("the setting");
        }
        let deadline = Instant::now() + PATIENCE;
        let in_step = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while sqlx::query_scalar::<_, i64>(in_step).fetch_one(&mut connection).await.expect("an answer") == 0
        {
            assert!(Instant::now() < deadline, "the standby does not follow");
            sleep(POLL).await;
        }
        connection.close().await.expect("the primary is left");
        Standby { cluster, disk }
    }

    /// Makes its standby the primary and leads everybody there; the former primary.
    pub fn fail_over(&mut self, standby: Standby) -> Standby {
        standby.cluster.promote();
        self.proxy.turn_to(standby.cluster.options().get_port());
        let cluster = std::mem::replace(&mut self.cluster, standby.cluster);
        let disk = std::mem::replace(&mut self.disk, standby.disk);
        Standby { cluster, disk }
    }
}

/// A server that clients are not led to.
pub struct Standby {
    cluster: Cluster,
    // Behind the cluster: it goes after that.
    disk: Disk,
}

impl Standby {
    /// Lets a paused server go on, and ends it when it has had the time to do harm.
    ///
    /// # Panics
    /// When it was not paused.
    pub async fn come_back(self) {
        self.cluster.signal(Signal::CONT);
        // It answers whoever still asks it.
        drop(connect_patiently(self.cluster.options()).await);
        self.cluster.crash();
        drop(self.disk);
    }
}
