//! Given, when, then.

use super::{
    Operator, OperatorCommand as Command, OperatorError as Error, OperatorEvent as Event, Role, Scope,
};
use crate::personal::Personal;
use crate::testing::{fold, given, id, read};

fn name(text: &str) -> Personal<String> {
    Personal::Clear(text.to_owned())
}

fn registered() -> Vec<Event> {
    vec![Event::Registered { name: name("王芳") }]
}

fn and(event: Event) -> Vec<Event> {
    [registered(), vec![event]].concat()
}

fn grant(role: Role, by: Option<u128>) -> Command {
    Command::GrantRole { role, operator: id(1), by: by.map(id) }
}

fn scope() -> Scope {
    Scope { lines: [read("used-car-sales")].into(), teams: [id(7)].into() }
}

#[test]
fn an_operator_is_registered_once_and_with_a_name() {
    let register = |text| Command::Register { name: name(text) };
    given::<Operator>(&[]).when(register("王芳")).then_expect_events(registered());
    given::<Operator>(&[]).when(register("  ")).then_expect_error(Error::NameEmpty);
    given::<Operator>(&registered()).when(register("王芳")).then_expect_error(Error::AlreadyRegistered);
}

#[test]
fn nothing_can_be_asked_of_an_operator_who_is_not_there() {
    for command in [
        Command::Rename { name: name("李伟") },
        grant(Role::Agent, Some(2)),
        Command::RevokeRole { role: Role::Agent },
        Command::ChangeScope { scope: scope(), unknown: vec![] },
        Command::Suspend,
        Command::Resume,
    ] {
        given::<Operator>(&[]).when(command).then_expect_error(Error::NotFound);
    }
}

#[test]
fn a_new_name_is_not_empty() {
    let rename = |text| Command::Rename { name: name(text) };
    let renamed = vec![Event::Renamed { name: name("王芳芳") }];
    given::<Operator>(&registered()).when(rename("王芳芳")).then_expect_events(renamed);
    given::<Operator>(&registered()).when(rename("\t")).then_expect_error(Error::NameEmpty);
}

#[test]
fn a_role_is_granted_once_by_another_person_or_the_system() {
    let granted = Event::RoleGranted { role: Role::Manager };
    for by in [Some(2), None] {
        given::<Operator>(&registered())
            .when(grant(Role::Manager, by))
            .then_expect_events(vec![granted.clone()]);
    }
    given::<Operator>(&and(granted.clone())).when(grant(Role::Manager, Some(2))).then_expect_events(vec![]);
    given::<Operator>(&registered()).when(grant(Role::Manager, Some(1))).then_expect_error(Error::SelfGrant);
    given::<Operator>(&and(granted)).when(grant(Role::Manager, Some(1))).then_expect_error(Error::SelfGrant);
}

#[test]
fn revoking_a_role_that_is_not_held_says_nothing() {
    let revoke = || Command::RevokeRole { role: Role::Agent };
    let granted = and(Event::RoleGranted { role: Role::Agent });
    let revoked = Event::RoleRevoked { role: Role::Agent };
    given::<Operator>(&granted).when(revoke()).then_expect_events(vec![revoked.clone()]);
    given::<Operator>(&granted).and(vec![revoked]).when(revoke()).then_expect_events(vec![]);
    given::<Operator>(&registered()).when(revoke()).then_expect_events(vec![]);
}

#[test]
fn a_scope_names_only_what_exists_and_says_nothing_twice() {
    let change = |unknown: &[&str]| Command::ChangeScope {
        scope: scope(),
        unknown: unknown.iter().map(ToString::to_string).collect(),
    };
    let changed = Event::ScopeChanged { scope: scope() };
    given::<Operator>(&registered()).when(change(&[])).then_expect_events(vec![changed.clone()]);
    given::<Operator>(&and(changed)).when(change(&[])).then_expect_events(vec![]);
    given::<Operator>(&registered())
        .when(change(&["line x", "team y"]))
        .then_expect_error(Error::ScopeUnknown { what: "line x, team y".to_owned() });
}

#[test]
fn suspending_and_resuming_say_nothing_twice() {
    let suspended = and(Event::Suspended {});
    given::<Operator>(&registered()).when(Command::Suspend).then_expect_events(vec![Event::Suspended {}]);
    given::<Operator>(&suspended).when(Command::Suspend).then_expect_events(vec![]);
    given::<Operator>(&suspended).when(Command::Resume).then_expect_events(vec![Event::Resumed {}]);
    given::<Operator>(&registered()).when(Command::Resume).then_expect_events(vec![]);
}

#[test]
fn a_suspended_operator_keeps_roles_and_scope_but_is_not_active() {
    let past = [
        and(Event::RoleGranted { role: Role::Agent }),
        vec![Event::ScopeChanged { scope: scope() }, Event::Suspended {}],
    ]
    .concat();
    let operator = fold::<Operator>(&past);
    assert!(operator.is_registered() && !operator.is_active());
    assert_eq!(operator.roles(), &[Role::Agent].into());
    assert_eq!(operator.scope(), &scope());
    let resumed = fold::<Operator>(&[past, vec![Event::Resumed {}]].concat());
    assert!(resumed.is_active());
}

#[test]
fn every_role_has_the_word_that_its_json_has() {
    for role in Role::ALL {
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
    }
}
