//! Putting a copy in the place of the live tables, and the former one back.

use std::sync::Arc;
use std::time::Duration;

use super::guard::Guard;
use super::replay::{self, Replay};
use super::{ATTEMPTS, ddl};
use crate::runner::{
    Checkpoint, Inner, Lease, Model, RunError, checkpoint as checkpoints, parked as parking,
};
use crate::sql::{SqlError, Suffix, Tx};

/// How long a swap that was held off waits before it tries again.
const PAUSE: Duration = Duration::from_millis(500);

/// Swaps names. A long query on the live tables may hold the swap off for a while: queries behind it
/// would wait too, so the swap gives up soon and tries again. `ahead`: the lease by which nobody else
/// moves the live rows, when the copy may be further than they are.
pub(super) async fn swap(
    inner: &Inner,
    model: &Model,
    mut replay: Replay,
    ahead: Option<&Lease>,
) -> Result<(), RunError> {
    let mut attempt = 1;
    loop {
        let mark = replay.mark();
        match try_swap(inner, model, &mut replay, ahead).await {
            Ok(()) => break,
            Err(error) => must_wait(model, error, &mut attempt).await?,
        }
        replay.go_back(mark);
    }
    model.advance(replay.checkpoint.position);
    if !inner.db.is_postgres() {
        // SQLite keeps its statistics by name; they are small because of the limit.
        inner.db.run("PRAGMA analysis_limit = 1000; ANALYZE").await?;
    }
    Ok(())
}

/// Waits after a failure that may pass, unless it was tried often enough.
async fn must_wait(model: &Model, error: RunError, attempt: &mut usize) -> Result<(), RunError> {
    match error {
        RunError::Sql(SqlError::Unavailable(reason)) if *attempt < ATTEMPTS => {
            tracing::info!(model = model.name(), reason, attempt, "the swap must wait");
            *attempt += 1;
            tokio::time::sleep(PAUSE).await;
            Ok(())
        }
        error => Err(error),
    }
}

/// Swaps names in one short transaction.
async fn try_swap(
    inner: &Inner,
    model: &Model,
    replay: &mut Replay,
    ahead: Option<&Lease>,
) -> Result<(), RunError> {
    let name = model.name();
    let mut tx = inner.db.begin().await?;
    let Some(live) = checkpoints::lock(&mut tx, name).await? else {
        return Err(RunError::Unknown(name.to_owned()));
    };
    if let Some(own) = ahead {
        if live.epoch != own.epoch {
            return Err(RunError::Fenced);
        }
        let head = inner.feed.reader().head().await?.position;
        replay.finish_in(&mut tx, head).await?;
    } else {
        replay.finish_in(&mut tx, live.position).await?;
    }
    wait_briefly(&mut tx).await?;
    for table in model.projector.tables() {
        ddl::drop_copy(&mut tx, table, Suffix::Old).await?;
        ddl::grant_alike(&mut tx, table, Suffix::Live, Suffix::Next).await?;
        ddl::rename(&mut tx, table, Suffix::Live, Suffix::Old).await?;
        ddl::rename(&mut tx, table, Suffix::Next, Suffix::Live).await?;
    }
    let old_name = replay::copy_name(model, Suffix::Old);
    checkpoints::remove(&mut tx, &replay::copy_name(model, Suffix::Next)).await?;
    checkpoints::put(&mut tx, &old_name, &live).await?;
    checkpoints::put(&mut tx, name, &Checkpoint { epoch: live.epoch, ..replay.checkpoint }).await?;
    parking::hand_over(&mut tx, name, &old_name).await?;
    parking::park(&mut tx, &replay.parked).await?;
    fail::fail_point!("rebuild.in-swap");
    replay.guard.fence(&mut tx).await?;
    tx.commit().await?;
    fail::fail_point!("rebuild.after-swap");
    Ok(())
}

/// Goes back to the retired copy at the position where it was retired, with what it had parked.
pub(crate) async fn roll_back(inner: &Arc<Inner>, model: &Model) -> Result<(), RunError> {
    refuse_dependents(inner, model).await?;
    let guard = Guard::take(inner, model, "rebuild").await?;
    let mut attempt = 1;
    let result = loop {
        match try_roll_back(inner, model, &guard).await {
            Ok(at) => break Ok(at),
            Err(error) => match must_wait(model, error, &mut attempt).await {
                Ok(()) => {}
                Err(error) => break Err(error),
            },
        }
    };
    let released = guard.release().await;
    model.advance(result?.position);
    Ok(released?)
}

async fn try_roll_back(inner: &Inner, model: &Model, guard: &Guard) -> Result<Checkpoint, RunError> {
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
    wait_briefly(&mut tx).await?;
    for table in model.projector.tables() {
        ddl::drop_copy(&mut tx, table, Suffix::Next).await?;
        ddl::grant_alike(&mut tx, table, Suffix::Live, Suffix::Old).await?;
        ddl::rename(&mut tx, table, Suffix::Live, Suffix::Next).await?;
        ddl::rename(&mut tx, table, Suffix::Old, Suffix::Live).await?;
        ddl::rename(&mut tx, table, Suffix::Next, Suffix::Old).await?;
    }
    // A higher epoch makes the runner see that the rows moved under it.
    let fenced = Checkpoint { epoch: live.epoch + 1, generation: live.generation, ..old };
    checkpoints::put(&mut tx, name, &fenced).await?;
    checkpoints::put(&mut tx, &old_name, &live).await?;
    parking::exchange(&mut tx, name, &old_name).await?;
    tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE name = $1", &[name.into()]).await?;
    guard.fence(&mut tx).await?;
    tx.commit().await?;
    Ok(fenced)
}

/// Lets the transaction give up soon when somebody reads the tables: others queue behind it.
async fn wait_briefly(tx: &mut Tx) -> Result<(), SqlError> {
    if tx.is_postgres() { tx.run("SET LOCAL lock_timeout = '1s'").await } else { Ok(()) }
}

/// A view follows a table under its new name: after a swap it would go on showing the retired rows, and
/// would keep them from being dropped. Better to hear of it before the replay.
pub(super) async fn refuse_dependents(inner: &Inner, model: &Model) -> Result<(), RunError> {
    let views = ddl::dependents(&inner.db, model.projector.tables()).await?;
    if views.is_empty() {
        return Ok(());
    }
    Err(RunError::Dependents { model: model.name(), views: views.join(", ") })
}
