//! Business lines as GraphQL objects.

use domain::business_line::{BusinessLine, FieldDefinition, PolicyKind};
use domain::values::{Code, FieldKey, LineKey, OptionKey, StageKey};
use projections::lines::Line;

use crate::graphql::enums::{FieldKind, Signal, StageCategory};
use crate::graphql::scalars::{Decimal, Text};
use crate::plain_object;

plain_object! {
    /// A business line as it is now.
    BusinessLineNode as "BusinessLine" {
        /// Its identity for ever.
        key "key": Text<LineKey>,
        /// What people call it.
        name "name": String,
        /// Whose numbering plan reads its phone numbers, ISO 3166-1.
        country "country": String,
        /// Where its local days begin, IANA.
        time_zone "timeZone": String,
        /// The currency of its amounts, ISO 4217.
        currency "currency": String,
        /// Whether it takes no new clues.
        suspended "suspended": bool,
        /// Version of the stage graph in force.
        graph_version "graphVersion": i32,
        /// Its stages in the order that people see them; new clues begin in the first.
        stages "stages": Vec<StageNode>,
        /// Steps that a clue may take between stages; winning and losing need none.
        moves "moves": Vec<MoveNode>,
        /// Its custom fields that take values.
        fields "fields": Vec<FieldNode>,
        /// Rules of the pool.
        pool "pool": PoolPolicyNode,
        /// What counts as a first response.
        first_response "firstResponse": FirstResponsePolicyNode,
        /// How a clue may be lost.
        loss "loss": LossPolicyNode,
        /// What makes a customer a likely buyer.
        score "score": ScorePolicyNode,
    }
}

plain_object! {
    /// A stage of a business line.
    StageNode as "Stage" {
        /// Its identity within the line.
        key "key": Text<StageKey>,
        /// What people call it.
        label "label": String,
        /// What standing in it means.
        category "category": StageCategory,
    }
}

plain_object! {
    /// An allowed step from one stage to another.
    MoveNode as "StageMove" {
        /// From this stage.
        from "from": Text<StageKey>,
        /// To this stage.
        to "to": Text<StageKey>,
    }
}

plain_object! {
    /// A custom field.
    FieldNode as "FieldDefinition" {
        /// Its identity within the line.
        key "key": Text<FieldKey>,
        /// What people call it.
        label "label": String,
        /// What values it takes.
        kind "kind": FieldKind,
        /// The options of a choice field.
        options "options": Vec<FieldOptionNode>,
        /// Smallest number that it takes.
        min "min": Option<Decimal>,
        /// Largest number that it takes.
        max "max": Option<Decimal>,
        /// Stages that a clue enters only with a value in this field.
        required_at "requiredAt": Vec<Text<StageKey>>,
    }
}

plain_object! {
    /// An option of a choice field.
    FieldOptionNode as "FieldOption" {
        /// Its identity within the field.
        key "key": Text<OptionKey>,
        /// What people call it.
        label "label": String,
        /// Whether clues may no longer take it.
        retired "retired": bool,
    }
}

plain_object! {
    /// Rules of the pool.
    PoolPolicyNode as "PoolPolicy" {
        /// Its version; 0 before the first.
        version "version": i32,
        /// Minutes for which a former owner cannot claim the clue that went back to the pool.
        former_owner_cooldown_minutes "formerOwnerCooldownMinutes": i32,
    }
}

plain_object! {
    /// What counts as a first response.
    FirstResponsePolicyNode as "FirstResponsePolicy" {
        /// Its version; 0 before the first.
        version "version": i32,
        /// Seconds that a connected call lasts at least.
        min_call_seconds "minCallSeconds": i32,
        /// Minutes from capture within which the first response is due.
        due_minutes "dueMinutes": i32,
    }
}

plain_object! {
    /// How a clue may be lost.
    LossPolicyNode as "LossPolicy" {
        /// Its version; 0 before the first.
        version "version": i32,
        /// Whether somebody must approve a loss.
        review "review": bool,
        /// Whether that somebody must be another person than the proposer.
        other_approver "otherApprover": bool,
        /// The reasons to choose from; any reason when empty.
        reasons "reasons": Vec<LossReasonNode>,
    }
}

plain_object! {
    /// A reason for which a clue may be lost.
    LossReasonNode as "LossReason" {
        /// Its stable word.
        key "key": Text<Code>,
        /// What people call it.
        label "label": String,
    }
}

plain_object! {
    /// What makes a customer a likely buyer.
    ScorePolicyNode as "ScorePolicy" {
        /// Its version; 0 before the first.
        version "version": i32,
        /// Hours in which a signal loses half its weight.
        half_life_hours "halfLifeHours": i32,
        /// Points of each signal.
        weights "weights": Vec<SignalWeightNode>,
    }
}

plain_object! {
    /// How much a signal weighs.
    SignalWeightNode as "SignalWeight" {
        /// The signal.
        signal "signal": Signal,
        /// Points at the moment that it happens.
        points "points": i32,
    }
}

/// Small counts of the domain; larger ones do not occur.
fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl From<&Line> for BusinessLineNode {
    fn from(line: &Line) -> Self {
        let definition = &line.definition;
        let version = |kind| int(definition.policy_version(kind));
        let (pool, first, loss, score) =
            (definition.pool(), definition.first_response(), definition.loss(), definition.score());
        Self {
            key: Text(line.key.clone()),
            name: line.name.clone(),
            country: line.country.clone(),
            time_zone: line.time_zone.clone(),
            currency: line.currency.clone(),
            suspended: line.suspended,
            graph_version: int(definition.graph_version()),
            stages: stages(definition),
            moves: moves(definition),
            fields: definition.fields().map(FieldNode::from).collect(),
            pool: PoolPolicyNode {
                version: version(PolicyKind::Pool),
                former_owner_cooldown_minutes: int(pool.former_owner_cooldown_minutes),
            },
            first_response: FirstResponsePolicyNode {
                version: version(PolicyKind::FirstResponse),
                min_call_seconds: int(first.min_call_seconds),
                due_minutes: int(first.due_minutes),
            },
            loss: LossPolicyNode {
                version: version(PolicyKind::Loss),
                review: loss.review,
                other_approver: loss.other_approver,
                reasons: loss
                    .reasons
                    .iter()
                    .map(|reason| LossReasonNode {
                        key: Text(reason.key.clone()),
                        label: reason.label.to_string(),
                    })
                    .collect(),
            },
            score: ScorePolicyNode {
                version: version(PolicyKind::Score),
                half_life_hours: int(score.half_life_hours),
                weights: score
                    .weights
                    .iter()
                    .map(|weight| SignalWeightNode { signal: weight.signal.into(), points: weight.points })
                    .collect(),
            },
        }
    }
}

fn stages(line: &BusinessLine) -> Vec<StageNode> {
    let stages = line.graph().stages.iter().map(|stage| StageNode {
        key: Text(stage.key.clone()),
        label: stage.label.to_string(),
        category: stage.category.into(),
    });
    stages.collect()
}

fn moves(line: &BusinessLine) -> Vec<MoveNode> {
    let moves = line.graph().moves.iter();
    moves.map(|step| MoveNode { from: Text(step.from.clone()), to: Text(step.to.clone()) }).collect()
}

impl From<&FieldDefinition> for FieldNode {
    fn from(field: &FieldDefinition) -> Self {
        let options = field.options.iter().map(|option| FieldOptionNode {
            key: Text(option.key.clone()),
            label: option.label.to_string(),
            retired: option.retired,
        });
        Self {
            key: Text(field.key.clone()),
            label: field.label.to_string(),
            kind: field.kind.into(),
            options: options.collect(),
            min: field.min.map(|bound| Decimal(bound.to_string())),
            max: field.max.map(|bound| Decimal(bound.to_string())),
            required_at: field.required_at.iter().cloned().map(Text).collect(),
        }
    }
}
