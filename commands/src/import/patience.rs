//! How long an import waits for a store that does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::error::ImportError;
use crate::service::CommandError;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often something is tried while the store does not answer, with a pause that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Most attempts.
    pub attempts: u32,
    /// The pause after the first.
    pub first_pause: Duration,
}

impl Default for Patience {
    /// About two minutes, beside the time that each attempt takes.
    fn default() -> Self {
        Self { attempts: 9, first_pause: Duration::from_millis(500) }
    }
}

/// Tries again, and counts who waits.
#[derive(Clone, Debug)]
pub(super) struct Retry {
    patience: Patience,
    waiting: Arc<AtomicUsize>,
}

impl Retry {
    pub fn new(patience: Patience) -> Self {
        Self { patience, waiting: Arc::default() }
    }

    /// How many wait at this moment.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Does it until the store answers. Whatever it does must be safe to do again.
    pub async fn until_answered<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, ImportError>
    where
        F: Future<Output = Result<T, CommandError>>,
    {
        let mut pause = self.patience.first_pause;
        let mut number = 0;
        loop {
            number += 1;
            let reason = match attempt().await {
                Err(error @ (CommandError::Unavailable(_) | CommandError::Contended)) => reason(error),
                Err(error) => return Err(ImportError::Command(error)),
                Ok(value) => return Ok(value),
            };
            if number >= self.patience.attempts {
                return Err(ImportError::Unavailable { attempts: number, reason });
            }
            tracing::warn!(attempt = number, reason, "the import waits for the store");
            let _waits = Waits::begin(&self.waiting);
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }
}

fn reason(error: CommandError) -> String {
    match error {
        CommandError::Unavailable(reason) => reason,
        other => other.to_string(),
    }
}

/// Counted while it lives, so that an abandoned wait is not counted for ever.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
