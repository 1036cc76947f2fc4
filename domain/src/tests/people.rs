//! Operators, teams and attempts.

use proptest::prelude::*;

use super::{Walk, each_event_says_something, reaches_every_event};
use crate::clue_attempts::{ClueAttempts, ClueAttemptsCommand};
use crate::operator::{Operator, OperatorCommand, OperatorEvent, Role, Scope};
use crate::personal::Personal;
use crate::team::{Team, TeamCommand, TeamEvent};
use crate::testing::{at, id, read};

fn name() -> impl Strategy<Value = Personal<String>> {
    prop_oneof![Just(""), Just("王芳"), Just("李伟")].prop_map(|name| Personal::Clear(name.to_owned()))
}

fn operator() -> impl Strategy<Value = OperatorCommand> {
    use OperatorCommand as Command;
    let role = prop_oneof![Just(Role::Agent), Just(Role::Manager), Just(Role::Auditor)];
    let scope = (any::<bool>(), 0..2_u128).prop_map(|(line, team)| Scope {
        lines: line.then(|| read("used-car-sales")).into_iter().collect(),
        teams: [id(team)].into(),
    });
    prop_oneof![
        name().prop_map(|name| Command::Register { name }),
        name().prop_map(|name| Command::Rename { name }),
        (role.clone(), prop::option::of(1..3_u128)).prop_map(|(role, by)| Command::GrantRole {
            role,
            operator: id(1),
            by: by.map(id)
        }),
        role.prop_map(|role| Command::RevokeRole { role }),
        (scope, any::<bool>()).prop_map(|(scope, known)| Command::ChangeScope {
            scope,
            unknown: if known { vec![] } else { vec!["line x".to_owned()] },
        }),
        Just(Command::Suspend),
        Just(Command::Resume),
    ]
}

fn team() -> impl Strategy<Value = TeamCommand> {
    use TeamCommand as Command;
    let name = prop_oneof![Just("East"), Just("West")];
    prop_oneof![
        (any::<bool>(), name.clone()).prop_map(|(line_defined, name)| Command::Register {
            line: read("used-car-sales"),
            line_defined,
            name: read(name)
        }),
        name.prop_map(|name| Command::Rename { name: read(name) }),
        Just(Command::Suspend),
        Just(Command::Resume),
    ]
}

fn attempt() -> impl Strategy<Value = ClueAttemptsCommand> {
    (0..3_u128, 0..9_i64, prop::option::of(0..3_u128)).prop_map(|(operator, minute, winner)| {
        ClueAttemptsCommand::RecordRefusedClaim {
            operator_id: id(operator),
            at: at(minute),
            reason: read("clue_not_pooled"),
            winner: winner.map(id),
            won_at: winner.map(|_| at(0)),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_operator_is_registered_first_and_once(commands in prop::collection::vec(operator(), 1..40)) {
        let walk = Walk::<Operator>::take(&commands, |history, step| {
            each_event_says_something(&step, &["operator.renamed"]);
            let registers = matches!(step.events, [OperatorEvent::Registered { .. }]);
            assert_eq!(history.is_empty(), registers);
        });
        prop_assert_eq!(walk.state.is_registered(), !walk.history.is_empty());
        prop_assert!(walk.state.is_registered() || walk.state.roles().is_empty());
    }

    #[test]
    fn a_team_is_registered_first_and_once(commands in prop::collection::vec(team(), 1..40)) {
        let walk = Walk::<Team>::take(&commands, |history, step| {
            each_event_says_something(&step, &[]);
            assert_eq!(history.is_empty(), matches!(step.events, [TeamEvent::Registered { .. }]));
        });
        prop_assert_eq!(walk.state.line().is_some(), !walk.history.is_empty());
        prop_assert!(walk.state.line().is_some() || !walk.state.is_active());
    }

    #[test]
    fn attempts_are_never_refused_nor_merged(commands in prop::collection::vec(attempt(), 1..20)) {
        let mut state = ClueAttempts::default();
        for command in &commands {
            let events = crate::Aggregate::decide(&state, command.clone())?;
            prop_assert_eq!(events.len(), 1);
            events.iter().for_each(|event| crate::Aggregate::evolve(&mut state, event));
        }
        prop_assert_eq!(state.refused(), commands.len() as u64);
    }
}

#[test]
fn these_commands_lead_to_every_event() {
    reaches_every_event::<Operator>(&prop::collection::vec(operator(), 40));
    reaches_every_event::<Team>(&prop::collection::vec(team(), 40));
}
