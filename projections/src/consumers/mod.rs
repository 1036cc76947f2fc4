//! Named consumers of the log: positions that the server keeps for those who cannot keep their own.
//!
//! Guarantees: at least once. A consumer begins behind what it acknowledged, whatever was delivered
//! beyond that; a position moves forward only by an acknowledgement of the reader that has the lease
//! and only over what was delivered under it, and backward only when somebody sets it. One reader at
//! a time: a lease is an id that is never used twice, and every change names it, so a reader that
//! slept through its lease moves nothing, whatever its clock says.
//!
//! Deliberately absent: delivery itself, which is the replay's, and acknowledging single events. A
//! consumer is not part of the log and no read model: a rebuild leaves it alone, and a backup of the
//! log does not have it.
//!
//! On SQLite a power cut may take the last acknowledgements back; their events come again.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::Position;
use domain::ids::OperatorId;
use domain::ports::{EventReader, ReadError};
use domain::values::{Code, Instant};
use uuid::Uuid;

use crate::runner::Clock;
use crate::sql::{Database, Row, SqlError, Tx, Value};

/// A consumer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// What it is called.
    pub name: Code,
    /// Whose it is: whose roles and scope decide what it reads, and the only one who moves it.
    pub owner: OperatorId,
    /// The event types that it gets, as they were asked for; all of them when there are none.
    pub types: Vec<String>,
    /// Everything up to here is acknowledged.
    pub position: Position,
    /// Everything up to here was delivered under the last lease.
    pub delivered: Position,
    /// When the lease ends, while somebody has it.
    pub leased_until: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
    /// When its position was last moved.
    pub acknowledged_at: Instant,
}

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

/// A reader's right to move a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseId(Uuid);

impl LeaseId {
    /// A lease as its reader names it.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl std::fmt::Display for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a consumer cannot do that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// There is none of that name.
    #[error("there is no consumer of this name")]
    Unknown,
    /// There is one of that name, of another owner or with other types.
    #[error("there is a consumer of this name already, of another owner or with other types")]
    Exists,
    /// It belongs to another operator.
    #[error("the consumer belongs to another operator")]
    OfAnother,
    /// Another reader has it.
    #[error("another reader has the consumer until {until}")]
    Leased {
        /// When that ends, if it is not renewed.
        until: Instant,
    },
    /// The lease is not, or no longer, the one by which the consumer moves.
    #[error("the lease was lost: it ended and another reader took the consumer, or its position was set")]
    LeaseLost,
    /// An acknowledgement of what is behind the position.
    #[error("everything up to {position} is acknowledged already; only setting the position goes back")]
    Backwards {
        /// Where the consumer is.
        position: Position,
    },
    /// An acknowledgement of what was not delivered.
    #[error("only what is up to {delivered} was delivered under this lease")]
    Undelivered {
        /// Up to where.
        delivered: Position,
    },
    /// A position that the log does not have.
    #[error("the position is beyond the end of the log, which is at {head}")]
    BeyondHead {
        /// The end.
        head: Position,
    },
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The log did not say where it ends.
    #[error(transparent)]
    Read(#[from] ReadError),
}

const COLUMNS: &str =
    "name, owner, types, position, delivered, lease, expires_at, created_at, acknowledged_at";

/// The consumers of a database. Cheap to clone.
#[derive(Clone)]
pub struct Consumers {
    db: Database,
    reader: Arc<dyn EventReader>,
    clock: Arc<dyn Clock>,
}

impl Consumers {
    /// The consumers that this database keeps, of this log.
    #[must_use]
    pub fn new(db: Database, reader: Arc<dyn EventReader>, clock: Arc<dyn Clock>) -> Self {
        Self { db, reader, clock }
    }

    /// Makes a consumer that begins behind `after`. The same call again finds it as it is by then.
    ///
    /// # Errors
    /// [`ConsumerError::Exists`] when it is another's or has other types.
    pub async fn create(
        &self,
        name: &Code,
        owner: OperatorId,
        types: &[String],
        after: Position,
    ) -> Result<Consumer, ConsumerError> {
        self.within_log(after).await?;
        let sql = "INSERT INTO consumers (name, owner, types, position, delivered, lease, expires_at, \
                   created_at, acknowledged_at) VALUES ($1, $2, $3, $4, $4, '', 0, $5, $5) \
                   ON CONFLICT (name) DO NOTHING";
        let params: [Value; 5] = [
            name.as_str().into(),
            owner.to_string().into(),
            types.join(",").into(),
            after.get().into(),
            self.clock.now().micros().into(),
        ];
        let mut tx = self.begin().await?;
        tx.execute(sql, &params).await?;
        let (consumer, _) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        if consumer.owner != owner || consumer.types != types {
            return Err(ConsumerError::Exists);
        }
        Ok(consumer)
    }

    /// Every consumer with its lag, by name; also told to the metrics.
    ///
    /// # Errors
    /// When the database or the log fails.
    pub async fn list(&self) -> Result<Vec<ConsumerLag>, ConsumerError> {
        let head = self.reader.head().await?;
        let rows = self.db.fetch(&format!("SELECT {COLUMNS} FROM consumers ORDER BY name"), &[]).await?;
        let mut lags = Vec::with_capacity(rows.len());
        for row in &rows {
            let (consumer, _) = self.read(row)?;
            let events = (head.position.get() - consumer.position.get()).max(0);
            let mut seconds = 0.0;
            if events > 0 {
                // The first waiting event, not the last taken one: an idle night is no lag.
                let waiting = self.reader.read(consumer.position, 1).await?;
                let since = waiting.first().map_or(head.recorded_at, |event| event.recorded_at);
                #[allow(clippy::cast_precision_loss)]
                let micros = self.clock.now().micros_since(since).max(0) as f64;
                seconds = micros / 1e6;
            }
            tell(consumer.name.as_str(), events, seconds);
            lags.push(ConsumerLag { consumer, events, seconds });
        }
        Ok(lags)
    }

    /// One consumer.
    ///
    /// # Errors
    /// [`ConsumerError::Unknown`] when there is none.
    pub async fn get(&self, name: &Code) -> Result<Consumer, ConsumerError> {
        let sql = format!("SELECT {COLUMNS} FROM consumers WHERE name = $1");
        let rows = self.db.fetch(&sql, &[name.as_str().into()]).await?;
        Ok(self.read(rows.first().ok_or(ConsumerError::Unknown)?)?.0)
    }

    /// Takes a consumer away; a reader that has it stops.
    ///
    /// # Errors
    /// [`ConsumerError::Unknown`] when there is none.
    pub async fn delete(&self, name: &Code) -> Result<(), ConsumerError> {
        let mut tx = self.begin().await?;
        let gone = tx.execute("DELETE FROM consumers WHERE name = $1", &[name.as_str().into()]).await?;
        tx.commit().await?;
        if gone == 0 {
            return Err(ConsumerError::Unknown);
        }
        tell(name.as_str(), 0, 0.0);
        Ok(())
    }

    /// Sets the position, forward or backward, and ends the lease.
    ///
    /// # Errors
    /// [`ConsumerError::BeyondHead`] when the log does not reach so far.
    pub async fn seek(&self, name: &Code, position: Position) -> Result<Consumer, ConsumerError> {
        self.within_log(position).await?;
        let sql = "UPDATE consumers SET position = $1, delivered = $1, lease = '', expires_at = 0, \
                   acknowledged_at = $2 WHERE name = $3";
        let now = self.clock.now().micros();
        let mut tx = self.begin().await?;
        tx.execute(sql, &[position.get().into(), now.into(), name.as_str().into()]).await?;
        let (consumer, _) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        Ok(consumer)
    }

    /// Takes the consumer for one reader, when nobody has it.
    ///
    /// # Errors
    /// [`ConsumerError::Leased`] while another reader has it.
    pub async fn take(&self, name: &Code, ttl: Duration) -> Result<(LeaseId, Consumer), ConsumerError> {
        let lease = LeaseId(Uuid::now_v7());
        let now = self.clock.now();
        let sql = "UPDATE consumers SET lease = $1, expires_at = $2, delivered = position \
                   WHERE name = $3 AND expires_at <= $4";
        let params: [Value; 4] = [
            lease.to_string().into(),
            (now + ttl).micros().into(),
            name.as_str().into(),
            now.micros().into(),
        ];
        let mut tx = self.begin().await?;
        let taken = tx.execute(sql, &params).await? == 1;
        let (consumer, _) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        match consumer.leased_until {
            Some(until) if !taken => Err(ConsumerError::Leased { until }),
            _ => Ok((lease, consumer)),
        }
    }

    /// Notes that everything up to `position` goes to the reader, and renews its lease.
    ///
    /// # Errors
    /// [`ConsumerError::LeaseLost`] when it is not the reader's any more.
    pub async fn deliver(
        &self,
        name: &Code,
        lease: LeaseId,
        position: Position,
        ttl: Duration,
    ) -> Result<(), ConsumerError> {
        let sql = "UPDATE consumers SET expires_at = $1, \
                   delivered = CASE WHEN delivered < $2 THEN $2 ELSE delivered END \
                   WHERE name = $3 AND lease = $4";
        let params: [Value; 4] = [
            (self.clock.now() + ttl).micros().into(),
            position.get().into(),
            name.as_str().into(),
            lease.to_string().into(),
        ];
        let mut tx = self.db.begin().await?;
        let held = tx.execute(sql, &params).await? == 1;
        tx.commit().await?;
        if held { Ok(()) } else { Err(ConsumerError::LeaseLost) }
    }

    /// Acknowledges everything up to `position`, and renews the lease or lets it go.
    ///
    /// # Errors
    /// [`ConsumerError::LeaseLost`], [`ConsumerError::Backwards`], [`ConsumerError::Undelivered`];
    /// nothing is changed then.
    pub async fn acknowledge(
        &self,
        name: &Code,
        lease: LeaseId,
        position: Position,
        keep: Option<Duration>,
    ) -> Result<Consumer, ConsumerError> {
        let now = self.clock.now();
        let expires_at = keep.map_or(0, |ttl| (now + ttl).micros());
        let release = if keep.is_none() { ", lease = ''" } else { "" };
        let sql = format!(
            "UPDATE consumers SET position = $1, acknowledged_at = $2, expires_at = $3{release} \
             WHERE name = $4 AND lease = $5 AND position <= $1 AND delivered >= $1"
        );
        let params: [Value; 5] = [
            position.get().into(),
            now.micros().into(),
            expires_at.into(),
            name.as_str().into(),
            lease.to_string().into(),
        ];
        let mut tx = self.begin().await?;
        let moved = tx.execute(&sql, &params).await? == 1;
        let (consumer, holder) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        if moved {
            return Ok(consumer);
        }
        Err(if holder != lease.to_string() {
            ConsumerError::LeaseLost
        } else if position < consumer.position {
            ConsumerError::Backwards { position: consumer.position }
        } else {
            ConsumerError::Undelivered { delivered: consumer.delivered }
        })
    }

    async fn within_log(&self, position: Position) -> Result<(), ConsumerError> {
        let head = self.reader.head().await?.position;
        if position > head { Err(ConsumerError::BeyondHead { head }) } else { Ok(()) }
    }

    /// A transaction that lasts once it is committed, unlike those of read models, which can be built
    /// anew.
    async fn begin(&self) -> Result<Tx, SqlError> {
        let mut tx = self.db.begin().await?;
        if tx.is_postgres() {
            tx.run("SET LOCAL synchronous_commit = on").await?;
        }
        Ok(tx)
    }

    async fn load(&self, tx: &mut Tx, name: &Code) -> Result<(Consumer, String), ConsumerError> {
        let sql = format!("SELECT {COLUMNS} FROM consumers WHERE name = $1");
        let rows = tx.fetch(&sql, &[name.as_str().into()]).await?;
        Ok(self.read(rows.first().ok_or(ConsumerError::Unknown)?)?)
    }

    /// The consumer, and the lease that it has or had last.
    fn read(&self, row: &Row) -> Result<(Consumer, String), SqlError> {
        let types: String = row.get(2)?;
        let expires_at: Instant = row.get(6)?;
        let consumer = Consumer {
            name: row.get(0)?,
            owner: row.get(1)?,
            types: types.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            position: row.get(3)?,
            delivered: row.get(4)?,
            leased_until: (expires_at > self.clock.now()).then_some(expires_at),
            created_at: row.get(7)?,
            acknowledged_at: row.get(8)?,
        };
        Ok((consumer, row.get(5)?))
    }
}

fn tell(name: &str, events: i64, seconds: f64) {
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!("consumer_lag_events", "consumer" => name.to_owned()).set(events as f64);
    metrics::gauge!("consumer_lag_seconds", "consumer" => name.to_owned()).set(seconds);
}
