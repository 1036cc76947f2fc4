//! Doubles of the ports: a log in memory, a vault without cryptography, a clock that stands still.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::envelope::*;
use domain::ids::SubjectId;
use domain::ports::*;
use domain::proof::StoredEvent;
use domain::values::*;
use serde_json::Value as Json;

use crate::runner::Clock;

/// A log in memory that can be made to fail.
#[derive(Default)]
pub struct InMemoryLog {
    pub events: Mutex<Vec<RecordedEvent>>,
    /// How many reads succeed before the log becomes unavailable; negative: all.
    pub reads_left: AtomicI64,
}

#[async_trait]
impl EventReader for InMemoryLog {
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        let left = self.reads_left.load(Ordering::SeqCst);
        if left == 0 {
            return Err(ReadError::Unavailable("cut".into()));
        }
        self.reads_left.store((left - 1).max(-1), Ordering::SeqCst);
        let events = self.events.lock().unwrap();
        Ok(events.iter().filter(|e| e.position > after).take(limit).cloned().collect())
    }

    async fn read_stream(
        &self,
        stream: &StreamId,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let events = self.events.lock().unwrap();
        let own = events.iter().filter(|e| e.stream == *stream && e.revision > after);
        Ok(own.take(limit).cloned().collect())
    }

    async fn read_stored(&self, _: Position, _: usize) -> Result<Vec<StoredEvent>, ReadError> {
        Err(ReadError::Unavailable("nothing is projected from stored texts".into()))
    }

    async fn head(&self) -> Result<Head, ReadError> {
        let events = self.events.lock().unwrap();
        Ok(events
            .last()
            .map(|e| Head { position: e.position, recorded_at: e.recorded_at })
            .unwrap_or_default())
    }
}

/// Seals by hexadecimal, so that no plaintext is in the log; forgets people.
#[derive(Default)]
pub struct FakeVault {
    pub destroyed: Arc<Mutex<BTreeSet<SubjectId>>>,
}

struct FakeKeys(BTreeSet<SubjectId>);

#[async_trait]
impl Unsealer for FakeVault {
    async fn keys(&self, _: &[SubjectId]) -> Result<Box<dyn KeyRing>, UnsealError> {
        Ok(Box::new(FakeKeys(self.destroyed.lock().unwrap().clone())))
    }
}

impl KeyRing for FakeKeys {
    fn open(&self, seal: &SealContext<'_>, sealed: &str) -> Result<Option<Json>, UnsealError> {
        if self.0.contains(&seal.subject) {
            return Ok(None);
        }
        let tampered = || UnsealError::Tampered { path: seal.path.to_owned() };
        let bytes: Option<Vec<u8>> = (0..sealed.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(sealed.get(i..i + 2)?, 16).ok())
            .collect();
        serde_json::from_slice(&bytes.ok_or_else(tampered)?).map(Some).map_err(|_| tampered())
    }
}

pub fn seal(value: &Json) -> String {
    value.to_string().bytes().map(|b| format!("{b:02x}")).collect()
}

/// Hashes without a pepper.
pub struct FakeIndex;

fn fake_hash(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

impl BlindIndex for FakeIndex {
    fn contact(&self, kind: ContactKind, value: &str) -> String {
        fake_hash(&format!("{}:{value}", kind.as_str()))
    }

    fn suffix(&self, digits: &str) -> String {
        fake_hash(&format!("{}:{digits}", digits.len()))
    }
}

/// A clock that moves when told.
pub struct ManualClock(pub AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }
}

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}
