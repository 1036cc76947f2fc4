//! Time and fresh ids, injected wherever they are needed.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use domain::Instant;
use uuid::{Timestamp, Uuid};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Instant;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Instant::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that several parts share.
pub type SharedClock = Arc<dyn Clock>;

/// A fresh UUIDv7 that carries the time `at`.
#[must_use]
pub fn fresh_uuid(at: Instant) -> Uuid {
    let seconds = u64::try_from(at.micros().div_euclid(1_000_000)).unwrap_or(0);
    let nanos = u32::try_from(at.micros().rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

/// The smallest UUIDv7 of that millisecond.
#[must_use]
pub fn first_uuid_of(at: Instant) -> Uuid {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    Uuid::from_u128(u128::from(millis) << 80 | 0x7 << 76 | 0x8 << 60)
}
