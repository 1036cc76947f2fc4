//! Lines, and the directory that keeps them in memory.

use domain::business_line::{BusinessLineEvent, PolicyKind, Signal};

use crate::Directory;
use crate::tests::*;

#[tokio::test]
async fn a_line_is_what_its_events_made_it() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.publish_score("sales", 1, 72, &[(Signal::DealWon, 9)]);
        world.line("sales", BusinessLineEvent::Renamed { name: key("Used cars") });
        world.line("sales", BusinessLineEvent::Suspended {});
        world.catch_up().await;
        let lines = super::load(&world.db).await.unwrap();
        let line = &lines[0];
        assert_eq!((line.name.as_str(), line.country.as_str()), ("Used cars", "CN"));
        assert_eq!((line.time_zone.as_str(), line.currency.as_str()), ("Asia/Shanghai", "CNY"));
        assert!(line.suspended && !line.definition.takes_clues());
        assert_eq!(line.definition.score().half_life_hours, 72);
        assert_eq!(line.definition.policy_version(PolicyKind::Score), 1);
        assert_eq!(line.definition.graph().stages.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn the_directory_is_read_again_only_after_its_own_events() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.catch_up().await;
        let directory = Directory::open(world.db.clone()).await.unwrap();
        assert_eq!(directory.now().lines.len(), 1);
        world.register(1, "sales", "王", "+8613800138001");
        world.catch_up().await;
        assert!(!directory.refresh().await.unwrap());
        world.define_line("service");
        world.catch_up().await;
        assert!(directory.refresh().await.unwrap());
        assert_eq!(directory.now().lines.len(), 2);
    })
    .await;
}
