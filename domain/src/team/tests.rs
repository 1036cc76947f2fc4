//! Given, when, then.

use super::{Team, TeamCommand as Command, TeamError as Error, TeamEvent as Event};
use crate::testing::{fold, given, read};

fn register(line_defined: bool) -> Command {
    Command::Register { line: read("used-car-sales"), line_defined, name: read("East") }
}

fn rename(name: &str) -> Command {
    Command::Rename { name: read(name) }
}

fn registered() -> Vec<Event> {
    vec![Event::Registered { line: read("used-car-sales"), name: read("East") }]
}

fn suspended() -> Vec<Event> {
    [registered(), vec![Event::Suspended {}]].concat()
}

#[test]
fn a_team_begins_in_a_defined_line() {
    given::<Team>(&[]).when(register(true)).then_expect_events(registered());
    given::<Team>(&[]).when(register(false)).then_expect_error(Error::LineUnknown);
}

#[test]
fn a_team_is_registered_once() {
    given::<Team>(&registered()).when(register(true)).then_expect_error(Error::AlreadyRegistered);
}

#[test]
fn nothing_can_be_asked_of_a_team_that_is_not_there() {
    for command in [rename("West"), Command::Suspend, Command::Resume] {
        given::<Team>(&[]).when(command).then_expect_error(Error::NotFound);
    }
}

#[test]
fn renaming_to_the_same_name_says_nothing() {
    let renamed = Event::Renamed { name: read("West") };
    given::<Team>(&registered()).when(rename("West")).then_expect_events(vec![renamed.clone()]);
    given::<Team>(&registered()).and(vec![renamed]).when(rename("West")).then_expect_events(vec![]);
    given::<Team>(&registered()).when(rename("East")).then_expect_events(vec![]);
}

#[test]
fn suspending_and_resuming_say_nothing_twice() {
    given::<Team>(&registered()).when(Command::Suspend).then_expect_events(vec![Event::Suspended {}]);
    given::<Team>(&suspended()).when(Command::Suspend).then_expect_events(vec![]);
    given::<Team>(&suspended()).when(Command::Resume).then_expect_events(vec![Event::Resumed {}]);
    given::<Team>(&registered()).when(Command::Resume).then_expect_events(vec![]);
}

#[test]
fn only_a_registered_team_that_is_not_suspended_gets_work() {
    assert!(!fold::<Team>(&[]).is_active());
    assert!(fold::<Team>(&registered()).is_active());
    assert!(!fold::<Team>(&suspended()).is_active());
    let resumed = [suspended(), vec![Event::Resumed {}]].concat();
    assert!(fold::<Team>(&resumed).is_active());
    assert_eq!(fold::<Team>(&resumed).line(), Some(&read("used-car-sales")));
}
