//! Given, when, then.

mod apply;
mod fields;
mod policies;
mod stages;

use super::{
    BusinessLine, BusinessLineCommand as Command, BusinessLineError as Error, BusinessLineEvent as Event,
};
use crate::testing::{field, fold, given, graph, line_events, policies, read, then};

fn rename(name: &str) -> Command {
    Command::Rename { name: read(name) }
}

#[test]
fn nothing_but_a_description_can_be_asked_of_a_line_that_is_not_there() {
    for command in [
        rename("Sales"),
        Command::PublishStageGraph { graph: graph() },
        Command::DefineField { field: field("remark", super::FieldKind::Text) },
        Command::RetireField { key: read("remark") },
        Command::PublishPolicy { policy: policies().remove(0) },
        Command::Suspend,
        Command::Resume,
    ] {
        given::<BusinessLine>(&[]).when(command).then_expect_error(Error::NotDefined);
    }
}

#[test]
fn renaming_to_the_same_name_says_nothing() {
    let renamed = Event::Renamed { name: read("二手车销售") };
    given::<BusinessLine>(&line_events())
        .when(rename("二手车销售"))
        .then_expect_events(vec![renamed.clone()]);
    given::<BusinessLine>(&line_events())
        .and(vec![renamed])
        .when(rename("二手车销售"))
        .then_expect_events(vec![]);
    given::<BusinessLine>(&line_events()).when(rename("Used-car sales")).then_expect_events(vec![]);
}

#[test]
fn suspending_and_resuming_say_nothing_twice() {
    let suspended = then::<BusinessLine>(&line_events(), Command::Suspend);
    assert_eq!(suspended.last(), Some(&Event::Suspended {}));
    given::<BusinessLine>(&suspended).when(Command::Suspend).then_expect_events(vec![]);
    given::<BusinessLine>(&suspended).when(Command::Resume).then_expect_events(vec![Event::Resumed {}]);
    given::<BusinessLine>(&line_events()).when(Command::Resume).then_expect_events(vec![]);
}

#[test]
fn only_a_defined_line_that_is_not_suspended_takes_clues() {
    let takes_clues = |events: &[Event]| fold::<BusinessLine>(events).takes_clues();
    let suspended = then::<BusinessLine>(&line_events(), Command::Suspend);
    assert!(!takes_clues(&[]));
    assert!(takes_clues(&line_events()));
    assert!(!takes_clues(&suspended));
    assert!(takes_clues(&then::<BusinessLine>(&suspended, Command::Resume)));
}
