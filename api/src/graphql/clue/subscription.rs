//! Changes of clues, live and resumable.
//!
//! Guarantees: a change is told after the list shows it, in the order of positions; a subscriber
//! that gives the position of the last change that it saw misses none of the rows that it may see;
//! what is told is what a query at that moment would show. A subscriber that lags reads the list
//! instead of a queue, so that nobody's slowness costs memory. A process that does not keep the list
//! looks at it once a second, and when it takes it over: no change is missed as the keeping goes on to it.
//!
//! Deliberately absent: after a gap, and while another process keeps the list, clues that left the
//! caller's view meanwhile are not named; the list has them no more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, SimpleObject, Subscription};
use domain::clue::Lifecycle;
use domain::ids::{ClueId, OperatorId};
use domain::values::LineKey;
use futures::stream::{self, Stream};
use projections::clue_list::{ClueItem, ClueList};
use projections::read::Holding;
use projections::{ChangedRow, Changes, Viewer, WaitError};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};

use super::types::ClueNode;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Id, Position, Text};
use crate::graphql::services::{Services, Session, session};

/// Rows that a subscriber who lags reads at once.
const CATCH_UP: usize = 200;
/// How often the list is looked at when another process keeps it.
const POLL: Duration = Duration::from_secs(1);

/// A change of a clue.
#[derive(Clone, Debug, SimpleObject)]
pub struct ClueChange {
    /// Give this as `after` to go on from here.
    pub position: Position,
    /// Which clue.
    pub clue_id: Id<ClueId>,
    /// The clue as it is now; null when it left the list.
    pub clue: Option<ClueNode>,
}

/// Subscriptions of clues.
#[derive(Default)]
pub struct ClueSubscription;

type Changed = async_graphql::Result<ClueChange>;

#[Subscription]
impl ClueSubscription {
    /// Every change of a clue that the caller works or oversees.
    async fn clue_list_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Behind this position; from now on when absent.")] after: Option<Position>,
        #[graphql(desc = "Only clues of these lines.")] lines: Option<Vec<Text<LineKey>>>,
    ) -> async_graphql::Result<impl Stream<Item = Changed> + use<>> {
        watch(session(ctx)?, View::List, after, lines).await
    }

    /// Every clue that comes into a pool that the caller may claim from, changes there, or leaves.
    async fn pool_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Behind this position; from now on when absent.")] after: Option<Position>,
        #[graphql(desc = "Only pools of these lines.")] lines: Option<Vec<Text<LineKey>>>,
    ) -> async_graphql::Result<impl Stream<Item = Changed> + use<>> {
        watch(session(ctx)?, View::Pool, after, lines).await
    }
}

/// Which clues are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    List,
    Pool,
}

struct Watcher {
    session: Session,
    operator_id: OperatorId,
    view: View,
    lines: Option<Vec<LineKey>>,
    changes: Receiver<Changes>,
    /// How far the subscriber was told of rows that are in the view.
    told: domain::Position,
    /// How far the subscriber was told of rows that left it too. Reading the list does not tell of those.
    told_of_leaving: domain::Position,
    /// Whether rows behind that may have been missed.
    behind: bool,
    /// When the list is looked at if nobody tells of it.
    look_at: Instant,
    waiting: VecDeque<ClueChange>,
}

async fn watch(
    session: &Session,
    view: View,
    after: Option<Position>,
    lines: Option<Vec<Text<LineKey>>>,
) -> async_graphql::Result<impl Stream<Item = Changed> + use<>> {
    let watcher = Watcher::new(session, view, after, lines).await?;
    Ok(stream::unfold(Some(watcher), |watcher| async move {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(Some(change)) => Some((Ok(change), Some(watcher))),
            Ok(None) => None,
            Err(error) => Some((Err(error.into()), None)),
        }
    }))
}

/// How far the list is now.
async fn reached(services: &Services) -> Result<domain::Position, ApiError> {
    let end = domain::Position::new(i64::MAX);
    match services.projections.wait_for(&[ClueList::NAME], end, Duration::ZERO).await {
        Ok(()) => Ok(end),
        Err(WaitError::Stale { at, .. }) => Ok(at),
        Err(WaitError::Sql(error)) => Err(error.into()),
    }
}

impl Watcher {
    async fn new(
        session: &Session,
        view: View,
        after: Option<Position>,
        lines: Option<Vec<Text<LineKey>>>,
    ) -> Result<Self, ApiError> {
        let services = &session.services;
        // Listening begins before the list is read, or a change between the two would be missed.
        let changes = services.projections.changes();
        let told = match after {
            Some(after) => after.0,
            None => reached(services).await?,
        };
        Ok(Self {
            session: session.clone(),
            operator_id: session.request.caller.operator_id,
            view,
            lines: lines.map(|lines| lines.into_iter().map(|line| line.0).collect()),
            changes,
            told,
            told_of_leaving: told,
            behind: true,
            look_at: Instant::now() + POLL,
            waiting: VecDeque::new(),
        })
    }

    async fn next(&mut self) -> Result<Option<ClueChange>, ApiError> {
        loop {
            if let Some(change) = self.waiting.pop_front() {
                return Ok(Some(change));
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            tokio::select! {
                changes = self.changes.recv() => match changes {
                    Ok(changes) if changes.model == ClueList::NAME => self.hear(&changes).await?,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.behind = true,
                    Err(RecvError::Closed) => return Ok(None),
                },
                () = sleep_until(self.look_at) => self.behind = true,
            }
        }
    }

    /// What the caller may see now: roles and scope may have changed since the beginning.
    fn viewer(&mut self) -> Result<Viewer, ApiError> {
        self.session.snapshot = self.session.services.directory.now();
        let viewer = self.session.snapshot.viewer(self.operator_id);
        let viewer =
            viewer.ok_or_else(|| ApiError::new("operator_suspended", "the operator is suspended"))?;
        self.session.viewer = viewer.clone();
        Ok(viewer)
    }

    /// Reads what changed behind the last position that was told.
    async fn catch_up(&mut self) -> Result<(), ApiError> {
        let viewer = self.viewer()?;
        let services = Arc::clone(&self.session.services);
        let (items, covered) = services.clues.changed_since(&viewer, self.told, CATCH_UP).await?;
        self.behind = covered > self.told;
        self.look_at = Instant::now() + POLL;
        let before = std::mem::replace(&mut self.told, covered);
        let mut rows = Vec::new();
        for item in items {
            let (line, pooled) = (item.clue.line.clone(), item.clue.lifecycle == Lifecycle::Pooled);
            let relevant = match self.view {
                View::Pool => pooled,
                View::List => works(&viewer, &item),
            };
            if relevant && self.wants(&line) {
                rows.push(ClueChange {
                    position: Position(item.clue.position),
                    clue_id: Id(item.clue.clue_id),
                    clue: Some(ClueNode::new(item, &self.session)),
                });
            }
        }
        self.waiting.extend(resumable(before, rows));
        Ok(())
    }

    /// Tells the rows of one commit, after those that were committed elsewhere before it.
    async fn hear(&mut self, changes: &Changes) -> Result<(), ApiError> {
        self.behind = self.told < changes.since;
        while self.behind && self.waiting.len() < CATCH_UP {
            self.catch_up().await?;
        }
        // Whoever lags by more goes on reading, and comes to the rows of this commit in the end.
        if self.behind { Ok(()) } else { self.tell(changes).await }
    }

    /// Tells the rows of one commit.
    async fn tell(&mut self, changes: &Changes) -> Result<(), ApiError> {
        let viewer = self.viewer()?;
        let mut rows: Vec<&ChangedRow> = changes
            .rows
            .iter()
            .filter(|row| row.position > self.told_of_leaving && self.concerns(&viewer, row))
            .collect();
        // Whoever stops in the middle goes on behind the last position that came.
        rows.sort_by_key(|row| row.position);
        let ids: Vec<ClueId> = rows.iter().filter_map(|row| row.id.parse().ok()).collect();
        let services = Arc::clone(&self.session.services);
        let mut items =
            if ids.is_empty() { Default::default() } else { services.clues.by_ids(&viewer, &ids).await? };
        let mut told = Vec::new();
        for (row, id) in rows.into_iter().zip(ids) {
            let item = items.remove(&id).filter(|item| match self.view {
                View::Pool => item.clue.lifecycle == Lifecycle::Pooled,
                View::List => works(&viewer, item),
            });
            // The list was read between the commit and the word of it: what is in view was told then.
            if row.position <= self.told && item.is_some() {
                continue;
            }
            told.push(ClueChange {
                position: Position(row.position.max(self.told)),
                clue_id: Id(id),
                clue: item.map(|item| ClueNode::new(item, &self.session)),
            });
        }
        self.waiting.extend(resumable(self.told, told));
        self.look_at = Instant::now() + POLL;
        self.told = self.told.max(changes.position);
        self.told_of_leaving = self.told_of_leaving.max(changes.position);
        Ok(())
    }

    /// Whether the viewer may see the row now, or might before.
    fn concerns(&self, viewer: &Viewer, row: &ChangedRow) -> bool {
        let Some(line) = row.line.as_ref().filter(|line| self.wants(line)) else { return false };
        let held = |index: usize, pooled| {
            let holding = Holding { line, owner: row.owners[index], team: row.teams[index], pooled };
            viewer.sight_of_clue(holding).is_some()
        };
        match self.view {
            View::Pool => row.pooled && held(0, true),
            View::List => held(0, false) || held(1, false),
        }
    }

    fn wants(&self, line: &LineKey) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.contains(line))
    }
}

/// Changes in their order, as a subscriber may go on from each. One event changes all clues of a person:
/// whoever stops in the middle of these goes on in front of that event, and hears of some of them twice.
/// No position is before what was told already.
fn resumable(told: domain::Position, mut changes: Vec<ClueChange>) -> Vec<ClueChange> {
    for index in 1..changes.len() {
        let at = changes[index].position.0;
        if changes[index - 1].position.0 == at {
            let before = domain::Position::new(at.get() - 1).max(told);
            changes[index - 1].position = Position(before);
        }
    }
    changes
}

/// Whether the viewer works or oversees the clue, which seeing it in the pool is not.
fn works(viewer: &Viewer, item: &ClueItem) -> bool {
    let clue = &item.clue;
    let holding = Holding { line: &clue.line, owner: clue.owner_id, team: clue.team_id, pooled: false };
    viewer.sight_of_clue(holding).is_some()
}

#[cfg(test)]
mod tests {
    use domain::operator::Role;
    use serde_json::json;
    use tokio::sync::broadcast;

    use super::*;
    use crate::graphql::tests::world::World;

    /// A manager's watcher that has read the list before it had the clue, and hears what the test tells it.
    async fn who_heard_nothing(
        world: &World,
        clue: &serde_json::Value,
    ) -> (Watcher, broadcast::Sender<Changes>) {
        let manager = world.who(Role::Manager);
        world
            .data(
                manager,
                "query C($at: Position) { clueCount(atLeast: $at) { count } }",
                json!({ "at": clue["position"] }),
            )
            .await;
        let start = Some(Position(domain::Position::ZERO));
        let mut watcher = Watcher::new(&world.session(manager), View::List, start, None).await.unwrap();
        let (tell, changes) = broadcast::channel(8);
        (watcher.behind, watcher.changes) = (false, changes);
        (watcher, tell)
    }

    async fn told(watcher: &mut Watcher) -> serde_json::Value {
        let told = tokio::time::timeout(Duration::from_secs(20), watcher.next()).await;
        json!(told.expect("a change is told").ok().flatten().unwrap().clue_id.0)
    }

    #[tokio::test]
    async fn what_another_process_kept_before_this_one_took_the_list_over_is_told_first() {
        let world = World::new().await;
        let before = world.pooled("13800138500").await;
        let since = position(&before);
        let clue = world.pooled("13800138501").await;
        let (mut watcher, tell) = who_heard_nothing(&world, &clue).await;
        tell.send(Changes { model: ClueList::NAME, since, position: position(&clue), rows: [].into() })
            .unwrap();
        assert_eq!(told(&mut watcher).await, before["clueId"]);
        assert_eq!(told(&mut watcher).await, clue["clueId"]);
        world.end().await;
    }

    #[tokio::test]
    async fn the_list_of_another_process_is_looked_at_however_much_this_one_tells_of_others() {
        let world = World::new().await;
        let clue = world.pooled("13800138500").await;
        let (mut watcher, tell) = who_heard_nothing(&world, &clue).await;
        let noise = tokio::spawn(async move {
            let changes = Changes {
                model: "history",
                since: domain::Position::ZERO,
                position: domain::Position::ZERO,
                rows: [].into(),
            };
            let mut often = tokio::time::interval(POLL / 4);
            while tell.send(changes.clone()).is_ok() {
                often.tick().await;
            }
        });
        assert_eq!(told(&mut watcher).await, clue["clueId"]);
        noise.abort();
        world.end().await;
    }

    fn position(answer: &serde_json::Value) -> domain::Position {
        domain::Position::new(answer["position"].as_str().unwrap().parse().unwrap())
    }

    #[tokio::test]
    async fn a_clue_that_leaves_is_named_also_when_the_list_was_read_before_the_word_of_it_came() {
        let world = World::new().await;
        let (agent, other) = (world.agent(0), world.agent(1));
        let clue = world.pooled("13800138500").await;
        let query =
            "query P($at: Position) { poolCount(atLeast: $at) clues(atLeast: $at) { edges { cursor } } }";
        world.data(agent, query, json!({ "at": clue["position"] })).await;
        let mut watcher = Watcher::new(&world.session(other), View::Pool, None, None).await.unwrap();
        let claimed = world.done(agent, "claimClue", "ClueInput", json!({ "clueId": clue["clueId"] })).await;
        // The list has the claim, and the word of it waits to be heard, when the watcher begins.
        world.data(agent, query, json!({ "at": claimed["position"] })).await;
        let told = tokio::time::timeout(Duration::from_secs(20), watcher.next()).await;
        let change = told.expect("the claim is told").ok().flatten().unwrap();
        assert_eq!(json!(change.clue_id.0), clue["clueId"]);
        assert!(change.clue.is_none(), "it left the pool");
        world.end().await;
    }
}
