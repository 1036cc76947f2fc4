//! Rebuilding a read model beside the live one, comparing, swapping; and proving that it equals a
//! replay of the log from zero.
//!
//! Guarantees: queries read the old rows until the swap and the new rows from it on, with no time
//! between; the comparison looks at both copies in one snapshot at one position, by hashes of their
//! rows; several workers make the rows that one makes; an interrupted rebuild leaves nothing that is
//! used, and the next one starts clean; the retired copy stays for a rollback until the next rebuild,
//! and an erasure reaches it too.
//!
//! Deliberately absent: continuing an interrupted replay. A replay costs minutes; a half-built copy
//! of unknown code costs trust.
//!
//! Index names of SQLite get a generation (`_g1`, `_g2`, …), so a migration that changes a read
//! model's indexes must drop and create the whole table and raise the model's version.

mod apart;
mod compare;
mod ddl;
mod replay;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::envelope::Position;

use crate::runner::{
    Checkpoint, Inner, Lease, Model, ParkedEvent, Projector, RunError, Work, apply,
    checkpoint as checkpoints, lease as leases, parked as parking,
};
use crate::sql::{Database, SqlError, Suffix, Tx, Value};
use replay::Replay;

pub use compare::TableReport;

/// How often a comparison may miss the one position at which both copies stand.
const ATTEMPTS: usize = 20;
/// How long a swap that was held off waits before it tries again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
/// The copy catches up this often before the swap takes the last events under the lock.
const ROUNDS: usize = 3;

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last event that was folded.
    pub position: Position,
    /// Where the replay goes to.
    pub head: Position,
}

/// What a rebuild or a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The read model.
    pub model: &'static str,
    /// The position at which the copies were compared.
    pub position: Position,
    /// One entry a table.
    pub tables: Vec<TableReport>,
    /// Events that the replay could not fold.
    pub parked: usize,
    /// Whether the new copy serves now.
    pub swapped: bool,
}

impl Report {
    /// Whether the live rows were those of a replay from zero.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(TableReport::is_equal)
    }
}

/// Replays into a scratch copy, compares, drops the copy.
pub(crate) async fn verify(
    inner: &Arc<Inner>,
    model: &Arc<Model>,
    workers: usize,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Report, RunError> {
    let mut lease = take(inner, model, "verify").await?;
    let result = verify_under(inner, model, workers, &mut lease, progress).await;
    leases::release(&inner.db, &lease).await?;
    result
}

async fn verify_under(
    inner: &Arc<Inner>,
    model: &Arc<Model>,
    workers: usize,
    lease: &mut Lease,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Report, RunError> {
    let live = live(inner, model).await?;
    let mut replay = Replay::begin(inner, model, Suffix::Check, live.generation, workers).await?;
    replay.advance(live.position, &mut [lease], progress).await?;
    let compared = compare_at_rest(inner, model, &mut replay, Suffix::Check).await;
    let parked = replay.parked.len();
    replay.discard().await?;
    let (position, tables) = compared?;
    Ok(Report { model: model.name(), position, tables, parked, swapped: false })
}

/// Replays beside, compares, swaps.
pub(crate) async fn rebuild(
    inner: &Arc<Inner>,
    model: &Arc<Model>,
    workers: usize,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Report, RunError> {
    let mut lease = take(inner, model, "rebuild").await?;
    let result = async {
        let live = live(inner, model).await?;
        let mut replay = Replay::begin(inner, model, Suffix::Next, live.generation + 1, workers).await?;
        replay.advance(live.position, &mut [&mut lease], progress).await?;
        replay.index().await?;
        fail::fail_point!("rebuild.built");
        for _ in 0..ROUNDS {
            let target = self::live(inner, model).await?.position;
            replay.advance(target, &mut [&mut lease], progress).await?;
        }
        let (position, tables) = compare_at_rest(inner, model, &mut replay, Suffix::Next).await?;
        let parked = replay.parked.len();
        swap(inner, model, replay, false).await?;
        Ok(Report { model: model.name(), position, tables, parked, swapped: true })
    };
    let result = result.await;
    leases::release(&inner.db, &lease).await?;
    result
}

/// Rebuilds for a new version of the code while the rows of the old one serve. The caller holds
/// the model's own lease, so the old rows do not move.
pub(crate) async fn upgrade(inner: &Arc<Inner>, model: &Arc<Model>, own: &mut Lease) -> Result<(), RunError> {
    let mut lease = take(inner, model, "rebuild").await?;
    let result = async {
        let generation = live(inner, model).await?.generation + 1;
        let mut replay = Replay::begin(inner, model, Suffix::Next, generation, inner.config.workers).await?;
        let silent = |_: Progress| {};
        for round in 0..ROUNDS {
            let head = inner.feed.reader().head().await?.position;
            replay.advance(head, &mut [&mut lease, &mut *own], &silent).await?;
            if round == 0 {
                replay.index().await?;
            }
        }
        swap(inner, model, replay, true).await
    };
    let result = result.await;
    leases::release(&inner.db, &lease).await?;
    result
}

/// Brings the copy to the live position and compares both in one snapshot. The live model may move
/// between the two steps; then the snapshot shows two positions and the steps are repeated.
async fn compare_at_rest(
    inner: &Inner,
    model: &Model,
    replay: &mut Replay,
    suffix: Suffix,
) -> Result<(Position, Vec<TableReport>), RunError> {
    let copy = replay::copy_name(model, suffix);
    for _ in 0..ATTEMPTS {
        let mut tx = inner.db.begin().await?;
        let at = checkpoints::lock(&mut tx, model.name()).await?;
        let target = at.map_or(Position::ZERO, |checkpoint| checkpoint.position);
        replay.finish_in(&mut tx, target).await?;
        tx.commit().await?;

        let mut snapshot = inner.db.snapshot().await?;
        let live = checkpoints::get(&mut snapshot, model.name()).await?;
        let built = checkpoints::get(&mut snapshot, &copy).await?;
        if let (Some(live), Some(built)) = (live, built)
            && live.position == built.position
        {
            let mut tables = Vec::new();
            for table in model.projector.tables() {
                tables.push(compare::compare(&mut snapshot, table, suffix).await?);
            }
            snapshot.rollback().await?;
            return Ok((live.position, tables));
        }
        snapshot.rollback().await?;
    }
    Err(RunError::Sql(SqlError::Unavailable("the read model never stood still to be compared".to_owned())))
}

/// Swaps names. A long query on the live tables may hold the swap off for a while: queries behind it
/// would wait too, so the swap gives up soon and tries again.
async fn swap(inner: &Inner, model: &Model, mut replay: Replay, ahead: bool) -> Result<(), RunError> {
    let mut attempt = 1;
    loop {
        let mark = replay.mark();
        match try_swap(inner, model, &mut replay, ahead).await {
            Err(RunError::Sql(SqlError::Unavailable(reason))) if attempt < ATTEMPTS => {
                tracing::info!(model = model.name(), reason, attempt, "the swap must wait");
                replay.go_back(mark);
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    model.advance(replay.checkpoint.position);
    if !inner.db.is_postgres() {
        // SQLite keeps its statistics by name; they are small because of the limit.
        inner.db.run("PRAGMA analysis_limit = 1000; ANALYZE").await?;
    }
    Ok(())
}

/// Swaps names in one short transaction. `ahead`: the copy may be further than the live rows.
async fn try_swap(inner: &Inner, model: &Model, replay: &mut Replay, ahead: bool) -> Result<(), RunError> {
    let projector = model.projector.as_ref();
    let name = model.name();
    let mut tx = inner.db.begin().await?;
    let Some(live) = checkpoints::lock(&mut tx, name).await? else {
        return Err(RunError::Unknown(name.to_owned()));
    };
    if ahead {
        let head = inner.feed.reader().head().await?.position;
        replay.finish_in(&mut tx, head).await?;
    } else {
        replay.finish_in(&mut tx, live.position).await?;
    }
    if tx.is_postgres() {
        tx.run("SET LOCAL lock_timeout = '1s'").await?;
    }
    for table in projector.tables() {
        ddl::drop_copy(&mut tx, table, Suffix::Old).await?;
        ddl::rename(&mut tx, table, Suffix::Live, Suffix::Old).await?;
        ddl::rename(&mut tx, table, Suffix::Next, Suffix::Live).await?;
    }
    checkpoints::remove(&mut tx, &replay::copy_name(model, Suffix::Next)).await?;
    checkpoints::put(&mut tx, &replay::copy_name(model, Suffix::Old), &live).await?;
    checkpoints::put(&mut tx, name, &Checkpoint { epoch: live.epoch, ..replay.checkpoint }).await?;
    parking::unpark_all(&mut tx, name).await?;
    parking::park(&mut tx, &replay.parked).await?;
    fail::fail_point!("rebuild.in-swap");
    tx.commit().await?;
    fail::fail_point!("rebuild.after-swap");
    Ok(())
}

/// Goes back to the retired copy at the position where it was retired.
pub(crate) async fn roll_back(inner: &Inner, model: &Model) -> Result<(), RunError> {
    let name = model.name();
    let old_name = replay::copy_name(model, Suffix::Old);
    let mut tx = inner.db.begin().await?;
    let live = checkpoints::lock(&mut tx, name).await?;
    let old = checkpoints::get(&mut tx, &old_name).await?;
    let (Some(live), Some(old)) = (live, old) else {
        return Err(RunError::NoFormer(name.to_owned()));
    };
    if old.version != model.projector.version() {
        // This program cannot go on from rows of another version: the program must go back first.
        return Err(RunError::NoFormer(name.to_owned()));
    }
    for table in model.projector.tables() {
        ddl::drop_copy(&mut tx, table, Suffix::Next).await?;
        ddl::rename(&mut tx, table, Suffix::Live, Suffix::Next).await?;
        ddl::rename(&mut tx, table, Suffix::Old, Suffix::Live).await?;
        ddl::rename(&mut tx, table, Suffix::Next, Suffix::Old).await?;
    }
    // A higher epoch makes the runner see that the rows moved under it.
    let fenced = Checkpoint { epoch: live.epoch + 1, generation: live.generation, ..old };
    checkpoints::put(&mut tx, name, &fenced).await?;
    checkpoints::put(&mut tx, &old_name, &live).await?;
    tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE name = $1", &[name.into()]).await?;
    tx.commit().await?;
    model.advance(fenced.position);
    Ok(())
}

/// Drops what an interrupted rebuild or verification left; it may hold an erased person's rows.
pub(crate) async fn drop_stale(inner: &Inner, model: &Model) -> Result<(), RunError> {
    for (suffix, kind) in [(Suffix::Next, "rebuild"), (Suffix::Check, "verify")] {
        let (name, ttl) = (lease_name(model, kind), inner.config.lease);
        if leases::is_held(&inner.db, &name, inner.clock.now(), ttl).await? {
            continue;
        }
        let mut tx = inner.db.begin().await?;
        if any_exists(&mut tx, model.projector.as_ref(), suffix).await? {
            replay::drop_copies(&mut tx, model, suffix).await?;
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
    }
    Ok(())
}

/// Brings erasures to the retired copy, which no event reaches any more, and drops copies that
/// nobody is building. Copies under construction come to the erasure by themselves.
pub(crate) async fn purge_copies(
    tx: &mut Tx,
    inner: &Inner,
    model: &Model,
    work: &[Work<'_>],
    erased: &[Position],
) -> Result<(), SqlError> {
    if erased.is_empty() {
        return Ok(());
    }
    let projector = model.projector.as_ref();
    let erasing: Vec<Work<'_>> =
        work.iter().filter(|w| erased.contains(&w.recorded.position)).cloned().collect();
    if let Some(old) = checkpoints::get(tx, &replay::copy_name(model, Suffix::Old)).await? {
        let people = Value::texts(erasing.iter().map(|item| &item.key));
        if old.version == projector.version() && projector.forget(tx, Suffix::Old, &people).await? {
            // It stands before the erasure still, and a rollback comes to it.
        } else if old.version == projector.version() {
            // Folding the erasure leaves the redacted rows that a rollback goes on from.
            let mut none = BTreeSet::new();
            apply(tx, projector, Suffix::Old, &erasing, &mut none, inner.clock.now()).await?;
        } else {
            // Rows of another version's code cannot be folded: they go altogether.
            delete_people(tx, projector, Suffix::Old, &erasing).await?;
        }
    }
    for (suffix, kind) in [(Suffix::Next, "rebuild"), (Suffix::Check, "verify")] {
        let held = leases::held(&lease_name(model, kind), inner.clock.now(), inner.config.lease);
        if tx.fetch(leases::HELD, &held).await?.is_empty() {
            for table in projector.tables() {
                ddl::drop_copy(tx, table, suffix).await?;
            }
        }
    }
    Ok(())
}

/// Deletes the rows of people whose erasure had to be parked, for an earlier event of theirs waits.
/// Nobody's data outlives the key because a program cannot fold an event; a rebuild brings the
/// redacted rows.
pub(crate) async fn purge_parked(
    tx: &mut Tx,
    model: &Model,
    work: &[Work<'_>],
    parked: &[ParkedEvent],
) -> Result<bool, SqlError> {
    let projector = model.projector.as_ref();
    let waits = |item: &&Work<'_>| parked.iter().any(|event| event.position == item.recorded.position);
    let erasing: Vec<Work<'_>> = work.iter().filter(|item| item.erases()).filter(waits).cloned().collect();
    if erasing.is_empty() || !projector.reads_personal() {
        return Ok(false);
    }
    for suffix in [Suffix::Live, Suffix::Old] {
        delete_people(tx, projector, suffix, &erasing).await?;
    }
    Ok(true)
}

/// Deletes everything about the people whom these events erase.
async fn delete_people(
    tx: &mut Tx,
    projector: &dyn Projector,
    suffix: Suffix,
    erasing: &[Work<'_>],
) -> Result<(), SqlError> {
    let people = Value::texts(erasing.iter().map(|item| &item.key));
    for table in projector.tables().iter().filter(|table| table.group == "customer_id") {
        if ddl::exists(tx, table, suffix).await? {
            let sql = format!("DELETE FROM {} WHERE customer_id = ANY($1)", table.named(suffix));
            tx.execute(&sql, std::slice::from_ref(&people)).await?;
        }
    }
    Ok(())
}

/// Makes sure that deleted rows are gone from the files too: SQLite overwrites them in place
/// (`secure_delete`) but its write-ahead log keeps the pages as they were; PostgreSQL keeps dead rows
/// until they are vacuumed. Vacuumed, their bytes are free space of a page until the next row comes
/// there: only `VACUUM FULL`, which nobody can work beside, is more certain.
pub(crate) async fn scrub(db: &Database, projector: &dyn Projector) -> Result<(), SqlError> {
    if !db.is_postgres() {
        return db.empty_journal().await;
    }
    for table in projector.tables().iter().filter(|table| table.group == "customer_id") {
        db.run(&format!("VACUUM {}", table.name)).await?;
        let old = table.named(Suffix::Old);
        let sql = "SELECT 1::bigint WHERE to_regclass($1) IS NOT NULL";
        if !db.fetch(sql, &[old.as_str().into()]).await?.is_empty() {
            db.run(&format!("VACUUM {old}")).await?;
        }
    }
    Ok(())
}

async fn any_exists(tx: &mut Tx, projector: &dyn Projector, suffix: Suffix) -> Result<bool, SqlError> {
    for table in projector.tables() {
        if ddl::exists(tx, table, suffix).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lease_name(model: &Model, kind: &str) -> String {
    format!("{kind}:{}", model.name())
}

async fn take(inner: &Inner, model: &Model, kind: &str) -> Result<Lease, RunError> {
    let name = lease_name(model, kind);
    // An owner of its own: the same process must not run two of a kind at once either.
    let owner = uuid::Uuid::now_v7().to_string();
    let taken =
        leases::acquire_plain(&inner.db, &name, &owner, inner.clock.now(), inner.config.lease).await?;
    taken.ok_or(RunError::Held(name))
}

async fn live(inner: &Inner, model: &Model) -> Result<Checkpoint, RunError> {
    let stored = checkpoints::positions(&inner.db, &[model.name()]).await?;
    let none = Checkpoint {
        position: Position::ZERO,
        epoch: 0,
        version: model.projector.version(),
        generation: 0,
        recorded_at: domain::Instant::default(),
    };
    let Some((_, checkpoint)) = stored.into_iter().next() else {
        let mut tx = inner.db.begin().await?;
        checkpoints::ensure(&mut tx, model.name(), none.version).await?;
        tx.commit().await?;
        return Ok(none);
    };
    Ok(checkpoint)
}
