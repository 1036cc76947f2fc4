//! A batch of appends as columns, the shape in which both SQL backends write it.

use std::collections::HashSet;

use domain::envelope::{Revision, StreamId};

use super::append::Append;

/// Columns of one group commit. Positions are offsets from the head before the batch.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub aggregate_types: Vec<&'a str>,
    pub aggregate_ids: Vec<&'a str>,
    pub sequences: Vec<i64>,
    pub event_types: Vec<&'a str>,
    pub event_versions: Vec<&'a str>,
    pub payloads: Vec<&'a str>,
    pub metadata: Vec<&'a str>,
    pub command_ids: Vec<String>,
    pub fingerprints: Vec<&'a [u8]>,
    pub results: Vec<&'a str>,
    /// For each command, how many events of the batch come up to its last one.
    pub offsets: Vec<i64>,
    pub predecessors: Predecessors<'a>,
    pub claim_scopes: Vec<&'a str>,
    pub claim_keys: Vec<&'a str>,
    pub claim_owners: Vec<&'a str>,
    pub claim_items: Vec<&'a str>,
    pub subjects: Vec<String>,
    pub wrapped: Vec<&'a [u8]>,
    pub master_versions: Vec<i64>,
}

/// Events that must be in the log already, so that no stream gets a hole.
#[derive(Default)]
pub(super) struct Predecessors<'a> {
    pub aggregate_types: Vec<&'a str>,
    pub aggregate_ids: Vec<&'a str>,
    pub sequences: Vec<i64>,
}

impl<'a> Columns<'a> {
    /// Lays a batch out. The order of appends is the order of positions.
    pub fn of(batch: impl IntoIterator<Item = &'a Append>) -> Self {
        let mut columns = Self::default();
        let mut ends: HashSet<(&StreamId, Revision)> = HashSet::new();
        for append in batch {
            for entry in &append.streams {
                if entry.expected > Revision::ZERO && !ends.contains(&(&entry.stream, entry.expected)) {
                    columns.predecessors.aggregate_types.push(entry.stream.aggregate_type());
                    columns.predecessors.aggregate_ids.push(entry.stream.id());
                    columns.predecessors.sequences.push(entry.expected.get());
                }
                let mut revision = entry.expected;
                for event in &entry.events {
                    revision = revision.next();
                    columns.aggregate_types.push(entry.stream.aggregate_type());
                    columns.aggregate_ids.push(entry.stream.id());
                    columns.sequences.push(revision.get());
                    columns.event_types.push(event.event_type);
                    columns.event_versions.push(&event.event_version);
                    columns.payloads.push(&event.payload);
                    columns.metadata.push(&event.metadata);
                }
                ends.insert((&entry.stream, revision));
            }
            columns.command(append);
        }
        columns
    }

    fn command(&mut self, append: &'a Append) {
        self.command_ids.push(append.command.id.to_string());
        self.fingerprints.push(&append.command.fingerprint);
        self.results.push(&append.command.result);
        self.offsets.push(self.event_count());
        for claim in &append.claims {
            self.claim_scopes.push(&claim.key.scope);
            self.claim_keys.push(&claim.key.key);
            self.claim_owners.push(&claim.holder.owner);
            self.claim_items.push(&claim.holder.item);
        }
        for key in &append.new_keys {
            self.subjects.push(key.subject.to_string());
            self.wrapped.push(&key.wrapped);
            self.master_versions.push(i64::from(key.master_version));
        }
    }

    /// How many events the batch has.
    pub fn event_count(&self) -> i64 {
        i64::try_from(self.sequences.len()).unwrap_or(i64::MAX)
    }
}
