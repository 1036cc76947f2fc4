//! The past: states, lists, permissions, erasure, changes, and the plans of its queries.

mod changes;
mod lists;
mod permissions;
mod plans;
mod random;

use std::sync::Arc;

use domain::envelope::Position;
use domain::ids::ClueId;
use domain::ports::EventReader as _;

use super::*;
use crate::clue_list::{ClueFilter, ClueItem, ClueOrder};
use crate::read::{Moment, Page, Paging, QueryError, Viewer};
use crate::sql::Database;
use crate::tests::*;

fn history(db: &Database) -> HistoryQuery {
    HistoryQuery::new(db.clone(), Arc::new(FakeIndex))
}

/// The moment of a position.
fn moment(world: &World, position: Position) -> Moment {
    let head = Position::ZERO.plus(world.log.events.lock().unwrap().len());
    Moment { at: at(position.get()), position, head }
}

async fn clue_at(world: &World, viewer: &Viewer, n: u128, position: Position) -> Option<ClueItem> {
    history(&world.db).clues_at(viewer, &[clue(n)], position).await.unwrap().remove(&clue(n))
}

async fn page_at(
    world: &World,
    viewer: &Viewer,
    filter: &ClueFilter,
    position: Position,
) -> Result<Page<ClueItem>, QueryError> {
    let moment = moment(world, position);
    history(&world.db).page(viewer, filter, ClueOrder::Captured, &moment, &Paging::first(100)).await
}

async fn listed(world: &World, viewer: &Viewer, filter: &ClueFilter, position: Position) -> Vec<u128> {
    let page = page_at(world, viewer, filter, position).await.unwrap();
    let mut ids: Vec<u128> = page.nodes().map(|item| short(item.clue.clue_id)).collect();
    ids.sort_unstable();
    ids
}

fn short(id: ClueId) -> u128 {
    id.uuid().as_u128() & 0xffff
}

#[tokio::test]
async fn an_instant_is_the_last_event_that_was_recorded_by_then() {
    let world = on_sqlite().await;
    assert_eq!(world.1.log.position_at(at(5)).await.unwrap(), Position::ZERO, "an empty log");
    let world = &world.1;
    world.define_line("sales");
    let third = world.append_at(10, stream(1), None, None, &team_event());
    for seconds in [10, 10, 12] {
        world.append_at(seconds, stream(1), None, None, &team_event());
    }
    let log = &world.log;
    assert_eq!(log.position_at(at(0)).await.unwrap(), Position::ZERO, "before the first event");
    assert_eq!(log.position_at(at(1)).await.unwrap(), Position::new(1));
    assert_eq!(log.position_at(at(9)).await.unwrap(), Position::new(third.get() - 1));
    assert_eq!(log.position_at(at(10)).await.unwrap(), third.plus(2), "all that were recorded at once");
    assert_eq!(log.position_at(at(11)).await.unwrap(), third.plus(2));
    assert_eq!(log.position_at(at(12)).await.unwrap(), third.plus(3));
    assert_eq!(log.position_at(at(99)).await.unwrap(), third.plus(3));
    let projections = world.projections();
    world.clock.0.store(at(11).micros(), std::sync::atomic::Ordering::SeqCst);
    let now = projections.moment(at(11)).await.unwrap().unwrap();
    assert_eq!((now.position, now.head), (third.plus(2), third.plus(3)));
    assert_eq!(projections.moment(at(12)).await.unwrap(), None, "yet to come");
}

fn stream(n: u128) -> domain::StreamId {
    domain::StreamId::of::<domain::team::Team>(&team(n))
}

fn team_event() -> Event_ {
    Event_::Team(domain::team::TeamEvent::Renamed { name: key("Team") })
}

/// Events that concern nobody, so that the log grows old.
fn grow(world: &World, count: usize) {
    for _ in 0..count {
        world.line("sales", domain::business_line::BusinessLineEvent::Renamed { name: key("Sales") });
    }
}
