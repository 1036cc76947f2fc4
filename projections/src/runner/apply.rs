//! Folding a chunk of events into one copy of a read model, inside the caller's transaction.

use std::collections::{BTreeMap, BTreeSet};

use domain::Event;
use domain::customer::CustomerEvent;
use domain::envelope::{Position, RecordedEvent};
use domain::values::Instant;

use super::feed::{Chunk, Decoded};
use super::parked::ParkedEvent;
use super::projector::{Folding, Projector};
use crate::changes::ChangedClue;
use crate::sql::{SqlError, Suffix, Tx};

/// An event that concerns a read model.
#[derive(Clone)]
pub(crate) struct Work<'a> {
    pub recorded: &'a RecordedEvent,
    pub decoded: &'a Decoded,
    pub key: String,
}

/// What a chunk came to.
#[derive(Default)]
pub(crate) struct Applied {
    pub changes: Vec<ChangedClue>,
    pub parked: Vec<ParkedEvent>,
    /// Events that erased somebody: they must reach retired copies too.
    pub erased: Vec<Position>,
}

/// The events at these places of a chunk that concern the read model, up to one that a newer program
/// wrote.
pub(crate) fn work<'a>(
    projector: &dyn Projector,
    chunk: &'a Chunk,
    indices: impl IntoIterator<Item = usize>,
) -> Vec<Work<'a>> {
    let clear = projector.reads_personal();
    indices
        .into_iter()
        .filter_map(|index| {
            let recorded = chunk.events.get(index)?;
            let key = projector.key(recorded)?;
            Some(Work { recorded, decoded: chunk.decoded(index, clear)?, key })
        })
        .collect()
}

/// How many events of the chunk come before the first that a newer program wrote, with its error.
pub(crate) fn readable(
    projector: &dyn Projector,
    chunk: &Chunk,
) -> (usize, Option<domain::codec::DecodeError>) {
    let clear = projector.reads_personal();
    for index in 0..chunk.events.len() {
        if let Some(Decoded::Newer(error)) = chunk.decoded(index, clear) {
            return (index, Some(error.clone()));
        }
    }
    (chunk.events.len(), None)
}

/// Folds events and writes the rows. Events of parked keys, poison events and what follows them
/// come back as parked; the caller stores that in the same transaction.
pub(crate) async fn apply(
    tx: &mut Tx,
    projector: &dyn Projector,
    suffix: Suffix,
    work: &[Work<'_>],
    parked_keys: &mut BTreeSet<String>,
    now: Instant,
) -> Result<Applied, SqlError> {
    let mut applied = Applied::default();
    let mut rest = work;
    while !rest.is_empty() {
        let alone = |item: &Work<'_>| matches!(item.decoded, Decoded::Event(event) if projector.alone(event));
        let batched = rest.iter().position(alone).unwrap_or(rest.len());
        let (batch, behind) = rest.split_at(batched);
        apply_batch(tx, projector, suffix, batch, parked_keys, now, &mut applied).await?;
        rest = behind;
        if let Some((item, behind)) = rest.split_first() {
            if let (Decoded::Event(event), false) = (item.decoded, parked_keys.contains(&item.key)) {
                projector.apply_alone(tx, suffix, &Folding { recorded: item.recorded, event }).await?;
            } else {
                applied.parked.push(park(projector, item, "an earlier event of its key waits", now));
            }
            rest = behind;
        }
    }
    Ok(applied)
}

async fn apply_batch(
    tx: &mut Tx,
    projector: &dyn Projector,
    suffix: Suffix,
    work: &[Work<'_>],
    parked_keys: &mut BTreeSet<String>,
    now: Instant,
    applied: &mut Applied,
) -> Result<(), SqlError> {
    let mut poison: BTreeMap<&str, (Position, &'static str)> = BTreeMap::new();
    for item in work {
        if let Decoded::Malformed(reason) = item.decoded {
            poison.entry(&item.key).or_insert((item.recorded.position, reason));
        }
    }
    loop {
        let accepted = |item: &&Work<'_>| {
            !parked_keys.contains(&item.key)
                && poison.get(item.key.as_str()).is_none_or(|(from, _)| item.recorded.position < *from)
        };
        let mut batch = projector.batch();
        for item in work.iter().filter(accepted) {
            if let Decoded::Event(event) = item.decoded {
                batch.want(&Folding { recorded: item.recorded, event });
            }
        }
        for table in batch.tables() {
            table.load(tx, suffix).await?;
        }
        let failed = work.iter().filter(accepted).find_map(|item| {
            let Decoded::Event(event) = item.decoded else { return None };
            let folded = batch.fold(&Folding { recorded: item.recorded, event });
            folded.err().map(|poison| (item, poison.0))
        });
        let Some((item, reason)) = failed else {
            for table in batch.tables() {
                table.flush(tx, suffix).await?;
            }
            applied.changes.extend(batch.changes());
            applied.erased.extend(
                work.iter().filter(accepted).filter(|item| item.erases()).map(|item| item.recorded.position),
            );
            break;
        };
        // The batch holds half of an event now: fold again without the poison and its successors.
        poison.insert(&item.key, (item.recorded.position, reason));
    }
    for item in work {
        if parked_keys.contains(&item.key) {
            applied.parked.push(park(projector, item, "an earlier event of its key waits", now));
        } else if let Some((from, reason)) = poison.get(item.key.as_str())
            && item.recorded.position >= *from
        {
            let first = item.recorded.position == *from;
            let reason = if first { reason } else { "an earlier event of its key waits" };
            applied.parked.push(park(projector, item, reason, now));
        }
    }
    parked_keys.extend(poison.into_keys().map(str::to_owned));
    Ok(())
}

impl Work<'_> {
    /// Whether the event erases somebody.
    pub fn erases(&self) -> bool {
        matches!(self.decoded, Decoded::Event(Event::Customer(CustomerEvent::Erased { .. })))
    }
}

fn park(projector: &dyn Projector, item: &Work<'_>, reason: &str, now: Instant) -> ParkedEvent {
    ParkedEvent {
        projector: projector.name().to_owned(),
        position: item.recorded.position,
        key: item.key.clone(),
        reason: reason.to_owned(),
        attempts: 1,
        parked_at: now,
    }
}

/// Parks what the database refuses.
pub(crate) fn park_refused(
    projector: &dyn Projector,
    work: &[Work<'_>],
    code: &str,
    now: Instant,
) -> Vec<ParkedEvent> {
    let reason = format!("the database refuses it ({code})");
    work.iter().map(|item| park(projector, item, &reason, now)).collect()
}
