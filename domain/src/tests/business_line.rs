//! Business lines.

use proptest::prelude::*;

use super::{Walk, each_event_says_something, reaches_every_event};
use crate::business_line::{
    BusinessLine, BusinessLineCommand as Command, BusinessLineEvent as Event, FieldDefinition, FieldKind,
    FirstResponsePolicy, LineSpec, LossPolicy, Policy, PolicyKind, PoolPolicy, ScorePolicy, Signal,
    SignalWeight, StageCategory, StageGraph,
};
use crate::testing::{field, option, read, reasons, spec, stage, step};
use crate::values::{FieldKey, Label, StageKey};

/// Stages between the first and the outcomes.
const MIDDLE: [&str; 4] = ["contacted", "visiting", "parked", "negotiating"];
const FIELDS: [&str; 3] = ["budget-source", "owners", "remark"];

/// Mostly whole graphs: every middle stage that is there hangs on the first one. A stray move may
/// break it.
fn graph() -> impl Strategy<Value = StageGraph> {
    let ends = prop_oneof![Just("new"), Just("contacted"), Just("parked"), Just("won")];
    let stray = prop::option::weighted(0.4, (ends.clone(), ends));
    (prop::collection::vec(any::<bool>(), MIDDLE.len()), stray).prop_map(|(present, stray)| {
        let middle: Vec<_> = MIDDLE.into_iter().zip(present).filter(|(_, there)| *there).collect();
        let mut stages = vec![stage("new", StageCategory::Open)];
        stages.extend(middle.iter().map(|(key, _)| stage(key, StageCategory::Ongoing)));
        stages.extend([stage("won", StageCategory::Won), stage("lost", StageCategory::Lost)]);
        let moves = middle.iter().map(|(key, _)| step("new", key));
        StageGraph { stages, moves: moves.chain(stray.map(|(from, to)| step(from, to))).collect() }
    })
}

fn definition() -> impl Strategy<Value = FieldDefinition> {
    let kind = prop_oneof![Just(FieldKind::Choice), Just(FieldKind::Number), Just(FieldKind::Text)];
    let options = prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 0..3);
    let bounds = (prop::option::of(0..3_i64), prop::option::of(0..3_i64));
    let required = prop::collection::vec(0..MIDDLE.len(), 0..2);
    (0..FIELDS.len(), kind, options, bounds, required).prop_map(
        |(key, kind, options, (min, max), required)| {
            let mut field = field(FIELDS[key], kind);
            if kind == FieldKind::Choice {
                field.options = options.iter().map(|key| option(key, false)).collect();
            }
            if kind == FieldKind::Number {
                (field.min, field.max) = (min.map(Into::into), max.map(Into::into));
            }
            field.required_at = required.into_iter().map(|stage| read::<StageKey>(MIDDLE[stage])).collect();
            field
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let signals = prop::collection::vec((0..Signal::ALL.len(), -5..5_i32), 0..3);
    prop_oneof![
        (0..3_u32).prop_map(|minutes| Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: minutes })),
        (0..3_u32, 0..3_u32).prop_map(|(min_call_seconds, due_minutes)| {
            Policy::FirstResponse(FirstResponsePolicy { min_call_seconds, due_minutes })
        }),
        (any::<bool>(), any::<bool>(), 0..3_usize).prop_map(|(review, other_approver, count)| {
            let reasons = reasons(&["price", "other", "price"][..count]);
            Policy::Loss(LossPolicy { review, other_approver, reasons })
        }),
        (0..3_u32, signals).prop_map(|(half_life_hours, signals)| {
            let weigh = |(signal, points): (usize, i32)| SignalWeight { signal: Signal::ALL[signal], points };
            Policy::Score(ScorePolicy { half_life_hours, weights: signals.into_iter().map(weigh).collect() })
        }),
    ]
}

fn name() -> impl Strategy<Value = Label> {
    prop_oneof![Just("Used-car sales"), Just("二手车销售")].prop_map(read)
}

fn description() -> impl Strategy<Value = LineSpec> {
    let country = prop_oneof![9 => Just("CN"), 1 => Just("IN")];
    let fields = prop::collection::vec(definition(), 0..3);
    (name(), country, graph(), fields, prop::collection::vec(policy(), 0..2)).prop_map(
        |(name, country, graph, fields, policies)| LineSpec {
            name,
            country: read(country),
            graph,
            fields,
            policies,
            ..spec()
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => description().prop_map(|spec| Command::Apply(Box::new(spec))),
        1 => name().prop_map(|name| Command::Rename { name }),
        3 => graph().prop_map(|graph| Command::PublishStageGraph { graph }),
        5 => definition().prop_map(|field| Command::DefineField { field }),
        1 => (0..FIELDS.len()).prop_map(|key| Command::RetireField { key: read(FIELDS[key]) }),
        4 => policy().prop_map(|policy| Command::PublishPolicy { policy }),
        1 => Just(Command::Suspend),
        1 => Just(Command::Resume),
    ]
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 1..30)
}

/// A field keeps its kind and its options through any number of definitions.
fn fields_keep_their_meaning(history: &[Event], defined: &FieldDefinition) {
    for event in history {
        let Event::FieldDefined { field } = event else { continue };
        if field.key == defined.key {
            assert_eq!(field.kind, defined.kind);
            let kept = |old| defined.options.iter().any(|option| option.key == old);
            assert!(field.options.iter().all(|option| kept(option.key.clone())));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_line_is_always_whole(commands in commands()) {
        Walk::<BusinessLine>::take(&commands, |history, step| {
            each_event_says_something(&step, &[]);
            let line = step.after;
            assert!(line.is_defined());
            assert_eq!(line.graph().validate(), Ok(()));
            for field in line.fields() {
                assert!(field.required_at.iter().all(|stage| line.graph().stage(stage).is_some()));
                assert_eq!(field.options.is_empty(), field.kind != FieldKind::Choice);
            }
            for event in step.events {
                if let Event::FieldDefined { field } = event {
                    fields_keep_their_meaning(history, field);
                }
            }
            if step.before.is_defined() {
                assert_eq!(step.before.country(), line.country());
            } else {
                assert!(history.is_empty() && matches!(step.events[0], Event::Defined { .. }));
            }
        });
    }

    #[test]
    fn versions_count_up_one_by_one(commands in commands()) {
        let walk = Walk::<BusinessLine>::take(&commands, |_, _| ());
        let mut graph = 0;
        let mut policies = std::collections::BTreeMap::<PolicyKind, u32>::new();
        for event in &walk.history {
            match event {
                Event::StageGraphPublished { version, .. } => {
                    graph += 1;
                    prop_assert_eq!(*version, graph);
                }
                Event::PolicyPublished { version, policy } => {
                    let last = policies.entry(policy.kind()).or_default();
                    *last += 1;
                    prop_assert_eq!(version, last);
                }
                _ => {}
            }
        }
        prop_assert_eq!(walk.state.graph_version(), graph);
    }

    #[test]
    fn applying_a_description_makes_the_line_what_it_says(past in commands(), spec in description()) {
        let walk = Walk::<BusinessLine>::take(&past, |_, _| ());
        let mut line = walk.state;
        if let Ok(events) = crate::Aggregate::decide(&line, Command::Apply(Box::new(spec.clone()))) {
            events.iter().for_each(|event| crate::Aggregate::evolve(&mut line, event));
            let named: Vec<FieldKey> = line.fields().map(|field| field.key.clone()).collect();
            let mut wanted: Vec<FieldKey> = spec.fields.iter().map(|field| field.key.clone()).collect();
            wanted.sort();
            prop_assert_eq!(named, wanted);
            for field in &spec.fields {
                prop_assert_eq!(line.field(&field.key), Some(field));
            }
            prop_assert_eq!(line.graph(), &spec.graph);
            prop_assert_eq!(line.name(), Some(&spec.name));
        }
    }
}

#[test]
fn these_commands_lead_to_every_event() {
    reaches_every_event::<BusinessLine>(&commands());
}
