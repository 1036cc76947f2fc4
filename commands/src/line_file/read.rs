//! From tables to the description of a business line, with the place of every part.

use std::fmt::Display;
use std::str::FromStr;

use domain::business_line::{
    FieldDefinition, FieldKind, FieldOption, FirstResponsePolicy, LineSpec, LossPolicy, LossReason, Move,
    Policy, PolicyKind, PoolPolicy, ScorePolicy, Signal, SignalWeight, Stage, StageCategory, StageGraph,
};
use domain::values::Label;

use super::places::{FieldPlaces, Places, StagePlaces};
use super::reader::{Item, Section, document};
use super::{LineFile, LineFileError};

const LINE: [&str; 8] = ["key", "name", "country", "time_zone", "currency", "stages", "fields", "policy"];
const STAGE: [&str; 4] = ["key", "label", "category", "next"];
const FIELD: [&str; 7] = ["key", "label", "kind", "options", "min", "max", "required_at"];
const OPTION: [&str; 3] = ["key", "label", "retired"];
const POLICIES: [PolicyKind; 4] =
    [PolicyKind::Pool, PolicyKind::FirstResponse, PolicyKind::Loss, PolicyKind::Score];
const MINUTES: &str = "a whole number of minutes, 0 or more";

/// Reads what the file says, before the domain judges it.
pub(super) fn read(text: &str) -> Result<LineFile, LineFileError> {
    let document = document(text)?;
    let line = Section::whole(text, &document, &LINE)?;
    let mut places = Places::default();
    for key in ["key", "name", "country", "time_zone", "currency"] {
        places.identity.insert(key, line.required(key)?.place());
    }
    let key = line.required("key")?.read()?;
    let name = line.required("name")?.read()?;
    let country = line.required("country")?.read()?;
    let time_zone = line.required("time_zone")?.read()?;
    let currency = line.required("currency")?.read()?;
    let graph = stages(line.required("stages")?, &mut places)?;
    let fields = line.list("fields")?.into_iter().map(|item| field(item, &mut places));
    let fields = fields.collect::<Result<_, _>>()?;
    let policies = policies(&line, &mut places)?;
    let spec = LineSpec { key, name, country, time_zone, currency, graph, fields, policies };
    Ok(LineFile { spec, places })
}

fn stages(stages: Item<'_>, places: &mut Places) -> Result<StageGraph, LineFileError> {
    let mut graph = StageGraph::default();
    places.all_stages = Some(stages.place());
    for item in stages.list()? {
        let stage = item.section(&STAGE)?;
        let (key, category) = (stage.required("key")?, stage.required("category")?);
        places.stages.push(StagePlaces { key: key.place(), category: category.place() });
        let stage_read = Stage {
            key: key.read()?,
            label: stage.required("label")?.read()?,
            category: category.one_of(&StageCategory::ALL, StageCategory::as_str)?,
        };
        for next in stage.list("next")? {
            places.moves.push(next.place());
            graph.moves.push(Move { from: stage_read.key.clone(), to: next.read()? });
        }
        graph.stages.push(stage_read);
    }
    Ok(graph)
}

fn field(item: Item<'_>, places: &mut Places) -> Result<FieldDefinition, LineFileError> {
    let field = item.section(&FIELD)?;
    let (key, kind) = (field.required("key")?, field.required("kind")?);
    let mut at = FieldPlaces::new(key.place(), kind.place());
    let mut definition = FieldDefinition {
        key: key.read()?,
        label: field.required("label")?.read()?,
        kind: kind.one_of(&FieldKind::ALL, FieldKind::as_str)?,
        options: Vec::new(),
        min: field.optional("min").map(Item::decimal).transpose()?,
        max: field.optional("max").map(Item::decimal).transpose()?,
        required_at: Vec::new(),
    };
    at.bounds = field.optional("max").or(field.optional("min")).map(Item::place);
    at.all_options = field.optional("options").map(Item::place);
    for item in field.list("options")? {
        let option = item.section(&OPTION)?;
        at.options.push(option.required("key")?.place());
        let (key, label) = labelled(&option)?;
        definition.options.push(FieldOption { key, label, retired: option.flag("retired")? });
    }
    for stage in field.list("required_at")? {
        at.required_at.push(stage.place());
        definition.required_at.push(stage.read()?);
    }
    places.fields.push(at);
    Ok(definition)
}

fn labelled<K: FromStr<Err: Display>>(section: &Section<'_>) -> Result<(K, Label), LineFileError> {
    Ok((section.required("key")?.read()?, section.required("label")?.read()?))
}

fn policies(line: &Section<'_>, places: &mut Places) -> Result<Vec<Policy>, LineFileError> {
    let Some(policies) = line.optional("policy") else { return Ok(Vec::new()) };
    let policies = policies.section(&POLICIES.map(PolicyKind::as_str))?;
    let mut read = Vec::new();
    for kind in POLICIES {
        if let Some(item) = policies.optional(kind.as_str()) {
            read.push(policy(kind, item, places)?);
        }
    }
    Ok(read)
}

fn policy(kind: PolicyKind, item: Item<'_>, places: &mut Places) -> Result<Policy, LineFileError> {
    Ok(match kind {
        PolicyKind::Pool => Policy::Pool(pool(item)?),
        PolicyKind::FirstResponse => Policy::FirstResponse(first_response(item, places)?),
        PolicyKind::Loss => Policy::Loss(loss(item, places)?),
        PolicyKind::Score => Policy::Score(score(item, places)?),
    })
}

fn pool(item: Item<'_>) -> Result<PoolPolicy, LineFileError> {
    let pool = item.section(&["former_owner_cooldown_minutes"])?;
    let cooldown = pool.optional("former_owner_cooldown_minutes").map(|item| item.whole(MINUTES));
    Ok(PoolPolicy { former_owner_cooldown_minutes: cooldown.transpose()?.unwrap_or_default() })
}

fn first_response(item: Item<'_>, places: &mut Places) -> Result<FirstResponsePolicy, LineFileError> {
    let response = item.section(&["min_call_seconds", "due_minutes"])?;
    let mut policy = FirstResponsePolicy::default();
    if let Some(seconds) = response.optional("min_call_seconds") {
        policy.min_call_seconds = seconds.whole("a whole number of seconds, 0 or more")?;
    }
    if let Some(due) = response.optional("due_minutes") {
        places.due = Some(due.place());
        policy.due_minutes = due.whole(MINUTES)?;
    }
    Ok(policy)
}

fn loss(item: Item<'_>, places: &mut Places) -> Result<LossPolicy, LineFileError> {
    let loss = item.section(&["review", "other_approver", "reasons"])?;
    places.other_approver = loss.optional("other_approver").map(Item::place);
    let mut reasons = Vec::new();
    for item in loss.list("reasons")? {
        let reason = item.section(&["key", "label"])?;
        places.reasons.push(reason.required("key")?.place());
        let (key, label) = labelled(&reason)?;
        reasons.push(LossReason { key, label });
    }
    Ok(LossPolicy { review: loss.flag("review")?, other_approver: loss.flag("other_approver")?, reasons })
}

fn score(item: Item<'_>, places: &mut Places) -> Result<ScorePolicy, LineFileError> {
    let score = item.section(&["half_life_hours", "points"])?;
    let half_life = score.required("half_life_hours")?;
    places.half_life = Some(half_life.place());
    let half_life_hours = half_life.whole("a whole number of hours, 1 or more")?;
    let mut weights = Vec::new();
    if let Some(points) = score.optional("points") {
        let points = points.section(&Signal::ALL.map(Signal::as_str))?;
        for signal in Signal::ALL {
            if let Some(item) = points.optional(signal.as_str()) {
                let points = item.whole("a whole number of points, below 0 when it weighs against")?;
                weights.push(SignalWeight { signal, points });
            }
        }
    }
    Ok(ScorePolicy { half_life_hours, weights })
}
