//! How far consumers are behind.

use std::collections::{BTreeSet, HashMap};
use std::sync::PoisonError;

use domain::envelope::Position;
use domain::ports::ReadError;
use domain::values::{Code, Instant};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{COLUMNS, Consumer, ConsumerError, Consumers};
use crate::sql::SqlError;

/// Events that are read at once to tell how long consumers have been waiting.
const READS: usize = 4;

/// A consumer and how far it is behind.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerLag {
    /// Which.
    pub consumer: Consumer,
    /// Events behind its position, those included that its types leave out.
    pub events: i64,
    /// How long the first of them has been waiting, in seconds.
    pub seconds: f64,
}

impl Consumers {
    /// Every consumer with its lag, by name; also told to the metrics.
    ///
    /// # Errors
    /// When the database or the log fails.
    pub async fn list(&self) -> Result<Vec<ConsumerLag>, ConsumerError> {
        let rows = self.db.fetch(&format!("SELECT {COLUMNS} FROM consumers ORDER BY name"), &[]).await?;
        let read = |row| Ok::<_, SqlError>(self.read(row)?.0);
        let consumers: Vec<Consumer> = rows.iter().map(read).collect::<Result<_, _>>()?;
        let lags = self.measure(consumers).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let there: BTreeSet<String> = lags.iter().map(|lag| lag.consumer.name.to_string()).collect();
        // What another process took away must not stay behind for ever.
        for gone in told.difference(&there) {
            tell(gone, 0, 0.0);
        }
        for lag in &lags {
            tell(lag.consumer.name.as_str(), lag.events, lag.seconds);
        }
        *told = there;
        Ok(lags)
    }

    /// How far these consumers are behind.
    async fn measure(&self, consumers: Vec<Consumer>) -> Result<Vec<ConsumerLag>, ConsumerError> {
        let head = self.reader.head().await?;
        let lagging = consumers.iter().map(|consumer| consumer.position).filter(|at| *at < head.position);
        let lagging: BTreeSet<Position> = lagging.collect();
        let since: HashMap<Position, Instant> = stream::iter(lagging)
            .map(|position| async move {
                // The first waiting event, not the last taken one: an idle night is no lag.
                let waiting = self.reader.read(position, 1).await?;
                let since = waiting.first().map_or(head.recorded_at, |event| event.recorded_at);
                Ok::<_, ReadError>((position, since))
            })
            .buffer_unordered(READS)
            .try_collect()
            .await?;
        let now = self.clock.now();
        let lag = |consumer: Consumer| {
            let events = (head.position.get() - consumer.position.get()).max(0);
            let waiting = since.get(&consumer.position).map_or(0, |since| now.micros_since(*since).max(0));
            #[allow(clippy::cast_precision_loss)]
            let seconds = waiting as f64 / 1e6;
            ConsumerLag { consumer, events, seconds }
        };
        Ok(consumers.into_iter().map(lag).collect())
    }

    /// One consumer and how far it is behind.
    ///
    /// # Errors
    /// [`ConsumerError::Unknown`] when there is none; when the database or the log fails.
    pub async fn lag(&self, name: &Code) -> Result<ConsumerLag, ConsumerError> {
        let lags = self.measure(vec![self.get(name).await?]).await?;
        lags.into_iter().next().ok_or(ConsumerError::Unknown)
    }
}

pub(super) fn tell(name: &str, events: i64, seconds: f64) {
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!("consumer_lag_events", "consumer" => name.to_owned()).set(events as f64);
    metrics::gauge!("consumer_lag_seconds", "consumer" => name.to_owned()).set(seconds);
}
