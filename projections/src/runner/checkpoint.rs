//! How far each read model is. The row is also the lock under which a batch commits.

use domain::envelope::Position;
use domain::values::Instant;

use crate::sql::{Database, Row, SqlError, Tx, Value};

/// How far a read model is, and by whose leave it moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Position of the last event in it.
    pub position: Position,
    /// The fencing epoch: only the holder of the lease with this epoch may move it.
    pub epoch: i64,
    /// Version of the code that built the tables.
    pub version: i64,
    /// How many times the tables were swapped; makes names of indexes unique.
    pub generation: i64,
    /// When the last event in it was recorded.
    pub recorded_at: Instant,
}

const COLUMNS: &str = "position, epoch, version, generation, recorded_at";

fn read(row: &Row) -> Result<Checkpoint, SqlError> {
    Ok(Checkpoint {
        position: row.get(0)?,
        epoch: row.get(1)?,
        version: row.get(2)?,
        generation: row.get(3)?,
        recorded_at: row.get(4)?,
    })
}

/// Makes sure that there is a row, at the beginning of the log.
pub(crate) async fn ensure(tx: &mut Tx, name: &str, version: i64) -> Result<(), SqlError> {
    let sql = "INSERT INTO checkpoints (name, version, position, epoch, generation, recorded_at, updated_at) \
               VALUES ($1, $2, 0, 0, 0, 0, 0) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, &[name.into(), version.into()]).await.map(drop)
}

/// The row.
pub(crate) async fn get(tx: &mut Tx, name: &str) -> Result<Option<Checkpoint>, SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM checkpoints WHERE name = $1");
    tx.fetch(&sql, &[name.into()]).await?.first().map(read).transpose()
}

/// The row, locked to the end of the transaction. SQLite's write lock covers everything already.
pub(crate) async fn lock(tx: &mut Tx, name: &str) -> Result<Option<Checkpoint>, SqlError> {
    let lock = if tx.is_postgres() { " FOR UPDATE" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM checkpoints WHERE name = $1{lock}");
    tx.fetch(&sql, &[name.into()]).await?.first().map(read).transpose()
}

/// Moves on from `from`, when nobody else did and the lease still holds; false otherwise.
pub(crate) async fn advance(
    tx: &mut Tx,
    name: &str,
    from: &Checkpoint,
    to: (Position, Instant),
    now: Instant,
) -> Result<bool, SqlError> {
    let sql = "UPDATE checkpoints SET position = $1, recorded_at = $2, updated_at = $3 \
               WHERE name = $4 AND position = $5 AND epoch = $6";
    let params: [Value; 6] = [
        to.0.get().into(),
        to.1.micros().into(),
        now.micros().into(),
        name.into(),
        from.position.get().into(),
        from.epoch.into(),
    ];
    Ok(tx.execute(sql, &params).await? == 1)
}

/// Writes a row as it is; for copies of tables, which nobody else writes.
pub(crate) async fn put(tx: &mut Tx, name: &str, to: &Checkpoint) -> Result<(), SqlError> {
    let sql = "INSERT INTO checkpoints (name, version, position, epoch, generation, recorded_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, 0) ON CONFLICT (name) DO UPDATE SET \
               version = excluded.version, position = excluded.position, epoch = excluded.epoch, \
               generation = excluded.generation, recorded_at = excluded.recorded_at";
    let params: [Value; 6] = [
        name.into(),
        to.version.into(),
        to.position.get().into(),
        to.epoch.into(),
        to.generation.into(),
        to.recorded_at.micros().into(),
    ];
    tx.execute(sql, &params).await.map(drop)
}

/// Takes a row away.
pub(crate) async fn remove(tx: &mut Tx, name: &str) -> Result<(), SqlError> {
    tx.execute("DELETE FROM checkpoints WHERE name = $1", &[name.into()]).await.map(drop)
}

/// Where each of these read models is; one that never began is not in the answer.
pub(crate) async fn positions(db: &Database, names: &[&str]) -> Result<Vec<(String, Checkpoint)>, SqlError> {
    let sql = format!("SELECT {COLUMNS}, name FROM checkpoints WHERE name = ANY($1)");
    let rows = db.fetch(&sql, &[Value::texts(names)]).await?;
    rows.iter().map(|row| Ok((row.get(5)?, read(row)?))).collect()
}
