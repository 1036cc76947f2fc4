//! Which part of a file a refusal of the domain is about.

use std::collections::BTreeMap;

use domain::business_line::{
    BusinessLineError as Refusal, FieldDefinition, FirstResponsePolicy, LineSpec, LossPolicy, Policy,
    StageCategory, StageGraph, StageGraphError,
};
use domain::values::{FieldKey, OptionKey, StageKey};

use super::Place;

/// The places of a stage.
#[derive(Clone, Debug)]
pub(super) struct StagePlaces {
    pub(super) key: Place,
    pub(super) category: Place,
}

/// The places of a field.
#[derive(Clone, Debug)]
pub(super) struct FieldPlaces {
    pub(super) key: Place,
    pub(super) kind: Place,
    pub(super) bounds: Option<Place>,
    pub(super) all_options: Option<Place>,
    pub(super) options: Vec<Place>,
    pub(super) required_at: Vec<Place>,
}

/// The places of a file's parts. Each list runs along the list of the same name in the description.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) identity: BTreeMap<&'static str, Place>,
    pub(super) all_stages: Option<Place>,
    pub(super) stages: Vec<StagePlaces>,
    pub(super) moves: Vec<Place>,
    pub(super) fields: Vec<FieldPlaces>,
    pub(super) due: Option<Place>,
    pub(super) other_approver: Option<Place>,
    pub(super) half_life: Option<Place>,
    pub(super) reasons: Vec<Place>,
}

impl FieldPlaces {
    pub(super) const fn new(key: Place, kind: Place) -> Self {
        Self { key, kind, bounds: None, all_options: None, options: Vec::new(), required_at: Vec::new() }
    }
}

impl Places {
    /// The part of the file that the refusal is about.
    pub(super) fn of(&self, refusal: &Refusal, spec: &LineSpec) -> Option<Place> {
        match refusal {
            Refusal::NotDefined | Refusal::FieldUnknown { .. } => None,
            Refusal::Immutable { what } => self.identity.get(what.replace(' ', "_").as_str()).copied(),
            Refusal::StageGraph { reason } => self.of_graph(reason, &spec.graph),
            Refusal::FieldKindChanged { field } => self.field(spec, field).map(|(at, _)| at.kind),
            Refusal::FieldOptions { field } | Refusal::FieldOptionRemoved { field, .. } => {
                self.field(spec, field).map(|(at, _)| at.all_options.unwrap_or(at.kind))
            }
            Refusal::FieldOptionTwice { field, option } => self.option_twice(spec, field, option),
            Refusal::FieldBounds { field } => {
                self.field(spec, field).map(|(at, _)| at.bounds.unwrap_or(at.kind))
            }
            Refusal::FieldStageUnknown { field, stage } => self.required_stage(spec, field, stage),
            Refusal::PolicyOutOfRange { .. } => self.out_of_range(spec),
            Refusal::PolicyTwice { what, key } => self.twice(spec, what, key),
        }
    }

    fn of_graph(&self, reason: &StageGraphError, graph: &StageGraph) -> Option<Place> {
        let last_stage = |fits: &dyn Fn(&StageKey, StageCategory) -> bool| {
            let at = graph.stages.iter().rposition(|stage| fits(&stage.key, stage.category))?;
            self.stages.get(at)
        };
        let last_move = |fits: &dyn Fn(&StageKey, &StageKey) -> bool| {
            let at = graph.moves.iter().rposition(|step| fits(&step.from, &step.to))?;
            self.moves.get(at).copied()
        };
        match reason {
            StageGraphError::FirstNotOpen => self.stages.first().map(|stage| stage.category),
            StageGraphError::StageTwice(key) => last_stage(&|other, _| other == key).map(|stage| stage.key),
            StageGraphError::Unreachable(key) => last_stage(&|other, _| other == key).map(|stage| stage.key),
            StageGraphError::ExactlyOne(name) => {
                last_stage(&|_, category| category.as_str() == *name).map(|stage| stage.category)
            }
            StageGraphError::UnknownStage(key) => first_move(self, graph, key),
            StageGraphError::MoveToOutcome(key) => first_move(self, graph, key),
            StageGraphError::MoveTwice { from, to } => last_move(&|a, b| a == from && b == to),
        }
        .or(self.all_stages)
    }

    fn field<'a>(
        &'a self,
        spec: &'a LineSpec,
        key: &FieldKey,
    ) -> Option<(&'a FieldPlaces, &'a FieldDefinition)> {
        self.fields.iter().zip(&spec.fields).find(|(_, field)| field.key == *key)
    }

    fn option_twice(&self, spec: &LineSpec, field: &FieldKey, option: &OptionKey) -> Option<Place> {
        let (at, field) = self.field(spec, field)?;
        let twice = field.options.iter().rposition(|other| other.key == *option)?;
        at.options.get(twice).copied()
    }

    fn required_stage(&self, spec: &LineSpec, field: &FieldKey, stage: &StageKey) -> Option<Place> {
        let (at, field) = self.field(spec, field)?;
        let required = field.required_at.iter().position(|other| other == stage)?;
        at.required_at.get(required).copied()
    }

    /// The value that its rule forbids; each kind of policy has one such rule.
    fn out_of_range(&self, spec: &LineSpec) -> Option<Place> {
        spec.policies.iter().find_map(|policy| match policy {
            Policy::FirstResponse(FirstResponsePolicy { due_minutes: 0, .. }) => self.due,
            Policy::Loss(LossPolicy { review: false, other_approver: true, .. }) => self.other_approver,
            Policy::Score(_) => self.half_life,
            _ => None,
        })
    }

    /// The second of two things with one name. TOML itself forbids the other kinds of repetition.
    fn twice(&self, spec: &LineSpec, what: &str, key: &str) -> Option<Place> {
        match what {
            "field" => {
                let twice = spec.fields.iter().rposition(|field| field.key.as_str() == key)?;
                self.fields.get(twice).map(|field| field.key)
            }
            "loss reason" => spec.policies.iter().find_map(|policy| {
                let Policy::Loss(loss) = policy else { return None };
                let twice = loss.reasons.iter().rposition(|reason| reason.key.as_str() == key)?;
                self.reasons.get(twice).copied()
            }),
            _ => None,
        }
    }
}

/// The first move to or from a stage.
fn first_move(places: &Places, graph: &StageGraph, key: &StageKey) -> Option<Place> {
    let at = graph.moves.iter().position(|step| step.to == *key || step.from == *key)?;
    places.moves.get(at).copied()
}
