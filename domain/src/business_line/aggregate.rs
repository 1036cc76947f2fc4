//! State of a business line and its decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::BusinessLineCommand as Command;
use super::error::BusinessLineError as Error;
use super::event::BusinessLineEvent as Event;
use super::field::{FieldDefinition, FieldKind};
use super::policy::{FirstResponsePolicy, LossPolicy, Policy, PolicyKind, PoolPolicy, ScorePolicy};
use super::spec::LineSpec;
use super::stage_graph::StageGraph;
use crate::aggregate::{Aggregate, delegate_to_cqrs_es};
use crate::values::{Country, Currency, FieldKey, Label, LineKey, TimeZone};

/// Longest half-life of a score: ten years, in hours.
const MAX_HALF_LIFE_HOURS: u32 = 24 * 3_653;

/// What never changes of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    key: LineKey,
    country: Country,
    time_zone: TimeZone,
    currency: Currency,
}

/// A field and whether it still takes values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Field {
    definition: FieldDefinition,
    retired: bool,
}

/// A business line as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessLine {
    identity: Option<Identity>,
    name: Option<Label>,
    graph: StageGraph,
    graph_version: u32,
    fields: BTreeMap<FieldKey, Field>,
    pool: (u32, PoolPolicy),
    first_response: (u32, FirstResponsePolicy),
    loss: (u32, LossPolicy),
    score: (u32, ScorePolicy),
    suspended: bool,
}

delegate_to_cqrs_es!(BusinessLine, "business_line", Command, Event, Error);

impl Aggregate for BusinessLine {
    type Id = LineKey;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        if let Command::Apply(spec) = command {
            return self.apply_spec(*spec);
        }
        if self.identity.is_none() {
            return Err(Error::NotDefined);
        }
        match command {
            Command::Apply(spec) => self.apply_spec(*spec),
            Command::Rename { name } => Ok(self.rename(name)),
            Command::PublishStageGraph { graph } => {
                let events = self.publish_graph(graph.clone())?;
                self.fields().try_for_each(|field| check_stages(field, &graph))?;
                Ok(events)
            }
            Command::DefineField { field } => self.define_field(field, &self.graph),
            Command::RetireField { key } => self.retire_field(key),
            Command::PublishPolicy { policy } => self.publish_policy(policy),
            Command::Suspend if self.suspended => Ok(vec![]),
            Command::Suspend => Ok(vec![Event::Suspended {}]),
            Command::Resume if self.suspended => Ok(vec![Event::Resumed {}]),
            Command::Resume => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event.clone() {
            Event::Defined { key, name, country, time_zone, currency } => {
                self.identity = Some(Identity { key, country, time_zone, currency });
                self.name = Some(name);
            }
            Event::Renamed { name } => self.name = Some(name),
            Event::StageGraphPublished { version, graph } => {
                self.graph = graph;
                self.graph_version = version;
            }
            Event::FieldDefined { field } => {
                self.fields.insert(field.key.clone(), Field { definition: field, retired: false });
            }
            Event::FieldRetired { key } => {
                if let Some(field) = self.fields.get_mut(&key) {
                    field.retired = true;
                }
            }
            Event::PolicyPublished { version, policy } => match policy {
                Policy::Pool(policy) => self.pool = (version, policy),
                Policy::FirstResponse(policy) => self.first_response = (version, policy),
                Policy::Loss(policy) => self.loss = (version, policy),
                Policy::Score(policy) => self.score = (version, policy),
            },
            Event::Suspended {} => self.suspended = true,
            Event::Resumed {} => self.suspended = false,
        }
    }
}

impl BusinessLine {
    /// Whether the line was defined.
    #[must_use]
    pub const fn is_defined(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether the line takes new clues.
    #[must_use]
    pub const fn takes_clues(&self) -> bool {
        self.identity.is_some() && !self.suspended
    }

    /// What people call it.
    #[must_use]
    pub const fn name(&self) -> Option<&Label> {
        self.name.as_ref()
    }

    /// Whose numbering plan reads phone numbers without a prefix.
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        self.identity.as_ref().map(|identity| identity.country)
    }

    /// The currency of its amounts.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        self.identity.as_ref().map(|identity| identity.currency)
    }

    /// The stage graph in force.
    #[must_use]
    pub const fn graph(&self) -> &StageGraph {
        &self.graph
    }

    /// The version of the stage graph in force; zero before the first.
    #[must_use]
    pub const fn graph_version(&self) -> u32 {
        self.graph_version
    }

    /// The definition of a field that takes values.
    #[must_use]
    pub fn field(&self, key: &FieldKey) -> Option<&FieldDefinition> {
        self.fields.get(key).filter(|field| !field.retired).map(|field| &field.definition)
    }

    /// The fields that take values.
    pub fn fields(&self) -> impl Iterator<Item = &FieldDefinition> {
        self.fields.values().filter(|field| !field.retired).map(|field| &field.definition)
    }

    /// The pool rules in force.
    #[must_use]
    pub const fn pool(&self) -> &PoolPolicy {
        &self.pool.1
    }

    /// What counts as a first response.
    #[must_use]
    pub const fn first_response(&self) -> &FirstResponsePolicy {
        &self.first_response.1
    }

    /// How a clue may be lost.
    #[must_use]
    pub const fn loss(&self) -> &LossPolicy {
        &self.loss.1
    }

    /// What makes a customer a likely buyer.
    #[must_use]
    pub const fn score(&self) -> &ScorePolicy {
        &self.score.1
    }

    /// The version in force of one kind of policy; zero before the first.
    #[must_use]
    pub const fn policy_version(&self, kind: PolicyKind) -> u32 {
        match kind {
            PolicyKind::Pool => self.pool.0,
            PolicyKind::FirstResponse => self.first_response.0,
            PolicyKind::Loss => self.loss.0,
            PolicyKind::Score => self.score.0,
        }
    }

    fn apply_spec(&self, spec: LineSpec) -> Result<Vec<Event>, Error> {
        let mut events = self.identify(&spec)?;
        events.extend(self.publish_graph(spec.graph.clone())?);
        let mut named = BTreeSet::new();
        for field in spec.fields {
            if !named.insert(field.key.clone()) {
                return Err(Error::PolicyTwice { what: "field", key: field.key.to_string() });
            }
            events.extend(self.define_field(field, &spec.graph)?);
        }
        for key in self.fields.keys().filter(|key| !named.contains(*key)) {
            events.extend(self.retire_field(key.clone())?);
        }
        let mut kinds = BTreeSet::new();
        for policy in spec.policies {
            if !kinds.insert(policy.kind()) {
                return Err(Error::PolicyTwice { what: "policy", key: policy.kind().as_str().to_owned() });
            }
            events.extend(self.publish_policy(policy)?);
        }
        Ok(events)
    }

    fn identify(&self, spec: &LineSpec) -> Result<Vec<Event>, Error> {
        let Some(identity) = &self.identity else {
            return Ok(vec![Event::Defined {
                key: spec.key.clone(),
                name: spec.name.clone(),
                country: spec.country,
                time_zone: spec.time_zone.clone(),
                currency: spec.currency,
            }]);
        };
        let unchanged = [
            ("key", identity.key == spec.key),
            ("country", identity.country == spec.country),
            ("time zone", identity.time_zone == spec.time_zone),
            ("currency", identity.currency == spec.currency),
        ];
        if let Some((what, _)) = unchanged.iter().find(|(_, same)| !same) {
            return Err(Error::Immutable { what });
        }
        Ok(self.rename(spec.name.clone()))
    }

    fn rename(&self, name: Label) -> Vec<Event> {
        if self.name.as_ref() == Some(&name) { vec![] } else { vec![Event::Renamed { name }] }
    }

    fn publish_graph(&self, graph: StageGraph) -> Result<Vec<Event>, Error> {
        graph.validate().map_err(|reason| Error::StageGraph { reason })?;
        if graph == self.graph {
            return Ok(vec![]);
        }
        Ok(vec![Event::StageGraphPublished { version: self.graph_version + 1, graph }])
    }

    fn define_field(&self, field: FieldDefinition, graph: &StageGraph) -> Result<Vec<Event>, Error> {
        let key = &field.key;
        if field.options.is_empty() == (field.kind == FieldKind::Choice) {
            return Err(Error::FieldOptions { field: key.clone() });
        }
        let mut options = BTreeSet::new();
        if let Some(twice) = field.options.iter().find(|option| !options.insert(&option.key)) {
            return Err(Error::FieldOptionTwice { field: key.clone(), option: twice.key.clone() });
        }
        let bounded = field.min.is_some() || field.max.is_some();
        let crossed = matches!((field.min, field.max), (Some(min), Some(max)) if min > max);
        if crossed || (bounded && field.kind != FieldKind::Number) {
            return Err(Error::FieldBounds { field: key.clone() });
        }
        check_stages(&field, graph)?;
        if let Some(Field { definition: old, retired }) = self.fields.get(key) {
            if old.kind != field.kind {
                return Err(Error::FieldKindChanged { field: key.clone() });
            }
            if let Some(gone) = old.options.iter().find(|option| !options.contains(&option.key)) {
                return Err(Error::FieldOptionRemoved { field: key.clone(), option: gone.key.clone() });
            }
            if *old == field && !retired {
                return Ok(vec![]);
            }
        }
        Ok(vec![Event::FieldDefined { field }])
    }

    fn retire_field(&self, key: FieldKey) -> Result<Vec<Event>, Error> {
        match self.fields.get(&key) {
            None => Err(Error::FieldUnknown { field: key }),
            Some(field) if field.retired => Ok(vec![]),
            Some(_) => Ok(vec![Event::FieldRetired { key }]),
        }
    }

    fn publish_policy(&self, policy: Policy) -> Result<Vec<Event>, Error> {
        validate_policy(&policy)?;
        let kind = policy.kind();
        let version = self.policy_version(kind);
        let unchanged = match &policy {
            Policy::Pool(policy) => self.pool.1 == *policy,
            Policy::FirstResponse(policy) => self.first_response.1 == *policy,
            Policy::Loss(policy) => self.loss.1 == *policy,
            Policy::Score(policy) => self.score.1 == *policy,
        };
        if unchanged && version > 0 {
            return Ok(vec![]);
        }
        Ok(vec![Event::PolicyPublished { version: version + 1, policy }])
    }
}

/// Every stage that requires the field is in the graph.
fn check_stages(field: &FieldDefinition, graph: &StageGraph) -> Result<(), Error> {
    match field.required_at.iter().find(|stage| graph.stage(stage).is_none()) {
        Some(stage) => Err(Error::FieldStageUnknown { field: field.key.clone(), stage: stage.clone() }),
        None => Ok(()),
    }
}

fn validate_policy(policy: &Policy) -> Result<(), Error> {
    match policy {
        Policy::Pool(_) => Ok(()),
        Policy::FirstResponse(policy) if policy.due_minutes == 0 => {
            Err(Error::PolicyOutOfRange { what: "a first response is due after 1 minute or later" })
        }
        Policy::FirstResponse(_) => Ok(()),
        Policy::Loss(policy) if policy.other_approver && !policy.review => {
            Err(Error::PolicyOutOfRange { what: "another approver needs a review" })
        }
        Policy::Loss(policy) => {
            let mut keys = BTreeSet::new();
            match policy.reasons.iter().find(|reason| !keys.insert(&reason.key)) {
                Some(twice) => Err(Error::PolicyTwice { what: "loss reason", key: twice.key.to_string() }),
                None => Ok(()),
            }
        }
        Policy::Score(policy) => {
            if !(1..=MAX_HALF_LIFE_HOURS).contains(&policy.half_life_hours) {
                return Err(Error::PolicyOutOfRange { what: "a half-life is 1 hour to 10 years" });
            }
            let mut signals = BTreeSet::new();
            match policy.weights.iter().find(|weight| !signals.insert(weight.signal)) {
                Some(twice) => {
                    Err(Error::PolicyTwice { what: "signal", key: twice.signal.as_str().to_owned() })
                }
                None => Ok(()),
            }
        }
    }
}
