//! Named consumers of the log: positions that the server keeps for those who cannot keep their own.
//!
//! Guarantees: at least once. A consumer begins behind what it acknowledged, whatever was delivered
//! beyond that; a position moves forward only by an acknowledgement of the reader that has the lease
//! and only over what was delivered under it, and backward only when somebody sets it. One reader at
//! a time: a lease is an id that is never used twice, and every change names it, so a reader that
//! slept through its lease moves nothing, whatever its clock says. A lease that ends later than any
//! reader may ask for was taken by a clock that was wrong, and counts as ended.
//!
//! Deliberately absent: delivery itself, which is the replay's, and acknowledging single events. A
//! consumer is not part of the log and no read model: a rebuild leaves it alone, and a backup of the
//! log does not have it.
//!
//! On SQLite a power cut may take the last acknowledgements back; their events come again.

mod error;
mod lag;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::envelope::Position;
use domain::ids::OperatorId;
use domain::ports::EventReader;
use domain::values::{Code, Instant};
use uuid::Uuid;

use crate::runner::Clock;
use crate::sql::{Database, Row, SqlError, Tx, Value};

pub use error::ConsumerError;
pub use lag::ConsumerLag;

/// A consumer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// What it is called.
    pub name: Code,
    /// Whose it is: whose roles and scope decide what it reads, and the only one who moves it.
    pub owner: OperatorId,
    /// The event types that it gets, in order; all of them when there are none.
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

/// What was heard of a reader lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lately {
    /// Whether it took something.
    pub took: bool,
    /// For how long an acknowledgement counts.
    pub within: Duration,
}

impl std::fmt::Display for LeaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The latest end of a lease that a clock like ours gives: three times the longest that may be asked for.
const CREDIBLE: Duration = Duration::from_secs(3 * 3_600);

const COLUMNS: &str =
    "name, owner, types, position, delivered, lease, expires_at, created_at, acknowledged_at";

/// The consumers of a database. Cheap to clone.
#[derive(Clone)]
pub struct Consumers {
    db: Database,
    reader: Arc<dyn EventReader>,
    clock: Arc<dyn Clock>,
    /// Whose lag the metrics have.
    told: Arc<Mutex<BTreeSet<String>>>,
}

/// One form of a list of types, whichever way it was given.
fn normal<'a>(types: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let words = types.into_iter().flat_map(|list| list.split(',')).map(str::trim);
    let words: BTreeSet<&str> = words.filter(|word| !word.is_empty()).collect();
    words.into_iter().map(str::to_owned).collect()
}

impl Consumers {
    /// The consumers that this database keeps, of this log.
    #[must_use]
    pub fn new(db: Database, reader: Arc<dyn EventReader>, clock: Arc<dyn Clock>) -> Self {
        Self { db, reader, clock, told: Arc::default() }
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
        let types = normal(types.iter().map(String::as_str));
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

    /// One consumer.
    ///
    /// # Errors
    /// [`ConsumerError::Unknown`] when there is none.
    pub async fn get(&self, name: &Code) -> Result<Consumer, ConsumerError> {
        let sql = format!("SELECT {COLUMNS} FROM consumers WHERE name = $1");
        let rows = self.db.fetch(&sql, &[name.as_str().into()]).await?;
        Ok(self.read(rows.first().ok_or(ConsumerError::Unknown)?)?.0)
    }

    /// Takes a consumer away, of this owner when one is named; a reader that has it stops.
    ///
    /// # Errors
    /// [`ConsumerError::Unknown`] when there is none, [`ConsumerError::OfAnother`] when it is another's.
    pub async fn delete(&self, name: &Code, owner: Option<OperatorId>) -> Result<(), ConsumerError> {
        let sql = "DELETE FROM consumers WHERE name = $1 AND ($2 = '' OR owner = $2)";
        let mut tx = self.begin().await?;
        if tx.execute(sql, &[name.as_str().into(), word(owner)]).await? == 0 {
            self.load(&mut tx, name).await?;
            return Err(ConsumerError::OfAnother);
        }
        tx.commit().await?;
        lag::tell(name.as_str(), 0, 0.0);
        Ok(())
    }

    /// Sets the position, forward or backward, and ends the lease; of this owner's consumer when one is
    /// named.
    ///
    /// # Errors
    /// [`ConsumerError::BeyondHead`] when the log does not reach so far; [`ConsumerError::Unknown`],
    /// [`ConsumerError::OfAnother`].
    pub async fn seek(
        &self,
        name: &Code,
        owner: Option<OperatorId>,
        position: Position,
    ) -> Result<Consumer, ConsumerError> {
        self.within_log(position).await?;
        let sql = "UPDATE consumers SET position = $1, delivered = $1, lease = '', expires_at = 0, \
                   acknowledged_at = $2 WHERE name = $3 AND ($4 = '' OR owner = $4)";
        let now = self.clock.now().micros();
        let params: [Value; 4] = [position.get().into(), now.into(), name.as_str().into(), word(owner)];
        let mut tx = self.begin().await?;
        let moved = tx.execute(sql, &params).await? == 1;
        let (consumer, _) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        if moved { Ok(consumer) } else { Err(ConsumerError::OfAnother) }
    }

    /// Takes the consumer for one reader, when nobody has it.
    ///
    /// # Errors
    /// [`ConsumerError::Leased`] while another reader has it.
    pub async fn take(&self, name: &Code, ttl: Duration) -> Result<(LeaseId, Consumer), ConsumerError> {
        let lease = LeaseId(Uuid::now_v7());
        let now = self.clock.now();
        let sql = "UPDATE consumers SET lease = $1, expires_at = $2, delivered = position \
                   WHERE name = $3 AND (expires_at <= $4 OR expires_at > $5)";
        let params: [Value; 5] = [
            lease.to_string().into(),
            (now + ttl).micros().into(),
            name.as_str().into(),
            now.micros().into(),
            (now + CREDIBLE).micros().into(),
        ];
        let mut tx = self.begin().await?;
        let taken = tx.execute(sql, &params).await? == 1;
        let (consumer, _) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        if taken {
            return Ok((lease, consumer));
        }
        // The clock may have come to the end of the other's lease by now; asking again takes it.
        Err(ConsumerError::Leased { until: consumer.leased_until.unwrap_or(now) })
    }

    /// Gives a lease back under which nothing was delivered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, name: &Code, lease: LeaseId) -> Result<(), ConsumerError> {
        let sql = "UPDATE consumers SET lease = '', expires_at = 0 WHERE name = $1 AND lease = $2";
        let mut tx = self.db.begin().await?;
        tx.execute(sql, &[name.as_str().into(), lease.to_string().into()]).await?;
        Ok(tx.commit().await?)
    }

    /// Renews the lease of a reader of which nothing is heard but that its connection is open: only when
    /// it took something or acknowledged lately, or owes nothing. Whether that was so.
    ///
    /// # Errors
    /// [`ConsumerError::LeaseLost`] when it is not the reader's any more.
    pub async fn keep(
        &self,
        name: &Code,
        lease: LeaseId,
        ttl: Duration,
        lately: Lately,
    ) -> Result<bool, ConsumerError> {
        let now = self.clock.now();
        let sql = format!(
            "UPDATE consumers SET expires_at = {LATER} WHERE name = $3 AND lease = $4 \
             AND (position >= delivered OR $5 = 1 OR acknowledged_at > $6)"
        );
        let within = i64::try_from(lately.within.as_micros()).unwrap_or(i64::MAX);
        let params: [Value; 6] = [
            (now + ttl).micros().into(),
            (now + CREDIBLE).micros().into(),
            name.as_str().into(),
            lease.to_string().into(),
            i64::from(lately.took).into(),
            now.micros().saturating_sub(within).into(),
        ];
        let mut tx = self.db.begin().await?;
        let kept = tx.execute(&sql, &params).await? == 1;
        let (_, holder) = self.load(&mut tx, name).await?;
        tx.commit().await?;
        if holder == lease.to_string() { Ok(kept) } else { Err(ConsumerError::LeaseLost) }
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
        let now = self.clock.now();
        let sql = format!(
            "UPDATE consumers SET expires_at = {LATER}, \
             delivered = CASE WHEN delivered < $5 THEN $5 ELSE delivered END WHERE name = $3 AND lease = $4"
        );
        let params: [Value; 5] = [
            (now + ttl).micros().into(),
            (now + CREDIBLE).micros().into(),
            name.as_str().into(),
            lease.to_string().into(),
            position.get().into(),
        ];
        let mut tx = self.db.begin().await?;
        let held = tx.execute(&sql, &params).await? == 1;
        tx.commit().await?;
        if held { Ok(()) } else { Err(ConsumerError::LeaseLost) }
    }

    /// Acknowledges everything up to `position`, and renews the lease or lets it go. A lease that ends
    /// later than it would be renewed to stays as it is.
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
        let end = now + keep.unwrap_or_default();
        let expires_at = if keep.is_some() { LATER } else { "0, lease = ''" };
        let sql = format!(
            "UPDATE consumers SET position = $5, acknowledged_at = $6, expires_at = {expires_at} \
             WHERE name = $3 AND lease = $4 AND position <= $5 AND delivered >= $5"
        );
        let params: [Value; 6] = [
            end.micros().into(),
            (now + CREDIBLE).micros().into(),
            name.as_str().into(),
            lease.to_string().into(),
            position.get().into(),
            now.micros().into(),
        ];
        let mut tx = self.begin().await?;
        let moved = tx.execute(&sql, &params).await? == 1;
        let (consumer, holder) = self.load(&mut tx, name).await?;
        fail::fail_point!("consumer.before-commit");
        tx.commit().await?;
        fail::fail_point!("consumer.after-commit");
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
        let (types, now): (String, _) = (row.get(2)?, self.clock.now());
        let expires_at: Instant = row.get(6)?;
        let consumer = Consumer {
            name: row.get(0)?,
            owner: row.get(1)?,
            types: normal([types.as_str()]),
            position: row.get(3)?,
            delivered: row.get(4)?,
            leased_until: (expires_at > now && expires_at <= now + CREDIBLE).then_some(expires_at),
            created_at: row.get(7)?,
            acknowledged_at: row.get(8)?,
        };
        Ok((consumer, row.get(5)?))
    }
}

/// The later of the end that a lease has, when it is credible, and the one that it would get.
const LATER: &str = "CASE WHEN expires_at > $1 AND expires_at <= $2 THEN expires_at ELSE $1 END";

/// An owner as a parameter; empty for whichever it is.
fn word(owner: Option<OperatorId>) -> Value {
    owner.map_or_else(String::new, |owner| owner.to_string()).into()
}
