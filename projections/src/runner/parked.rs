//! Parked events: those that a read model could not fold, and their successors of the same key.
//!
//! Guarantees: other keys go on; nothing is skipped for good, for a retry folds a key's parked
//! events in order; the rows hold positions and the program's own words, never a payload.

use std::collections::BTreeSet;

use domain::envelope::Position;
use domain::values::Instant;

use crate::sql::{Database, Row, SqlError, Tx, Value};

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedEvent {
    /// The read model.
    pub projector: String,
    /// Its position in the log, which holds its payload.
    pub position: Position,
    /// The key that waits: a customer's id, a line's key.
    pub key: String,
    /// Why, in the program's words.
    pub reason: String,
    /// How often folding it was tried.
    pub attempts: i64,
    /// When it was parked first.
    pub parked_at: Instant,
}

const COLUMNS: &str = "projector, position, key, reason, attempts, parked_at";

fn read(row: &Row) -> Result<ParkedEvent, SqlError> {
    Ok(ParkedEvent {
        projector: row.get(0)?,
        position: row.get(1)?,
        key: row.get(2)?,
        reason: row.get(3)?,
        attempts: row.get(4)?,
        parked_at: row.get(5)?,
    })
}

/// The keys that wait.
pub(crate) async fn keys(tx: &mut Tx, projector: &str) -> Result<BTreeSet<String>, SqlError> {
    let sql = "SELECT DISTINCT key FROM parked_events WHERE projector = $1";
    tx.fetch(sql, &[projector.into()]).await?.iter().map(|row| row.get(0)).collect()
}

/// The events of one key that wait, in order.
pub(crate) async fn of_key(tx: &mut Tx, projector: &str, key: &str) -> Result<Vec<ParkedEvent>, SqlError> {
    let sql =
        format!("SELECT {COLUMNS} FROM parked_events WHERE projector = $1 AND key = $2 ORDER BY position");
    tx.fetch(&sql, &[projector.into(), key.into()]).await?.iter().map(read).collect()
}

/// Parks events.
pub(crate) async fn park(tx: &mut Tx, events: &[ParkedEvent]) -> Result<(), SqlError> {
    let sql = "INSERT INTO parked_events (projector, position, key, reason, attempts, parked_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (projector, position) DO UPDATE SET \
               reason = excluded.reason, attempts = excluded.attempts";
    for event in events {
        let params: [Value; 6] = [
            event.projector.as_str().into(),
            event.position.get().into(),
            event.key.as_str().into(),
            event.reason.as_str().into(),
            event.attempts.into(),
            event.parked_at.micros().into(),
        ];
        tx.execute(sql, &params).await?;
    }
    Ok(())
}

/// Takes the events of one key out.
pub(crate) async fn unpark(tx: &mut Tx, projector: &str, key: &str) -> Result<(), SqlError> {
    let sql = "DELETE FROM parked_events WHERE projector = $1 AND key = $2";
    tx.execute(sql, &[projector.into(), key.into()]).await.map(drop)
}

/// Takes every event of a read model out.
pub(crate) async fn unpark_all(tx: &mut Tx, projector: &str) -> Result<(), SqlError> {
    tx.execute("DELETE FROM parked_events WHERE projector = $1", &[projector.into()]).await.map(drop)
}

/// Gives a copy's parked events to another copy, whose own go.
pub(crate) async fn hand_over(tx: &mut Tx, from: &str, to: &str) -> Result<(), SqlError> {
    unpark_all(tx, to).await?;
    let sql = "UPDATE parked_events SET projector = $1 WHERE projector = $2";
    tx.execute(sql, &[to.into(), from.into()]).await.map(drop)
}

/// Exchanges the parked events of two copies.
pub(crate) async fn exchange(tx: &mut Tx, one: &str, other: &str) -> Result<(), SqlError> {
    let between = format!("{one}__between");
    hand_over(tx, one, &between).await?;
    hand_over(tx, other, one).await?;
    hand_over(tx, &between, other).await
}

/// Up to `limit` events that wait, of one read model or of all, in order. What the retired copies were
/// waiting for is not among those of all.
pub(crate) async fn list(
    db: &Database,
    projector: Option<&str>,
    limit: i64,
) -> Result<Vec<ParkedEvent>, SqlError> {
    let rows = match projector {
        Some(name) => {
            let sql = format!(
                "SELECT {COLUMNS} FROM parked_events WHERE projector = $1 ORDER BY position LIMIT $2"
            );
            db.fetch(&sql, &[name.into(), limit.into()]).await?
        }
        None => {
            let sql = format!(
                "SELECT {COLUMNS} FROM parked_events WHERE projector NOT LIKE '%!_!_old' ESCAPE '!' \
                 ORDER BY projector, position LIMIT $1"
            );
            db.fetch(&sql, &[limit.into()]).await?
        }
    };
    rows.iter().map(read).collect()
}
