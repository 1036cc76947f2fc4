//! Leases: at most one process moves a read model at a time.
//!
//! Invariant: a lease alone is never trusted with rows. Its epoch is written into the checkpoint
//! when it is taken, and every batch commits under compare-and-set on that epoch; a process that
//! slept through its lease therefore fails to commit, whatever its clock says.
//!
//! Clocks jump: a lease that ends later than any holder would let it was taken by a clock that was
//! wrong. It counts as expired, or a clock that was an hour ahead once would keep everybody waiting
//! for an hour.

use std::time::Duration;

use domain::values::Instant;

use super::checkpoint;
use crate::sql::{Database, SqlError, Tx, Value};

/// How many times its length a lease may still last before its clock counts as wrong: clocks of two
/// machines differ a little.
const CREDIBLE: u32 = 3;

/// A lease that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub name: String,
    pub owner: String,
    pub epoch: i64,
    pub expires_at: Instant,
}

/// Takes a read model's lease when it is free, expired, or the owner's own already, and fences
/// whoever had it before; `None` when another holds it.
pub(crate) async fn acquire(
    db: &Database,
    name: &str,
    owner: &str,
    version: i64,
    now: Instant,
    ttl: Duration,
) -> Result<Option<Lease>, SqlError> {
    let mut tx = db.begin().await?;
    let Some(lease) = take(&mut tx, name, owner, now, ttl).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    checkpoint::ensure(&mut tx, name, version).await?;
    let fence = "UPDATE checkpoints SET epoch = $1 WHERE name = $2";
    tx.execute(fence, &[Value::Int(lease.epoch), name.into()]).await?;
    tx.commit().await?;
    Ok(Some(lease))
}

/// Takes a lease that guards no checkpoint.
pub(crate) async fn acquire_plain(
    db: &Database,
    name: &str,
    owner: &str,
    now: Instant,
    ttl: Duration,
) -> Result<Option<Lease>, SqlError> {
    let mut tx = db.begin().await?;
    let lease = take(&mut tx, name, owner, now, ttl).await?;
    tx.commit().await?;
    Ok(lease)
}

/// Takes a lease when it is free, expired, or the owner's own already, as a part of a transaction.
pub(crate) async fn take(
    tx: &mut Tx,
    name: &str,
    owner: &str,
    now: Instant,
    ttl: Duration,
) -> Result<Option<Lease>, SqlError> {
    let expires_at = now + ttl;
    let sql = "INSERT INTO leases (name, owner, epoch, expires_at) VALUES ($1, $2, 1, $3) \
               ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = leases.epoch + 1, \
               expires_at = excluded.expires_at WHERE leases.expires_at <= $4 OR leases.owner = $2 \
               OR leases.expires_at > $5";
    let params: [Value; 5] = [
        name.into(),
        owner.into(),
        expires_at.micros().into(),
        now.micros().into(),
        latest(now, ttl).micros().into(),
    ];
    if tx.execute(sql, &params).await? == 0 {
        return Ok(None);
    }
    let rows = tx.fetch("SELECT epoch FROM leases WHERE name = $1", &[name.into()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (name, owner) = (name.to_owned(), owner.to_owned());
    Ok(Some(Lease { name, owner, epoch: row.get(0)?, expires_at }))
}

/// The latest end that a lease has which was taken by a clock like ours.
fn latest(now: Instant, ttl: Duration) -> Instant {
    now + ttl * CREDIBLE
}

/// Whether a lease that ends then is good for another half of its time: not when it ends soon, and not
/// when the clock has gone back since it was taken.
pub(crate) fn is_fresh(expires_at: Instant, now: Instant, ttl: Duration) -> bool {
    now + ttl / 2 < expires_at && expires_at <= now + ttl
}

/// Holds on to the lease; false when another took it.
pub(crate) async fn renew(
    db: &Database,
    lease: &mut Lease,
    now: Instant,
    ttl: Duration,
) -> Result<bool, SqlError> {
    let mut tx = db.begin().await?;
    let held = renew_in(&mut tx, lease, now, ttl).await?;
    tx.commit().await?;
    lease.expires_at = now + ttl;
    Ok(held)
}

/// Holds on to the lease as a part of a transaction, and keeps everybody else from taking it until that
/// has ended; false when another took it. Comes last in a transaction: whoever asks for the lease waits.
pub(crate) async fn renew_in(
    tx: &mut Tx,
    lease: &Lease,
    now: Instant,
    ttl: Duration,
) -> Result<bool, SqlError> {
    let sql = "UPDATE leases SET expires_at = $1 WHERE name = $2 AND owner = $3 AND epoch = $4";
    let params: [Value; 4] = [
        (now + ttl).micros().into(),
        lease.name.as_str().into(),
        lease.owner.as_str().into(),
        lease.epoch.into(),
    ];
    Ok(tx.execute(sql, &params).await? == 1)
}

/// Whether the lease is this one still, whether or not it has expired.
pub(crate) async fn is_ours(db: &Database, lease: &Lease) -> Result<bool, SqlError> {
    let sql = "SELECT epoch FROM leases WHERE name = $1 AND owner = $2 AND epoch = $3";
    let params: [Value; 3] = [lease.name.as_str().into(), lease.owner.as_str().into(), lease.epoch.into()];
    Ok(!db.fetch(sql, &params).await?.is_empty())
}

/// Lets the lease go, so that the next process need not wait for it to expire.
pub(crate) async fn release(db: &Database, lease: &Lease) -> Result<(), SqlError> {
    let mut tx = db.begin().await?;
    release_in(&mut tx, lease).await?;
    tx.commit().await
}

/// Lets the lease go as a part of a transaction.
pub(crate) async fn release_in(tx: &mut Tx, lease: &Lease) -> Result<(), SqlError> {
    let sql = "UPDATE leases SET expires_at = 0 WHERE name = $1 AND owner = $2 AND epoch = $3";
    let params: [Value; 3] = [lease.name.as_str().into(), lease.owner.as_str().into(), lease.epoch.into()];
    tx.execute(sql, &params).await.map(drop)
}

/// Finds a lease that is held; its parameters are those of [`held`].
pub(crate) const HELD: &str =
    "SELECT epoch FROM leases WHERE name = $1 AND expires_at > $2 AND expires_at <= $3";

/// The parameters of [`HELD`].
pub(crate) fn held(name: &str, now: Instant, ttl: Duration) -> [Value; 3] {
    [name.into(), now.micros().into(), latest(now, ttl).micros().into()]
}
