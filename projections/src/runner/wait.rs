//! Reading one's own writes.

use std::time::Duration;

use domain::envelope::Position;

use super::checkpoint;
use super::error::WaitError;
use super::state::Inner;

/// Shortest and longest pause between looks at the checkpoints of models that another process moves.
const POLL: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

pub(super) async fn wait_for(
    inner: &Inner,
    models: &[&str],
    position: Position,
    timeout: Duration,
) -> Result<(), WaitError> {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut progress: Vec<_> =
        models.iter().filter_map(|name| inner.model(name)).map(|model| model.progress()).collect();
    let here = |progress: &[tokio::sync::watch::Receiver<Position>]| {
        progress.len() == models.len() && progress.iter().all(|model| *model.borrow() >= position)
    };
    let mut pause = POLL.0;
    loop {
        if here(&progress) {
            return Ok(());
        }
        let stored = checkpoint::positions(&inner.db, models).await?;
        let at = models
            .iter()
            .map(|name| stored.iter().find(|(stored, _)| stored == name))
            .map(|found| found.map_or(Position::ZERO, |(_, checkpoint)| checkpoint.position))
            .min()
            .unwrap_or(position);
        if at >= position {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(WaitError::Stale { at, wanted: position });
        }
        let until = deadline.min(tokio::time::Instant::now() + pause);
        pause = (pause * 2).min(POLL.1);
        // A model of this process wakes us at once; one of another process is found by looking.
        let slow = progress.iter_mut().find(|model| *model.borrow() < position);
        match slow {
            Some(model) => drop(tokio::time::timeout_at(until, model.changed()).await),
            None => tokio::time::sleep_until(until).await,
        }
    }
}
