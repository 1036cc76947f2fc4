//! Plays a month: clues arrive in working hours and live their lives, in simulated time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use commands::service::CommandService;
use domain::Instant;
use domain::business_line::LineSpec;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::DemoError;
use super::clock::DemoClock;
use super::journey::Journey;
use super::staff::Staff;

/// Length of the history.
pub const DAYS: u64 = 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Things that happen within this span happen at once: one group commit.
const TICK: Duration = Duration::from_secs(10 * 60);
/// Clues of the first line; the second gets a third of that.
const CLUES: usize = 360;
/// Opening hours in Shanghai, as hours UTC: 9 to 21 o'clock.
const OPEN: std::ops::Range<i64> = 1..13;

/// What the month came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct MonthReport {
    /// Clues that arrived.
    pub clues: usize,
    /// Things that happened to them.
    pub steps: usize,
}

/// Plays the month that ends when `end` says; the clock must show its beginning.
///
/// # Errors
/// When a command that the script counts on fails.
pub async fn play_month(
    service: &CommandService,
    clock: &DemoClock,
    staff: &Staff,
    lines: &[LineSpec],
    end: Instant,
    seed: u64,
    progress: &mut (dyn FnMut(Instant) + Send),
) -> Result<MonthReport, DemoError> {
    let start = clock_now(service);
    let mut journeys = Vec::new();
    let mut agenda = BinaryHeap::new();
    for (line, count) in lines.iter().zip([CLUES, CLUES / 3]) {
        for _ in 0..count {
            let number = u64::try_from(journeys.len()).unwrap_or(u64::MAX);
            let mut rng = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let arrival = start + Duration::from_secs(rng.random_range(0..DAYS * DAY.as_secs()));
            agenda.push(Reverse((in_opening_hours(arrival), journeys.len())));
            journeys.push(Some(Journey::new(rng, line.clone())));
        }
    }
    let mut report = MonthReport { clues: journeys.len(), steps: 0 };
    while let Some(Reverse((at, _))) = agenda.peek().copied() {
        if at >= end {
            break;
        }
        let tick_end = at + TICK;
        clock.move_to(at);
        let mut due = Vec::new();
        while let Some(Reverse((at, number))) = agenda.peek().copied() {
            if at >= tick_end.min(end) {
                break;
            }
            agenda.pop();
            if let Some(journey) = journeys.get_mut(number).and_then(Option::take) {
                due.push((at, number, journey));
            }
        }
        report.steps += due.len();
        let steps = due.into_iter().map(|(at, number, mut journey)| async move {
            let wait = journey.go_on(service, staff, at).await;
            (at, number, journey, wait)
        });
        for (at, number, journey, wait) in join_all(steps).await {
            if let Some(wait) = wait? {
                agenda.push(Reverse((in_opening_hours(at + wait), number)));
                journeys[number] = Some(journey);
            }
        }
        progress(at);
    }
    Ok(report)
}

fn clock_now(service: &CommandService) -> Instant {
    service.clock().now()
}

/// The same instant, or the next opening of the shop.
fn in_opening_hours(at: Instant) -> Instant {
    let hour = 3_600_000_000;
    let day = 24 * hour;
    let of_day = at.micros().rem_euclid(day);
    if OPEN.contains(&(of_day / hour)) {
        return at;
    }
    // Somewhere in the first two hours, so that not everybody calls at nine sharp.
    let opening = OPEN.start * hour + of_day % (2 * hour);
    let wait = if of_day < OPEN.start * hour { opening - of_day } else { day - of_day + opening };
    Instant::from_micros(at.micros() + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_into_the_night_happens_in_the_morning() {
        for (at, opens) in [
            ("2026-05-01T05:30:00.000000Z", "2026-05-01T05:30:00.000000Z"),
            ("2026-05-01T13:10:00.000000Z", "2026-05-02T02:10:00.000000Z"),
            ("2026-05-01T00:20:00.000000Z", "2026-05-01T01:20:00.000000Z"),
        ] {
            assert_eq!(in_opening_hours(at.parse().unwrap()).to_string(), opens);
        }
    }
}
