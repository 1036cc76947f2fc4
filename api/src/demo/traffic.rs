//! A little live traffic behind the month, so that subscriptions have something to show.

use std::time::Duration;

use commands::clock::{Clock, SystemClock};
use commands::service::CommandService;
use domain::business_line::LineSpec;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::DemoError;
use super::journey::Journey;
use super::staff::Staff;

/// Clues in work at once.
const AT_ONCE: usize = 12;

/// Lets clues arrive and be worked until the future is dropped. Waiting times of days shrink to
/// seconds.
///
/// # Errors
/// When a command that the script counts on fails.
pub async fn keep_busy(
    service: &CommandService,
    staff: &Staff,
    lines: &[LineSpec],
    seed: u64,
) -> Result<(), DemoError> {
    let mut rng = StdRng::seed_from_u64(seed.wrapping_add(1));
    let mut open: Vec<Journey> = Vec::new();
    loop {
        tokio::time::sleep(Duration::from_millis(rng.random_range(700..2_500))).await;
        let arrives = open.is_empty() || (open.len() < AT_ONCE && rng.random_range(0..3) == 0);
        let mut journey = if arrives {
            let line = lines[usize::from(rng.random_range(0..4) == 0 && lines.len() > 1)].clone();
            Journey::new(StdRng::seed_from_u64(rng.random_range(0..u64::MAX)), line)
        } else {
            let index = rng.random_range(0..open.len());
            open.swap_remove(index)
        };
        match journey.go_on(service, staff, SystemClock.now()).await {
            Ok(Some(_)) => open.push(journey),
            Ok(None) => {}
            // A visitor of the demo may have worked the same clue: that journey is over.
            Err(DemoError::Command { error, .. }) if error.is_callers() => {}
            Err(error) => return Err(error),
        }
    }
}
