//! Made-up data that the tests of every aggregate share: ids by number, instants by minute, and one
//! small business line.

use std::sync::Arc;

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use uuid::Uuid;

use crate::aggregate::Aggregate;
use crate::business_line::{
    BusinessLine, BusinessLineCommand, BusinessLineEvent, FieldDefinition, FieldKind, FieldOption,
    FirstResponsePolicy, LineSpec, LossPolicy, LossReason, Move, Policy, PoolPolicy, ScorePolicy, Signal,
    SignalWeight, Stage, StageCategory, StageGraph,
};
use crate::values::{FieldKey, Instant, Label, StageKey};

/// An id of any kind by a number.
pub(crate) fn id<T: From<Uuid>>(number: u128) -> T {
    Uuid::from_u128(number).into()
}

/// So many minutes after the beginning of the tests' time.
pub(crate) fn at(minute: i64) -> Instant {
    Instant::from_micros(1_770_000_000_000_000 + minute * 60_000_000)
}

/// A value that the test knows to be well formed.
pub(crate) fn read<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// An aggregate with a past.
pub(crate) fn given<A: Aggregate>(events: &[A::Event]) -> AggregateTestExecutor<A> {
    TestFramework::<A>::with(()).given(events.to_vec())
}

/// The state that events lead to.
pub(crate) fn fold<A: Aggregate>(events: &[A::Event]) -> A {
    let mut state = A::default();
    events.iter().for_each(|event| state.evolve(event));
    state
}

/// The past, then what the command led to.
pub(crate) fn then<A: Aggregate>(past: &[A::Event], command: A::Command) -> Vec<A::Event> {
    let led_to = fold::<A>(past).decide(command).unwrap();
    past.iter().cloned().chain(led_to).collect()
}

pub(crate) fn stage(key: &str, category: StageCategory) -> Stage {
    Stage { key: read(key), label: Label::new(key).unwrap(), category }
}

pub(crate) fn step(from: &str, to: &str) -> Move {
    Move { from: read(from), to: read(to) }
}

/// new -> contacted -> visiting, contacted <-> parked; won, lost.
pub(crate) fn graph() -> StageGraph {
    StageGraph {
        stages: vec![
            stage("new", StageCategory::Open),
            stage("contacted", StageCategory::Ongoing),
            stage("visiting", StageCategory::Ongoing),
            stage("parked", StageCategory::Hold),
            stage("won", StageCategory::Won),
            stage("lost", StageCategory::Lost),
        ],
        moves: vec![
            step("new", "contacted"),
            step("contacted", "visiting"),
            step("contacted", "parked"),
            step("parked", "contacted"),
        ],
    }
}

/// A field without options, bounds or requirements.
pub(crate) fn field(key: &str, kind: FieldKind) -> FieldDefinition {
    FieldDefinition {
        key: read(key),
        label: Label::new(key).unwrap(),
        kind,
        options: vec![],
        min: None,
        max: None,
        required_at: vec![],
    }
}

pub(crate) fn option(key: &str, retired: bool) -> FieldOption {
    FieldOption { key: read(key), label: Label::new(key).unwrap(), retired }
}

/// `budget-source` (choice, required at visiting), `owners` (number 0 to 9), `trade-in` (flag),
/// `remark` (text).
pub(crate) fn fields() -> Vec<FieldDefinition> {
    let mut budget = field("budget-source", FieldKind::Choice);
    budget.options = vec![option("savings", false), option("loan", false), option("lottery", true)];
    budget.required_at = vec![read::<StageKey>("visiting")];
    let mut owners = field("owners", FieldKind::Number);
    owners.min = Some(0.into());
    owners.max = Some(9.into());
    vec![budget, owners, field("trade-in", FieldKind::Flag), field("remark", FieldKind::Text)]
}

pub(crate) fn reasons(keys: &[&str]) -> Vec<LossReason> {
    keys.iter().map(|key| LossReason { key: read(key), label: Label::new(key).unwrap() }).collect()
}

/// One hour of cooldown, calls of ten seconds, losses reviewed by another person, one-week scores.
pub(crate) fn policies() -> Vec<Policy> {
    vec![
        Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: 60 }),
        Policy::FirstResponse(FirstResponsePolicy { min_call_seconds: 10, due_minutes: 30 }),
        Policy::Loss(LossPolicy {
            review: true,
            other_approver: true,
            reasons: reasons(&["price", "bought-elsewhere"]),
        }),
        Policy::Score(ScorePolicy {
            half_life_hours: 168,
            weights: vec![SignalWeight { signal: Signal::ContactMade, points: 5 }],
        }),
    ]
}

pub(crate) fn spec() -> LineSpec {
    LineSpec {
        key: read("used-car-sales"),
        name: Label::new("Used-car sales").unwrap(),
        country: read("CN"),
        time_zone: read("Asia/Shanghai"),
        currency: read("CNY"),
        graph: graph(),
        fields: fields(),
        policies: policies(),
    }
}

/// The events of the small line.
pub(crate) fn line_events() -> Vec<BusinessLineEvent> {
    then::<BusinessLine>(&[], BusinessLineCommand::Apply(Box::new(spec())))
}

/// The small line.
pub(crate) fn line() -> Arc<BusinessLine> {
    Arc::new(fold(&line_events()))
}

/// The small line after one more command.
pub(crate) fn line_after(command: BusinessLineCommand) -> Arc<BusinessLine> {
    Arc::new(fold(&then::<BusinessLine>(&line_events(), command)))
}

/// The small line with a field required at one more stage.
pub(crate) fn line_requiring(field: &str, stage: &str) -> Arc<BusinessLine> {
    let key: FieldKey = read(field);
    let mut field = fields().into_iter().find(|known| known.key == key).unwrap();
    field.required_at.push(read(stage));
    line_after(BusinessLineCommand::DefineField { field })
}
