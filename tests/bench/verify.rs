//! Verifying the whole log: leaves, tree, tiles and checkpoints, through the real path.

use std::sync::Arc;
use std::time::Instant;

use api::keys::Keys;
use commands::event_log::EventLog;
use commands::proof::{Directory, Sealer, audit, live_pages};
use domain::proof::NoteSigner;
use sqlx::postgres::PgConnectOptions;

use crate::cluster::{self, ROUNDS, our_world};
use crate::limits::rate;
use crate::replay::{EVENTS, copy, fill};
use crate::report::Report;

/// The database that is read.
const DATABASE: &str = "verified";

/// Sealing and verifying beside COPY.
pub async fn run(report: &mut Report) {
    let cluster = cluster::start();
    let world = our_world(&cluster, DATABASE).await;
    fill(cluster.options(), DATABASE).await;
    let log = world.service.log().clone();
    let signer = Keys::generate().expect("keys").log().expect("a key of the log").clone();
    let section = "the log is signed and verified";
    for round in 0..=ROUNDS {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Arc::new(Directory::new(folder.path()));
        let limit = copied(cluster.options()).await;
        let sealed = sealed(log.clone(), place.clone(), signer.clone()).await;
        let verified = verified(log.clone(), &place, &signer).await;
        // The first round warms caches and connections.
        if round > 0 {
            report.record(section, "COPY TO binary, not decoded", "events/s", limit);
            report.record(section, "signed, tiles on disk", "events/s", sealed);
            report.record(section, "verified", "events/s", verified);
        }
    }
    report.ratio(section, "verified", "COPY TO binary, not decoded", None);
}

async fn copied(server: &PgConnectOptions) -> f64 {
    copy(server, DATABASE).await
}

async fn sealed(log: Arc<dyn EventLog>, place: Arc<Directory>, signer: NoteSigner) -> f64 {
    let start = Instant::now();
    Sealer::new(log, place, signer).seal_all().await.expect("it is signed");
    rate(EVENTS, start)
}

async fn verified(log: Arc<dyn EventLog>, place: &Directory, signer: &NoteSigner) -> f64 {
    let start = Instant::now();
    let pages = live_pages(log);
    let report = audit(place, signer.verifier(), pages, &mut |_, _| {}).await.expect("it is verified");
    assert!(report.faults.is_empty() && report.equal >= EVENTS as u64, "{report:?}");
    rate(EVENTS, start)
}
