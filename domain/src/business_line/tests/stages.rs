//! A published stage graph is whole.

use super::{BusinessLine, Command, Error, Event};
use crate::business_line::{StageCategory, StageGraph, StageGraphError as Broken};
use crate::testing::{given, graph, line_events, read, stage, step, then};

fn publish(graph: StageGraph) -> Command {
    Command::PublishStageGraph { graph }
}

fn changed(change: impl FnOnce(&mut StageGraph)) -> StageGraph {
    let mut graph = graph();
    change(&mut graph);
    graph
}

#[test]
fn a_new_graph_is_the_next_version_and_the_same_says_nothing() {
    let longer = changed(|graph| graph.moves.push(step("visiting", "parked")));
    let published = Event::StageGraphPublished { version: 2, graph: longer.clone() };
    given::<BusinessLine>(&line_events()).when(publish(longer.clone())).then_expect_events(vec![published]);
    let past = then::<BusinessLine>(&line_events(), publish(longer.clone()));
    given::<BusinessLine>(&past).when(publish(longer)).then_expect_events(vec![]);
    let back = Event::StageGraphPublished { version: 3, graph: graph() };
    given::<BusinessLine>(&past).when(publish(graph())).then_expect_events(vec![back]);
}

#[test]
fn a_graph_that_is_not_whole_is_refused() {
    let cases = [
        (StageGraph::default(), Broken::FirstNotOpen),
        (changed(|graph| graph.stages.swap(0, 1)), Broken::FirstNotOpen),
        (
            changed(|graph| graph.stages.push(stage("parked", StageCategory::Ongoing))),
            Broken::StageTwice(read("parked")),
        ),
        (changed(|graph| drop(graph.stages.remove(4))), Broken::ExactlyOne("won")),
        (changed(|graph| drop(graph.stages.remove(5))), Broken::ExactlyOne("lost")),
        (
            changed(|graph| graph.stages.push(stage("won-again", StageCategory::Won))),
            Broken::ExactlyOne("won"),
        ),
        (
            changed(|graph| graph.moves.push(step("contacted", "nowhere"))),
            Broken::UnknownStage(read("nowhere")),
        ),
        (
            changed(|graph| graph.moves.push(step("nowhere", "contacted"))),
            Broken::UnknownStage(read("nowhere")),
        ),
        (
            changed(|graph| graph.moves.push(step("new", "contacted"))),
            Broken::MoveTwice { from: read("new"), to: read("contacted") },
        ),
        (
            changed(|graph| graph.moves.push(step("new", "new"))),
            Broken::MoveTwice { from: read("new"), to: read("new") },
        ),
        (changed(|graph| graph.moves.push(step("new", "won"))), Broken::MoveToOutcome(read("won"))),
        (changed(|graph| graph.moves.push(step("lost", "new"))), Broken::MoveToOutcome(read("lost"))),
        (changed(|graph| drop(graph.moves.remove(1))), Broken::Unreachable(read("visiting"))),
    ];
    for (graph, reason) in cases {
        given::<BusinessLine>(&line_events())
            .when(publish(graph))
            .then_expect_error(Error::StageGraph { reason });
    }
}

#[test]
fn a_stage_that_a_field_is_required_at_stays_in_the_graph() {
    let without_visiting = changed(|graph| {
        graph.stages.remove(2);
        graph.moves.remove(1);
    });
    given::<BusinessLine>(&line_events()).when(publish(without_visiting.clone())).then_expect_error(
        Error::FieldStageUnknown { field: read("budget-source"), stage: read("visiting") },
    );
    let retired = then::<BusinessLine>(&line_events(), Command::RetireField { key: read("budget-source") });
    let published = Event::StageGraphPublished { version: 2, graph: without_visiting.clone() };
    given::<BusinessLine>(&retired).when(publish(without_visiting)).then_expect_events(vec![published]);
}

#[test]
fn a_graph_allows_its_moves_and_the_way_back_into_it() {
    let graph = graph();
    let allows = |from: &str, to: &str| graph.allows(&read(from), &read(to));
    assert!(allows("new", "contacted") && allows("parked", "contacted"));
    assert!(!allows("contacted", "new") && !allows("new", "visiting"));
    assert!(allows("left-the-graph", "visiting"));
    for outcome in ["won", "lost", "nowhere"] {
        assert!(!allows("new", outcome) && !allows("left-the-graph", outcome), "{outcome}");
    }
}

#[test]
fn every_category_has_the_word_that_its_json_has() {
    for category in StageCategory::ALL {
        assert_eq!(serde_json::to_value(category).unwrap(), category.as_str());
    }
}
