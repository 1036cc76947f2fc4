//! A whole description brings a line to what it says, and says nothing twice.

use super::{BusinessLine, Command, Error, Event};
use crate::business_line::{LineSpec, Policy, PolicyKind, PoolPolicy};
use crate::testing::{fields, fold, given, graph, line_events, policies, read, spec, stage, step, then};

fn apply(change: impl FnOnce(&mut LineSpec)) -> Command {
    let mut spec = spec();
    change(&mut spec);
    Command::Apply(Box::new(spec))
}

#[test]
fn a_description_defines_a_line_that_is_not_there() {
    let mut events = vec![
        Event::Defined {
            key: read("used-car-sales"),
            name: read("Used-car sales"),
            country: read("CN"),
            time_zone: read("Asia/Shanghai"),
            currency: read("CNY"),
        },
        Event::StageGraphPublished { version: 1, graph: graph() },
    ];
    events.extend(fields().into_iter().map(|field| Event::FieldDefined { field }));
    events.extend(policies().into_iter().map(|policy| Event::PolicyPublished { version: 1, policy }));
    given::<BusinessLine>(&[]).when(apply(|_| ())).then_expect_events(events);
}

#[test]
fn the_same_description_says_nothing_twice() {
    given::<BusinessLine>(&line_events()).when(apply(|_| ())).then_expect_events(vec![]);
}

#[test]
fn a_changed_description_says_only_what_changed() {
    given::<BusinessLine>(&line_events())
        .when(apply(|spec| spec.name = read("二手车销售")))
        .then_expect_events(vec![Event::Renamed { name: read("二手车销售") }]);
    let mut longer = graph();
    longer.stages.insert(2, stage("negotiating", crate::business_line::StageCategory::Ongoing));
    longer.moves.push(step("contacted", "negotiating"));
    let changed = longer.clone();
    given::<BusinessLine>(&line_events())
        .when(apply(|spec| spec.graph = changed))
        .then_expect_events(vec![Event::StageGraphPublished { version: 2, graph: longer }]);
    let policy = Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: 5 });
    let changed = policy.clone();
    given::<BusinessLine>(&line_events())
        .when(apply(|spec| spec.policies[0] = changed))
        .then_expect_events(vec![Event::PolicyPublished { version: 2, policy }]);
}

#[test]
fn a_field_that_the_description_leaves_out_is_retired_once() {
    let shorter = || apply(|spec| spec.fields.truncate(3));
    let retired = Event::FieldRetired { key: read("remark") };
    given::<BusinessLine>(&line_events()).when(shorter()).then_expect_events(vec![retired]);
    let past = then::<BusinessLine>(&line_events(), shorter());
    given::<BusinessLine>(&past).when(shorter()).then_expect_events(vec![]);
    let again = Event::FieldDefined { field: fields().remove(3) };
    given::<BusinessLine>(&past).when(apply(|_| ())).then_expect_events(vec![again]);
}

#[test]
fn a_policy_that_the_description_leaves_out_keeps_its_version() {
    given::<BusinessLine>(&line_events())
        .when(apply(|spec| spec.policies.clear()))
        .then_expect_events(vec![]);
    let line = fold::<BusinessLine>(&line_events());
    for kind in [PolicyKind::Pool, PolicyKind::FirstResponse, PolicyKind::Loss, PolicyKind::Score] {
        assert_eq!(line.policy_version(kind), 1, "{kind:?}");
    }
}

#[test]
fn what_gives_old_events_their_meaning_never_changes() {
    let refused = |command, what| {
        given::<BusinessLine>(&line_events()).when(command).then_expect_error(Error::Immutable { what });
    };
    refused(apply(|spec| spec.key = read("after-sale")), "key");
    refused(apply(|spec| spec.country = read("IN")), "country");
    refused(apply(|spec| spec.time_zone = read("Asia/Tokyo")), "time zone");
    refused(apply(|spec| spec.currency = read("INR")), "currency");
}

#[test]
fn a_description_names_each_field_and_each_kind_of_policy_once() {
    for past in [vec![], line_events()] {
        given::<BusinessLine>(&past)
            .when(apply(|spec| spec.fields.push(spec.fields[1].clone())))
            .then_expect_error(Error::PolicyTwice { what: "field", key: "owners".to_owned() });
        given::<BusinessLine>(&past)
            .when(apply(|spec| spec.policies.push(spec.policies[1].clone())))
            .then_expect_error(Error::PolicyTwice { what: "policy", key: "first_response".to_owned() });
    }
}

#[test]
fn a_field_of_the_description_may_require_a_stage_that_the_same_description_adds() {
    let command = apply(|spec| {
        spec.graph.stages.insert(2, stage("negotiating", crate::business_line::StageCategory::Ongoing));
        spec.graph.moves.push(step("contacted", "negotiating"));
        spec.fields[1].required_at = vec![read("negotiating")];
    });
    let line = fold::<BusinessLine>(&then::<BusinessLine>(&line_events(), command));
    assert_eq!(line.field(&read("owners")).unwrap().required_at, [read("negotiating")]);
    assert_eq!(line.graph_version(), 2);
}
