//! A batch of appends as columns, the shape in which both SQL backends write it.

use std::collections::{HashMap, HashSet};

use domain::envelope::{Revision, StreamId};
use domain::ids::SubjectId;

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
    pub predecessors: Revisions<'a>,
    /// Streams that must not have gone on.
    pub decided_on: Revisions<'a>,
    /// Whether an append was decided on what another one of the batch changes.
    pub is_stale: bool,
    pub claim_scopes: Vec<&'a str>,
    pub claim_keys: Vec<&'a str>,
    pub claim_owners: Vec<&'a str>,
    pub claim_items: Vec<&'a str>,
    pub subjects: Vec<String>,
    pub wrapped: Vec<&'a [u8]>,
    pub master_versions: Vec<i64>,
    /// People whose data keys must be there, none of them new.
    pub seals_for: Vec<String>,
}

/// Revisions of streams: events that must be in the log already, so that no stream gets a hole; last
/// revisions of those that were only decided on.
#[derive(Default)]
pub(super) struct Revisions<'a> {
    pub aggregate_types: Vec<&'a str>,
    pub aggregate_ids: Vec<&'a str>,
    pub sequences: Vec<i64>,
}

impl<'a> Revisions<'a> {
    fn push(&mut self, stream: &'a StreamId, revision: Revision) {
        self.aggregate_types.push(stream.aggregate_type());
        self.aggregate_ids.push(stream.id());
        self.sequences.push(revision.get());
    }
}

impl<'a> Columns<'a> {
    /// Lays a batch out. The order of appends is the order of positions.
    pub fn of(batch: impl IntoIterator<Item = &'a Append>) -> Self {
        let mut columns = Self::default();
        // Where the batch leaves each of its streams, and where it found those that it looked at.
        let mut ends: HashMap<&StreamId, Revision> = HashMap::new();
        let mut seen: HashMap<&StreamId, Revision> = HashMap::new();
        let mut with_key: HashSet<SubjectId> = HashSet::new();
        for append in batch {
            for decided in &append.decided_on {
                if let Some(end) = ends.get(&decided.stream) {
                    columns.is_stale |= *end != decided.at;
                } else if let Some(before) = seen.insert(&decided.stream, decided.at) {
                    columns.is_stale |= before != decided.at;
                } else {
                    columns.decided_on.push(&decided.stream, decided.at);
                }
            }
            for entry in &append.streams {
                if entry.expected > Revision::ZERO && ends.get(&entry.stream) != Some(&entry.expected) {
                    columns.predecessors.push(&entry.stream, entry.expected);
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
                ends.insert(&entry.stream, revision);
            }
            with_key.extend(append.new_keys.iter().map(|key| key.subject));
            let others = append.seals_for.iter().filter(|subject| with_key.insert(**subject));
            columns.seals_for.extend(others.map(ToString::to_string));
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
