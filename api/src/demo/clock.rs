//! A clock that shows simulated time until the demo goes live.

use std::sync::atomic::{AtomicI64, Ordering};

use commands::clock::{Clock, SystemClock};
use domain::Instant;

/// Simulated time first, the machine's time once [`DemoClock::go_live`] was called.
#[derive(Debug)]
pub struct DemoClock(AtomicI64);

/// Stands for the machine's time.
const LIVE: i64 = i64::MIN;

impl DemoClock {
    /// A clock that shows `start` until it is moved.
    #[must_use]
    pub const fn starting_at(start: Instant) -> Self {
        Self(AtomicI64::new(start.micros()))
    }

    /// Moves simulated time on; it never goes back.
    pub fn move_to(&self, at: Instant) {
        self.0.fetch_max(at.micros(), Ordering::SeqCst);
    }

    /// Shows the machine's time from now on.
    pub fn go_live(&self) {
        self.0.store(LIVE, Ordering::SeqCst);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Instant {
        match self.0.load(Ordering::SeqCst) {
            LIVE => SystemClock.now(),
            simulated => Instant::from_micros(simulated),
        }
    }
}
