//! Keeping erased people, and copies that nobody builds, out of the database.

use domain::envelope::Position;

use super::guard::lease_name;
use super::{ddl, replay};
use crate::runner::{
    Inner, Model, ParkedEvent, Projector, RunError, Work, apply, checkpoint as checkpoints, lease as leases,
    parked as parking,
};
use crate::sql::{Database, SqlError, Suffix, Tx, Value};

/// Copies under construction, and the kind of work that builds them.
const UNFINISHED: [(Suffix, &str); 2] = [(Suffix::Next, "rebuild"), (Suffix::Check, "verify")];

/// Drops what interrupted rebuilds and verifications of all read models left.
pub(crate) async fn sweep(inner: &Inner) -> Result<(), RunError> {
    let mut names = Vec::new();
    for model in &inner.models {
        for (suffix, _) in UNFINISHED {
            names.extend(model.projector.tables().iter().map(|table| table.named(suffix)));
        }
    }
    let found = ddl::existing(&inner.db, &names).await?;
    for model in &inner.models {
        let own = |table: &&crate::sql::TableDef| {
            UNFINISHED.iter().any(|(suffix, _)| found.contains(&table.named(*suffix)))
        };
        if model.projector.tables().iter().any(own) {
            drop_stale(inner, model).await?;
        }
    }
    Ok(())
}

/// Drops what an interrupted rebuild or verification left; it may hold an erased person's rows.
pub(crate) async fn drop_stale(inner: &Inner, model: &Model) -> Result<(), RunError> {
    for (suffix, kind) in UNFINISHED {
        let mut tx = inner.db.begin().await?;
        if !drop_unheld(&mut tx, inner, model, (suffix, kind)).await? {
            tx.rollback().await?;
            continue;
        }
        tx.commit().await?;
        if let Err(error) = inner.db.empty_journal().await {
            tracing::debug!(model = model.name(), %error, "the journal is emptied later");
        }
    }
    Ok(())
}

/// Drops a copy, when there is one and nobody builds it. The lease is taken for that, so that nobody
/// begins to build one meanwhile.
async fn drop_unheld(
    tx: &mut Tx,
    inner: &Inner,
    model: &Model,
    (suffix, kind): (Suffix, &str),
) -> Result<bool, SqlError> {
    if !any_exists(tx, model.projector.as_ref(), suffix).await? {
        return Ok(false);
    }
    let (name, now, ttl) = (lease_name(model, kind), inner.clock.now(), inner.config.lease);
    if !tx.fetch(leases::HELD, &leases::held(&name, now, ttl)).await?.is_empty() {
        return Ok(false);
    }
    let owner = uuid::Uuid::now_v7().to_string();
    let Some(lease) = leases::take(tx, &name, &owner, now, ttl).await? else { return Ok(false) };
    replay::drop_copies(tx, model, suffix).await?;
    leases::release_in(tx, &lease).await?;
    Ok(true)
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
    let old_name = replay::copy_name(model, Suffix::Old);
    if let Some(old) = checkpoints::get(tx, &old_name).await? {
        let people = Value::texts(erasing.iter().map(|item| &item.key));
        if old.version == projector.version() && projector.forget(tx, Suffix::Old, &people).await? {
            // It stands before the erasure still, and a rollback comes to it.
        } else if old.version == projector.version() {
            // Folding the erasure leaves the redacted rows that a rollback goes on from. Whoever waits
            // there for an earlier event goes altogether.
            let mut keys = parking::keys(tx, &old_name).await?;
            let now = inner.clock.now();
            let applied = apply(tx, projector, Suffix::Old, &erasing, &mut keys, now).await?;
            purge_parked(tx, projector, &[Suffix::Old], &erasing, &applied.parked).await?;
        } else {
            // Rows of another version's code cannot be folded: they go altogether.
            delete_people(tx, projector, Suffix::Old, &erasing).await?;
        }
    }
    for unfinished in UNFINISHED {
        drop_unheld(tx, inner, model, unfinished).await?;
    }
    Ok(())
}

/// Deletes the rows of people whose erasure had to be parked, for an earlier event of theirs waits.
/// Nobody's data outlives the key because a program cannot fold an event; a rebuild brings the
/// redacted rows.
pub(crate) async fn purge_parked(
    tx: &mut Tx,
    projector: &dyn Projector,
    suffixes: &[Suffix],
    work: &[Work<'_>],
    parked: &[ParkedEvent],
) -> Result<bool, SqlError> {
    let waits = |item: &&Work<'_>| parked.iter().any(|event| event.position == item.recorded.position);
    let erasing: Vec<Work<'_>> = work.iter().filter(|item| item.erases()).filter(waits).cloned().collect();
    if erasing.is_empty() || !projector.reads_personal() {
        return Ok(false);
    }
    for suffix in suffixes {
        delete_people(tx, projector, *suffix, &erasing).await?;
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
