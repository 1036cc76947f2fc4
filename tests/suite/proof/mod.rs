//! The log is signed, and whatever is done to it afterwards is found and named.

mod sealing;
mod stored;
mod tampering;

use std::path::Path;
use std::sync::Arc;

use api::keys::Keys;
use commands::event_log::{EventLog, append};
use commands::proof::{AuditReport, Directory, Sealed, Sealer, audit, live_pages};
use domain::proof::NoteSigner;
use tempfile::TempDir;
use tests::clock::ManualClock;
use tests::stores::Store;

use super::conformance::event_log::new_events;

/// A log, and a place where it is signed.
struct Signed {
    store: Store,
    log: Arc<dyn EventLog>,
    signer: NoteSigner,
    folder: TempDir,
    streams: u128,
}

impl Signed {
    async fn new(store: Store) -> Self {
        let log = store.open(ManualClock::new()).await;
        let signer = Keys::generate().unwrap().log().unwrap().clone();
        Self { store, log, signer, folder: tempfile::tempdir().unwrap(), streams: 0 }
    }

    /// A signed log that has checkpoints at these sizes.
    async fn with(store: Store, sizes: &[usize]) -> Self {
        let mut signed = Self::new(store).await;
        let mut size = 0;
        for next in sizes {
            signed.append(next - size).await;
            size = *next;
            let sealed = signed.sealer().seal().await.unwrap();
            assert!(matches!(sealed, Sealed::Signed(checkpoint) if checkpoint.size == size as u64));
        }
        signed
    }

    /// Appends events, in streams of up to ten.
    async fn append(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            let events = left.min(10);
            self.streams += 1;
            append(&*self.log, new_events(&[(self.streams, 0, events)])).await.unwrap();
            left -= events;
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn place(&self) -> Arc<Directory> {
        Arc::new(Directory::new(self.path()))
    }

    fn sealer(&self) -> Sealer {
        Sealer::new(self.log.clone(), self.place(), self.signer.clone())
    }

    async fn audit(&self) -> AuditReport {
        let pages = live_pages(self.log.clone());
        audit(&*self.place(), self.signer.verifier(), pages, &mut |_, _| {}).await.unwrap()
    }

    /// What an audit finds, in words.
    async fn faults(&self) -> Vec<String> {
        self.audit().await.faults.iter().map(ToString::to_string).collect()
    }

    /// What somebody does who holds the keys of the database.
    async fn tamper(&self, statements: &[&str]) {
        for sql in statements {
            self.store.without_guards(sql).await;
        }
    }
}

/// Moves the events from one position on up or down; positions are unique all the while.
fn shift(from: usize, by: i64) -> [String; 2] {
    [
        format!("UPDATE events SET position = -(position + {by}) WHERE position >= {from}"),
        "UPDATE events SET position = -position WHERE position < 0".to_owned(),
    ]
}
