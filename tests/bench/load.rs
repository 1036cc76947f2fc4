//! A closed loop of callers: each sends its next request when the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a loop of callers reached.
pub struct Reached {
    /// Requests answered a second.
    pub per_second: f64,
    /// Latencies, sorted.
    latencies: Vec<Duration>,
}

impl Reached {
    /// What these calls reached in this time.
    pub fn new(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        #[allow(clippy::cast_precision_loss)]
        Self { per_second: latencies.len() as f64 / elapsed.as_secs_f64(), latencies }
    }

    /// The latency that this share of requests stayed under, in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (share * self.latencies.len() as f64) as usize;
        let latency = self.latencies.get(index.min(self.latencies.len().saturating_sub(1)));
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    }
}

/// Lets `callers` call for `duration`; each call gets a number that no other call has.
pub async fn closed_loop<F, R>(callers: usize, duration: Duration, call: F) -> Reached
where
    F: Fn(u64) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send,
{
    let (call, next) = (Arc::new(call), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (call, next) = (call.clone(), next.clone());
            tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(4_096);
                while start.elapsed() < duration {
                    let sent = Instant::now();
                    call(next.fetch_add(1, Ordering::Relaxed)).await;
                    latencies.push(sent.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a caller"));
    }
    Reached::new(latencies, start.elapsed())
}
