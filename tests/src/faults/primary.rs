//! PostgreSQL on a small disk behind a proxy, which can be killed, stopped and failed over.

use std::path::PathBuf;

use rustix::process::Signal;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{Instant, sleep};

use super::PATIENCE;
use super::disk::Disk;
use super::process::POLL;
use super::proxy::Proxy;
use crate::postgres::{Cluster, STANDBY, connect_patiently};

/// Size of its disk, in megabytes.
const DISK: usize = 320;
/// A server that loses nothing that it acknowledged, and writes its log in small pieces.
const SETTINGS: [&str; 4] = ["fsync=on", "min_wal_size=2MB", "max_wal_size=16MB", "wal_keep_size=16MB"];

/// The server that clients are led to.
pub struct Primary {
    /// What leads clients to it.
    pub proxy: Proxy,
    cluster: Cluster,
    pub(super) disk: Disk,
}

fn folder_on(disk: &Disk) -> PathBuf {
    let folder = disk.folder().join("postgres");
    std::fs::create_dir(&folder).expect("a folder on the disk");
    folder
}

impl Primary {
    /// A fresh one.
    pub(super) async fn start() -> Self {
        let disk = Disk::new(DISK);
        let cluster = Cluster::start_in(&folder_on(&disk), &SETTINGS)
            .expect("PostgreSQL's server programs are installed");
        cluster.database("cluestream").await;
        let proxy = Proxy::before(cluster.options().get_port()).await;
        Self { proxy, cluster, disk }
    }

    /// Where it is, past the proxy.
    pub(super) fn database(&self) -> PgConnectOptions {
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
        let disk = Disk::new(DISK);
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
