//! What a clue comes in with.

use std::collections::BTreeMap;

use super::error::ClueError as Error;
use super::event::{ClueEvent as Event, Source};
use super::need::Need;
use crate::business_line::{BusinessLine, FieldValue};
use crate::ids::CustomerId;
use crate::values::{FieldKey, Instant, LineKey};

/// The events of a new clue.
pub(super) fn captured(
    customer_id: CustomerId,
    line_key: LineKey,
    line: &BusinessLine,
    source: Source,
    need: Option<Need>,
    fields: BTreeMap<FieldKey, FieldValue>,
    at: Instant,
) -> Result<Vec<Event>, Error> {
    let stage = line.graph().initial().ok_or(Error::LineClosed)?.key.clone();
    let graph_version = line.graph_version();
    let mut events = vec![Event::Captured { customer_id, line: line_key, source, stage, graph_version, at }];
    if let Some(need) = need {
        need.validate().map_err(|reason| Error::Need { reason })?;
        events.push(Event::NeedUpdated { need });
    }
    for (key, value) in &fields {
        check_field(key, Some(value), line)?;
    }
    if !fields.is_empty() {
        let values = fields.into_iter().map(|(key, value)| (key, Some(value))).collect();
        events.push(Event::FieldsSet { values });
    }
    Ok(events)
}

/// The line describes the field, and the field takes the value.
pub(super) fn check_field(
    key: &FieldKey,
    value: Option<&FieldValue>,
    line: &BusinessLine,
) -> Result<(), Error> {
    let field = line.field(key).ok_or_else(|| Error::FieldUnknown { field: key.clone() })?;
    value.map_or(Ok(()), |value| {
        field.check(value).map_err(|reason| Error::FieldValue { field: key.clone(), reason })
    })
}
