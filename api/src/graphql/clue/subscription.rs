//! Changes of clues, live and resumable.
//!
//! Guarantees: a change is told after the list shows it, in the order of positions; a subscriber
//! that gives the position of the last change that it saw misses no row that it may see, and no clue
//! that left its view; what is told is what a query at that moment would show. A subscriber that lags
//! reads the list instead of a queue, so that nobody's slowness costs memory. A process that does not
//! keep the list looks at it once a second, and when it takes it over: no change is missed as the keeping
//! goes on to it.
//!
//! Deliberately absent: clues that leave the caller's view because the caller's own roles change.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, SimpleObject, Subscription};
use domain::ids::{ClueId, OperatorId};
use domain::values::LineKey;
use futures::stream::{self, Stream};
use projections::clue_list::{ClueItem, ClueList, DepartureRow};
use projections::read::Holding;
use projections::{ChangedClue, Changes, Viewer, WaitError};
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
    /// How far the subscriber was told.
    told: domain::Position,
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
        let since = services.clues.changed_since(&viewer, self.told, CATCH_UP).await?;
        self.behind = since.covered > self.told;
        self.look_at = Instant::now() + POLL;
        let before = std::mem::replace(&mut self.told, since.covered);
        let mut told = Vec::new();
        for item in since.items {
            if self.wants(&item.clue.line) && self.shows(&viewer, &item) {
                let clue_id = item.clue.clue_id;
                told.push(self.change(item.clue.position, clue_id, Some(item)));
            }
        }
        // The last one of each clue says it.
        let mut left = BTreeMap::new();
        for departure in &since.departures {
            if self.wants(&departure.line) && self.lost(&viewer, departure) {
                left.insert(departure.clue_id, departure.position);
            }
        }
        let items = self.in_view(&viewer, left.keys().copied().collect()).await?;
        // What came back is told by its row.
        left.retain(|clue_id, _| !items.contains_key(clue_id));
        told.extend(left.into_iter().map(|(clue_id, position)| self.change(position, clue_id, None)));
        told.sort_by_key(|change| change.position.0);
        self.waiting.extend(resumable(before, told));
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
        // What was read between the commit and the word of it was told then.
        let new = |clue: &&ChangedClue| clue.position > self.told && self.concerns(&viewer, clue);
        let clues: Vec<&ChangedClue> = changes.clues.iter().filter(new).collect();
        let ids = clues.iter().map(|clue| clue.clue_id).collect();
        let mut items = self.in_view(&viewer, ids).await?;
        let mut told = Vec::new();
        for clue in clues {
            let item = items.remove(&clue.clue_id);
            // What left is told where it did: whoever goes on behind that hears of no earlier leaving.
            let left = clue.left.filter(|_| item.is_none());
            let position = left.unwrap_or(clue.position).max(self.told);
            told.push(self.change(position, clue.clue_id, item));
        }
        // Whoever stops in the middle goes on behind the last position that came.
        told.sort_by_key(|change| change.position.0);
        self.waiting.extend(resumable(self.told, told));
        self.look_at = Instant::now() + POLL;
        self.told = self.told.max(changes.position);
        Ok(())
    }

    /// Those of these clues that are in the view now.
    async fn in_view(
        &self,
        viewer: &Viewer,
        ids: Vec<ClueId>,
    ) -> Result<HashMap<ClueId, ClueItem>, ApiError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut items = self.session.services.clues.by_ids(viewer, &ids).await?;
        items.retain(|_, item| self.shows(viewer, item));
        Ok(items)
    }

    fn change(&self, position: domain::Position, clue_id: ClueId, item: Option<ClueItem>) -> ClueChange {
        let clue = item.map(|item| ClueNode::new(item, &self.session));
        ClueChange { position: Position(position), clue_id: Id(clue_id), clue }
    }

    /// Whether a clue that the viewer sees is in the view: in the pool, or one that the viewer works or
    /// oversees, which seeing it in the pool is not.
    fn shows(&self, viewer: &Viewer, item: &ClueItem) -> bool {
        let holding = item.clue.holding();
        match self.view {
            View::Pool => holding.pooled,
            View::List => viewer.sight_of_clue(Holding { pooled: false, ..holding }).is_some(),
        }
    }

    /// Whether a clue that left was in the view until then.
    fn lost(&self, viewer: &Viewer, departure: &DepartureRow) -> bool {
        let held = Holding { pooled: false, ..departure.holding() };
        // Whoever oversees the whole line has it still.
        let whoever = Holding { owner: None, team: None, ..held };
        match self.view {
            View::Pool => departure.pooled,
            View::List => viewer.sight_of_clue(held).is_some() && viewer.sight_of_clue(whoever).is_none(),
        }
    }

    /// Whether the viewer may see the clue now, or might before.
    fn concerns(&self, viewer: &Viewer, clue: &ChangedClue) -> bool {
        let held = |index: usize, pooled| {
            let (owner, team) = (clue.owners[index], clue.teams[index]);
            viewer.sight_of_clue(Holding { line: &clue.line, owner, team, pooled }).is_some()
        };
        self.wants(&clue.line)
            && match self.view {
                View::Pool => clue.pooled && held(0, true),
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
        json!(change(watcher).await.clue_id.0)
    }

    async fn change(watcher: &mut Watcher) -> ClueChange {
        let told = tokio::time::timeout(Duration::from_secs(20), watcher.next()).await;
        told.expect("a change is told").ok().flatten().unwrap()
    }

    #[tokio::test]
    async fn what_another_process_kept_before_this_one_took_the_list_over_is_told_first() {
        let world = World::new().await;
        let before = world.pooled("13800138500").await;
        let since = position(&before);
        let clue = world.pooled("13800138501").await;
        let (mut watcher, tell) = who_heard_nothing(&world, &clue).await;
        tell.send(Changes { model: ClueList::NAME, since, position: position(&clue), clues: [].into() })
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
                clues: [].into(),
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

    #[tokio::test]
    async fn a_clue_that_leaves_is_named_also_where_another_process_keeps_the_list() {
        let world = World::new().await;
        let agent = world.agent(0);
        let clue = world.owned("13800138500", agent).await;
        let after = Some(Position(position(&clue)));
        let mut watcher = Watcher::new(&world.session(agent), View::List, after, None).await.unwrap();
        let (_nobody, changes) = broadcast::channel(8);
        watcher.changes = changes;
        let input = json!({ "clueId": clue["clueId"] });
        let released = world.done(agent, "releaseClue", "ReleaseClueInput", input).await;
        let change = change(&mut watcher).await;
        assert_eq!(json!(change.clue_id.0), clue["clueId"]);
        assert_eq!(change.position.0, position(&released));
        assert!(change.clue.is_none(), "it left the list");
        world.end().await;
    }

    #[tokio::test]
    async fn whoever_stops_in_the_middle_of_a_commit_was_told_what_left_before_that() {
        let world = World::new().await;
        let (agent, other) = (world.agent(0), world.agent(1));
        let (left, stayed) =
            (world.owned("13800138500", agent).await, world.owned("13800138501", agent).await);
        let after = Some(Position(position(&stayed)));
        let mut watcher = Watcher::new(&world.session(agent), View::List, after, None).await.unwrap();
        let (tell, changes) = broadcast::channel(8);
        (watcher.behind, watcher.changes) = (false, changes);
        let one = |clue: &serde_json::Value| json!({ "clueId": clue["clueId"] });
        let released = world.done(agent, "releaseClue", "ReleaseClueInput", one(&left)).await;
        let call = json!({ "clueId": stayed["clueId"], "channel": "CALL", "outcome": "CONNECTED" });
        let called = world.done(agent, "logFollowUp", "LogFollowUpInput", call).await;
        let claimed = world.done(other, "claimClue", "ClueInput", one(&left)).await;
        let query = "query L($at: Position) { clues(atLeast: $at) { pageInfo { hasNextPage } } }";
        world.data(agent, query, json!({ "at": claimed["position"] })).await;
        // As one commit of all three has it.
        let changed = |clue: &serde_json::Value, at, left, owner| ChangedClue {
            clue_id: serde_json::from_value(clue["clueId"].clone()).unwrap(),
            position: position(at),
            left,
            line: "used-car-sales".parse().unwrap(),
            owners: [Some(owner), Some(agent)],
            teams: [None, None],
            pooled: false,
        };
        let clues = [
            changed(&left, &claimed, Some(position(&released)), other),
            changed(&stayed, &called, None, agent),
        ];
        let since = position(&stayed);
        let position = position(&claimed);
        tell.send(Changes { model: ClueList::NAME, since, position, clues: clues.into() }).unwrap();
        assert_eq!(told(&mut watcher).await, left["clueId"]);
        assert_eq!(told(&mut watcher).await, stayed["clueId"]);
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
        let change = change(&mut watcher).await;
        assert_eq!(json!(change.clue_id.0), clue["clueId"]);
        assert!(change.clue.is_none(), "it left the pool");
        world.end().await;
    }
}
