//! A batch of appends as columns, the shape in which both SQL backends write it.

use std::collections::HashSet;

use domain::envelope::{Revision, StreamId};

use super::append::Append;

/// Columns of one group commit. Positions are offsets from the head before the batch.
#[derive(Default)]
pub(super) struct Columns {
    pub aggregate_types: Vec<String>,
    pub aggregate_ids: Vec<String>,
    pub sequences: Vec<i64>,
    pub event_types: Vec<String>,
    pub event_versions: Vec<String>,
    pub payloads: Vec<String>,
    pub metadata: Vec<String>,
    pub command_ids: Vec<String>,
    pub fingerprints: Vec<Vec<u8>>,
    pub results: Vec<String>,
    /// For each command, how many events of the batch come up to its last one.
    pub offsets: Vec<i64>,
    pub predecessors: Predecessors,
    pub claim_scopes: Vec<String>,
    pub claim_keys: Vec<String>,
    pub claim_owners: Vec<String>,
    pub claim_items: Vec<String>,
    pub subjects: Vec<String>,
    pub wrapped: Vec<Vec<u8>>,
    pub master_versions: Vec<i64>,
}

/// Events that must be in the log already, so that no stream gets a hole.
#[derive(Default)]
pub(super) struct Predecessors {
    pub aggregate_types: Vec<String>,
    pub aggregate_ids: Vec<String>,
    pub sequences: Vec<i64>,
}

impl Columns {
    /// Lays a batch out. The order of appends is the order of positions.
    pub fn of<'a>(batch: impl IntoIterator<Item = &'a Append>) -> Self {
        let mut columns = Self::default();
        let mut ends: HashSet<(&StreamId, Revision)> = HashSet::new();
        for append in batch {
            for entry in &append.streams {
                if entry.expected > Revision::ZERO && !ends.contains(&(&entry.stream, entry.expected)) {
                    columns.predecessors.aggregate_types.push(entry.stream.aggregate_type().to_owned());
                    columns.predecessors.aggregate_ids.push(entry.stream.id().to_owned());
                    columns.predecessors.sequences.push(entry.expected.get());
                }
                let mut revision = entry.expected;
                for event in &entry.events {
                    revision = revision.next();
                    columns.aggregate_types.push(entry.stream.aggregate_type().to_owned());
                    columns.aggregate_ids.push(entry.stream.id().to_owned());
                    columns.sequences.push(revision.get());
                    columns.event_types.push(event.event_type.to_owned());
                    columns.event_versions.push(event.event_version.to_string());
                    columns.payloads.push(event.payload.clone());
                    columns.metadata.push(event.metadata.clone());
                }
                ends.insert((&entry.stream, revision));
            }
            columns.command(append);
        }
        columns
    }

    fn command(&mut self, append: &Append) {
        self.command_ids.push(append.command.id.to_string());
        self.fingerprints.push(append.command.fingerprint.to_vec());
        self.results.push(append.command.result.clone());
        self.offsets.push(self.event_count());
        for claim in &append.claims {
            self.claim_scopes.push(claim.key.scope.clone());
            self.claim_keys.push(claim.key.key.clone());
            self.claim_owners.push(claim.holder.owner.clone());
            self.claim_items.push(claim.holder.item.clone());
        }
        for key in &append.new_keys {
            self.subjects.push(key.subject.to_string());
            self.wrapped.push(key.wrapped.clone());
            self.master_versions.push(i64::from(key.master_version));
        }
    }

    /// How many events the batch has.
    pub fn event_count(&self) -> i64 {
        i64::try_from(self.sequences.len()).unwrap_or(i64::MAX)
    }
}
