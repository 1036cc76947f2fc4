//! How far read models are behind the log.

use domain::envelope::Position;

use super::checkpoint;
use super::error::RunError;
use super::state::Inner;

/// How far a read model is behind the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// The read model.
    pub model: &'static str,
    /// Position of the last event in it.
    pub position: Position,
    /// The end of the log.
    pub head: Position,
    /// Events that it has not got yet.
    pub events: i64,
    /// How long the oldest of them has been waiting.
    pub seconds: f64,
}

pub(super) async fn measure(inner: &Inner) -> Result<Vec<Lag>, RunError> {
    let head = inner.feed.reader().head().await?;
    let names: Vec<&str> = inner.models.iter().map(|model| model.name()).collect();
    let stored = checkpoint::positions(&inner.db, &names).await?;
    let mut lags = Vec::with_capacity(names.len());
    for model in &inner.models {
        let found = stored.iter().find(|(name, _)| name == model.name());
        let position = found.map_or(Position::ZERO, |(_, checkpoint)| checkpoint.position);
        let events = (head.position.get() - position.get()).max(0);
        let mut seconds = 0.0;
        if events > 0 {
            // The first waiting event, not the last applied one: an idle night is no lag.
            let waiting = inner.feed.reader().read(position, 1).await?;
            let since = waiting.first().map_or(head.recorded_at, |event| event.recorded_at);
            #[allow(clippy::cast_precision_loss)]
            let micros = inner.clock.now().micros_since(since).max(0) as f64;
            seconds = micros / 1e6;
        }
        #[allow(clippy::cast_precision_loss)]
        metrics::gauge!("projection_lag_events", "model" => model.name()).set(events as f64);
        metrics::gauge!("projection_lag_seconds", "model" => model.name()).set(seconds);
        lags.push(Lag { model: model.name(), position, head: head.position, events, seconds });
    }
    Ok(lags)
}
