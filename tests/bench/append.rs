//! Commands that append one event, through the real command service, sealing included.

use std::collections::BTreeMap;
use std::sync::Arc;

use commands::clock::{Clock, SystemClock, fresh_uuid};
use commands::service::{CommandContext, UseCase};
use commands::use_cases::clue::{CaptureClue, CapturedCustomer, ClueStep, Route, WorkClue};
use commands::use_cases::customer::RegisterCustomer;
use domain::clue::{FollowUpChannel, FollowUpOutcome, Need, Source};
use domain::envelope::Actor;
use domain::ids::{ClueId, CommandId, CustomerId};
use domain::operator::Role;
use domain::personal::Personal;
use futures::{StreamExt, stream};
use tests::eventstore_double::EventStoreDouble;
use tests::given::{World, parse};
use tests::stores::{Backend, EventStoreStore, Store};

use crate::cluster::{self, CALLERS, ROUNDS, STEP, checkpoint, our_world};
use crate::limits;
use crate::load::{Reached, closed_loop};
use crate::report::Report;
use crate::stock::{self, Framework};

const FRESH: &str = "append, fresh aggregates, 64 callers";
const LOADED: &str = "append, aggregates of 100 events, 64 callers";
/// Aggregates that carry 100 events each.
const AGGREGATES: usize = 500;
const EVENTS_EACH: usize = 100;

/// Ours beside stock and the insert limit, on PostgreSQL.
pub async fn on_postgres(report: &mut Report) {
    let cluster = cluster::start();
    let ours = Ours::prepare(our_world(&cluster, "ours").await).await;
    let (pool, framework) = stock::framework(cluster.database("stock").await).await;
    load_stock(&framework).await;
    let mut limit = limits::events_table(cluster.database("limit_of_inserts").await).await;
    for _ in 0..ROUNDS {
        checkpoint(&cluster).await;
        report.record(FRESH, "insert limit", "events/s", limits::unnest(&mut limit, STEP).await);
        checkpoint(&cluster).await;
        report.record(FRESH, "stock", "commands/s", stock_fresh(&framework).await.per_second);
        checkpoint(&cluster).await;
        report.commands(FRESH, "a customer", &ours.customers().await);
        checkpoint(&cluster).await;
        report.commands(FRESH, "a clue", &ours.clues().await);
        checkpoint(&cluster).await;
        report.commands(FRESH, "a clue with its need", &ours.clues_with_need().await);
        checkpoint(&cluster).await;
        report.record(LOADED, "stock", "commands/s", stock_loaded(&framework).await.per_second);
        checkpoint(&cluster).await;
        report.commands(LOADED, "a follow-up", &ours.follow_ups().await);
    }
    pool.close().await;
    report.ratio(FRESH, "a customer", "stock", Some(7.0));
    report.ratio(FRESH, "a customer", "insert limit", None);
    report.ratio(FRESH, "a clue", "stock", None);
    report.ratio(FRESH, "a clue with its need", "stock", None);
    report.ratio(LOADED, "a follow-up", "stock", Some(10.0));
}

/// Ours beside the batched-insert limit, on SQLite.
pub async fn on_sqlite(report: &mut Report) {
    let store = Store::fresh(Backend::Sqlite).await;
    let ours = Ours::prepare(World::new(store.service(Arc::new(SystemClock)).await).await).await;
    let section = "append on SQLite, 64 callers";
    for _ in 0..ROUNDS {
        report.record(section, "insert limit", "events/s", limits::sqlite_batches(STEP).await);
        report.commands(section, "a customer", &ours.customers().await);
        report.commands(section, "a clue", &ours.clues().await);
        report.commands(section, "a follow-up", &ours.follow_ups().await);
    }
    report.ratio(section, "a customer", "insert limit", None);
    report.ratio(section, "a clue", "insert limit", None);
    report.ratio(section, "a follow-up", "insert limit", None);
}

/// Ours on the *double* of EventStoreDB, which keeps everything in memory: what is measured is our side
/// and the protocol, not a server.
pub async fn on_the_eventstore_double(report: &mut Report) {
    let replica = Store::fresh(Backend::Sqlite).await;
    let store = Store::EventStore(EventStoreStore::on(EventStoreDouble::start().await, replica));
    let ours = Ours::prepare(World::new(store.service(Arc::new(SystemClock)).await).await).await;
    let section = "append on a double of EventStoreDB, replica in SQLite, 64 callers";
    for _ in 0..ROUNDS {
        report.commands(section, "a customer", &ours.customers().await);
        report.commands(section, "a clue", &ours.clues().await);
        report.commands(section, "a follow-up", &ours.follow_ups().await);
    }
}

fn system() -> CommandContext {
    CommandContext::new(CommandId::new(fresh_uuid(SystemClock.now())), Actor::System(parse("bench")))
}

/// Our side: customers, each with one clue that has its hundred events.
struct Ours {
    world: Arc<World>,
    worked: Arc<Vec<(ClueId, CustomerId)>>,
}

impl Ours {
    async fn prepare(world: World) -> Self {
        let world = Arc::new(world);
        let agent = world.hire(&[Role::Agent]).await;
        let owned = stream::iter(0..AGGREGATES).map(|n| {
            let world = world.clone();
            async move { world.owned_clue(&format!("138{n:08}"), agent).await }
        });
        let worked: Vec<_> = owned.buffer_unordered(CALLERS).collect().await;
        let calls = (0..EVENTS_EACH).flat_map(|_| worked.clone()).collect::<Vec<_>>();
        let worker = &world;
        stream::iter(calls)
            .for_each_concurrent(CALLERS, |(clue, _)| async move {
                worker.done(&system(), &follow_up(clue)).await;
            })
            .await;
        Self { world, worked: Arc::new(worked) }
    }

    #[allow(clippy::cast_possible_truncation)]
    async fn each<U: UseCase + 'static>(&self, use_case: fn(&World, (ClueId, CustomerId)) -> U) -> Reached {
        let (world, worked) = (self.world.clone(), self.worked.clone());
        closed_loop(CALLERS, STEP, move |n| {
            let (world, about) = (world.clone(), worked[n as usize % worked.len()]);
            async move {
                world.done(&system(), &use_case(&world, about)).await;
            }
        })
        .await
    }

    /// A known customer's next clue: one event of a fresh aggregate, nothing to seal.
    async fn clues(&self) -> Reached {
        self.each(|world, (_, customer)| clue(world, customer, None)).await
    }

    /// A known customer's next clue with a sealed note: two events of a fresh aggregate.
    async fn clues_with_need(&self) -> Reached {
        self.each(|world, (_, customer)| {
            let note = Some(Personal::Clear(stock::text()));
            clue(world, customer, Some(Need { note, ..Need::default() }))
        })
        .await
    }

    /// A new customer with a sealed name: one event of a fresh aggregate, and a data key.
    async fn customers(&self) -> Reached {
        self.each(|world, _| RegisterCustomer {
            line: world.line.clone(),
            source: website(),
            name: Some(Personal::Clear(stock::text())),
            contacts: Vec::new(),
        })
        .await
    }

    /// One more event of an aggregate that has a hundred.
    async fn follow_ups(&self) -> Reached {
        self.each(|_, (clue, _)| follow_up(clue)).await
    }
}

fn clue(world: &World, customer: CustomerId, need: Option<Need>) -> CaptureClue {
    CaptureClue {
        line: world.line.clone(),
        source: website(),
        customer: CapturedCustomer::Known(customer),
        need,
        fields: BTreeMap::new(),
        route: Route::Wait,
    }
}

fn website() -> Source {
    Source { channel: parse("website"), key: None, campaign: None }
}

fn follow_up(clue_id: ClueId) -> WorkClue {
    let step = ClueStep::LogFollowUp {
        channel: FollowUpChannel::Call,
        outcome: FollowUpOutcome::NoAnswer,
        duration_seconds: None,
        next_at: None,
        note: Some(Personal::Clear(stock::text())),
    };
    WorkClue { clue_id, step }
}

async fn take_note(framework: &Framework, id: &str) {
    // Two callers of one aggregate may conflict; stock answers that with an error.
    let _ = framework.execute_with_metadata(id, stock::Take(stock::text()), stock::metadata()).await;
}

async fn load_stock(framework: &Framework) {
    for _ in 0..EVENTS_EACH {
        stream::iter(0..AGGREGATES)
            .for_each_concurrent(CALLERS, |n| async move {
                take_note(framework, &format!("loaded-{n}")).await;
            })
            .await;
    }
}

async fn stock_fresh(framework: &Framework) -> Reached {
    let framework = framework.clone();
    closed_loop(CALLERS, STEP, move |_| {
        let framework = framework.clone();
        async move { take_note(&framework, &fresh_uuid(SystemClock.now()).to_string()).await }
    })
    .await
}

async fn stock_loaded(framework: &Framework) -> Reached {
    let framework = framework.clone();
    closed_loop(CALLERS, STEP, move |n| {
        let framework = framework.clone();
        async move { take_note(&framework, &format!("loaded-{}", n % AGGREGATES as u64)).await }
    })
    .await
}
