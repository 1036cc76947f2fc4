//! Operators and teams.

use domain::operator::{OperatorEvent, Role, Scope};
use domain::personal::Personal;
use domain::team::TeamEvent;

use crate::Directory;
use crate::tests::*;

#[tokio::test]
async fn roles_and_scope_follow_the_last_event_and_a_suspended_operator_is_no_viewer() {
    on_each_database(|world| async move {
        let scope = |lines: &[&str], teams: &[u128]| Scope {
            lines: lines.iter().map(|line| key(line)).collect(),
            teams: teams.iter().map(|n| team(*n)).collect(),
        };
        world.on_team(1, TeamEvent::Registered { line: key("sales"), name: key("North") });
        world.on_team(1, TeamEvent::Renamed { name: key("North 1") });
        for n in 1..=2 {
            world.on_operator(n, OperatorEvent::Registered { name: Personal::Clear(format!("赵{n}")) });
            world.on_operator(n, OperatorEvent::RoleGranted { role: Role::Agent });
        }
        world.on_operator(1, OperatorEvent::RoleGranted { role: Role::TeamLead });
        world.on_operator(1, OperatorEvent::RoleRevoked { role: Role::Agent });
        world.on_operator(1, OperatorEvent::ScopeChanged { scope: scope(&["sales", "service"], &[1, 2]) });
        world.on_operator(1, OperatorEvent::ScopeChanged { scope: scope(&["sales"], &[2, 3]) });
        world.on_operator(2, OperatorEvent::Suspended {});
        world.catch_up().await;
        let directory = Directory::open(world.db.clone()).await.unwrap().now();
        let expected = viewer(1, Role::TeamLead, &["sales"], &[2, 3]);
        assert_eq!(directory.viewer(operator(1)), Some(expected));
        assert_eq!(directory.viewer(operator(2)), None);
        assert_eq!(directory.viewer(operator(9)), None);
        assert_eq!(directory.operator_name(operator(1)), Some("赵1"));
        assert_eq!(directory.teams[&team(1)].name, "North 1");
    })
    .await;
}
