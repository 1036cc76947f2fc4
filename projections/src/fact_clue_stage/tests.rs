//! Stage intervals.

use domain::clue::{ClueEvent, Lifecycle};
use domain::operator::Role;

use super::*;
use crate::read::{Paging, Viewer};
use crate::tests::*;

#[tokio::test]
async fn each_stay_in_a_stage_is_one_interval_with_its_owner_and_seconds() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "王", "+8613800138001");
        let captured = world.capture(1, 1, "sales");
        world.assign(1, 1, "sales", 1, Some(1));
        let moved = world.move_stage(1, 1, "sales", "new", "talking");
        world.assign(1, 1, "sales", 2, Some(2));
        world.move_stage(1, 1, "sales", "talking", "waiting");
        let lost = ClueEvent::Lost {
            by: operator(2),
            approved_by: None,
            reason: key("price"),
            stage: key("lost"),
            note: None,
        };
        world.on_clue(1, 1, "sales", lost);
        world.on_clue(1, 1, "sales", ClueEvent::Reopened { stage: key("new"), graph_version: 1 });
        world.on_clue(1, 1, "sales", ClueEvent::Invalidated { reason: key("spam") });
        world.catch_up().await;
        let bi = viewer(9, Role::Bi, &["sales"], &[]);
        let query = FactClueStageQuery::new(world.db.clone());
        let page = query.page(&bi, &key("sales"), &Paging::first(50)).await.unwrap();
        let rows: Vec<&StageIntervalRow> = page.nodes().collect();
        let stages: Vec<(i64, &str, &str)> =
            rows.iter().map(|r| (r.interval_number, r.stage.as_str(), r.category.as_str())).collect();
        assert_eq!(
            stages,
            [
                (1, "new", "open"),
                (2, "talking", "ongoing"),
                (3, "waiting", "hold"),
                (4, "lost", "lost"),
                (5, "new", "open"),
            ]
        );
        assert_eq!((rows[0].entered_position, rows[0].left_position), (captured, Some(moved)));
        assert_eq!(
            rows.iter().map(|r| r.seconds).collect::<Vec<_>>(),
            [Some(2), Some(2), Some(1), Some(1), Some(1)]
        );
        assert_eq!(rows[1].owner_id, Some(operator(1)));
        assert_eq!((rows[2].owner_id, rows[2].team_id), (Some(operator(2)), Some(team(2))));
        assert_eq!((rows[4].owner_id, rows[4].lifecycle), (None, Lifecycle::Pooled));
    })
    .await;
}

#[tokio::test]
async fn intervals_of_a_clue_never_overlap_and_a_standing_clue_has_one_open() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let overlapping = "SELECT count(*) FROM fact_clue_stage a JOIN fact_clue_stage b \
            ON b.clue_id = a.clue_id AND b.interval_number = a.interval_number + 1 \
            WHERE a.left_at IS NULL OR a.left_at > b.entered_at";
        assert_eq!(world.number(overlapping).await, 0);
        let open = "SELECT count(*) FROM fact_clue_stage WHERE left_at IS NULL";
        assert_eq!(world.number(open).await, 8);
        let query = FactClueStageQuery::new(world.db.clone());
        let all = Viewer::system();
        let summary = query.summary(&all, &key("sales"), at(0), at(10_000)).await.unwrap();
        let stays: i64 = summary.iter().map(|stage| stage.entered).sum();
        assert_eq!(stays, world.number("SELECT count(*) FROM fact_clue_stage WHERE line = 'sales'").await);
        let talking = summary.iter().find(|stage| stage.stage.as_str() == "talking").unwrap();
        assert_eq!((talking.entered, talking.left), (3, 2));
    })
    .await;
}
