//! Is the replica what the stream says? Looked at shortly when the log opens, and wholly by `verify`.

use domain::Position;
use domain::ports::ReadError;
use domain::proof::StoredEvent;

use super::super::verify::LogFault;
use super::entry::Entry;
use super::replica::Replica;
use super::source::Source;
use super::unavailable;

/// Why a replica at `tip` is no prefix of a stream that ends at `end`, as far as the ends show.
pub(super) async fn no_prefix<R: Replica>(
    replica: &mut R,
    source: &mut Source,
    tip: Position,
    end: Position,
) -> Result<Option<String>, ReadError> {
    if tip > end {
        return Ok(Some(format!("it is at position {tip}, the stream ends at {end}")));
    }
    if tip == Position::ZERO {
        return Ok(None);
    }
    let before = Position::new(tip.get() - 1);
    let here = replica.rows(before, 1).await.map_err(unavailable)?;
    let there = source.read(before).await?;
    let reason = ends_differ(here.first(), there.first());
    Ok(reason.map(|reason| format!("at position {tip}, {reason}")))
}

/// What is wrong with the last event of a replica.
pub(super) fn ends_differ(here: Option<&StoredEvent>, there: Option<&Entry>) -> Option<String> {
    match (here, there) {
        (Some(here), Some(there)) => differs(here, &there.row),
        (None, _) => Some("its last event is missing".to_owned()),
        (_, None) => Some("the stream does not have its last event".to_owned()),
    }
}

/// The first difference between a replica and the stream up to `until`.
pub(super) async fn difference<R: Replica>(
    mut replica: R,
    mut source: Source,
    until: Position,
    progress: &mut (dyn FnMut(Position, Position) + Send),
) -> Result<Option<LogFault>, ReadError> {
    let mut after = Position::ZERO;
    while after < until {
        let there = match source.read(after).await {
            Ok(there) => there,
            Err(unavailable @ ReadError::Unavailable(_)) => return Err(unavailable),
            Err(fault) => {
                let reason = format!("the stream in EventStoreDB: {fault}");
                return Ok(Some(LogFault::Replica { position: after.next(), reason }));
            }
        };
        let here = replica.rows(after, there.len().max(1)).await.map_err(unavailable)?;
        let mut rows = here.iter();
        for entry in there {
            let (position, row) = (entry.row.position, rows.next());
            if position > until {
                return Ok(None);
            }
            let reason = match row {
                Some(row) => differs(row, &entry.row),
                None => Some("it is in EventStoreDB alone".to_owned()),
            };
            if let Some(reason) = reason {
                return Ok(Some(LogFault::Replica { position, reason }));
            }
            after = position;
        }
        if here.is_empty() || rows.next().is_some() {
            let reason = "EventStoreDB does not have it".to_owned();
            return Ok(Some(LogFault::Replica { position: after.next(), reason }));
        }
        progress(after, until);
    }
    Ok(None)
}

/// What differs, by name: the values may say something about a person.
fn differs(here: &StoredEvent, there: &StoredEvent) -> Option<String> {
    let pairs = [
        ("position", here.position == there.position),
        (
            "stream",
            (&here.aggregate_type, &here.aggregate_id) == (&there.aggregate_type, &there.aggregate_id),
        ),
        ("revision", here.sequence == there.sequence),
        ("type", (&here.event_type, &here.event_version) == (&there.event_type, &there.event_version)),
        ("recorded time", here.recorded_at == there.recorded_at),
        ("payload", here.payload == there.payload),
        ("metadata", here.metadata == there.metadata),
    ];
    let different: Vec<&str> = pairs.iter().filter(|(_, equal)| !equal).map(|(name, _)| *name).collect();
    (!different.is_empty()).then(|| format!("its {} differs from EventStoreDB's", different.join(", ")))
}
