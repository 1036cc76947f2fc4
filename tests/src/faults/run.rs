//! A run: one installation that lives through the rounds of a schedule.

use std::fmt::{self, Write as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, sleep};

use super::PATIENCE;
use super::check::{Followers, Memory, check};
use super::clients::{Clients, Shared};
use super::database::Backend;
use super::followers::Follower;
use super::process::{POLL, Serving, Setting};
use super::schedule::{Extent, Fault, Round, schedule};
use super::site::Site;
use crate::random::Random;

/// Commands that must be done after a fault, before everything is checked.
const AFTER: u64 = 12;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number that decides.
    pub seed: u64,
    /// On which store.
    pub backend: Backend,
    /// How much.
    pub extent: Extent,
    /// Only these rounds of it; all when empty.
    pub only: Vec<usize>,
    /// When to stop between two rounds.
    pub until: Option<Instant>,
}

impl Plan {
    /// Its rounds.
    #[must_use]
    pub fn rounds(&self) -> Vec<Round> {
        let wanted = |round: &Round| self.only.is_empty() || self.only.contains(&round.number);
        schedule(self.seed, self.backend, self.extent).into_iter().filter(wanted).collect()
    }
}

/// A round in which a promise was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The plan.
    pub plan: Plan,
    /// The round; the first is prepared in the number of none.
    pub round: Option<usize>,
    /// The promise.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, backend, extent, .. } = &self.plan;
        writeln!(f, "{}", self.reason)?;
        writeln!(f, "\nseed {seed} on {backend:?}, rounds up to the one that failed:")?;
        let rounds = self.plan.rounds();
        let mut numbers = Vec::new();
        for round in rounds.iter().take_while(|round| self.round.is_some_and(|last| round.number <= last)) {
            writeln!(f, "{round}")?;
            numbers.push(round.number.to_string());
        }
        let mut again = String::new();
        if let Extent::Rounds(count) = extent {
            let _ = write!(again, "LENGTH={count} ");
        } else {
            again.push_str("LENGTH=once ");
        }
        write!(f, "again: make torture SEED={seed} STORE={backend:?} {again}ROUNDS={}", numbers.join(","))
    }
}

/// Runs a plan; how many rounds went well.
///
/// # Errors
/// The first promise that was broken.
pub async fn run(plan: Plan, tell: &(dyn Fn(&str) + Sync)) -> Result<usize, Box<Failure>> {
    let mut at = None;
    let done = AssertUnwindSafe(rounds(&plan, tell, &mut at)).catch_unwind().await;
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let reason = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Box::new(Failure { plan, round: at, reason: reason.unwrap_or_else(|| "a panic".to_owned()) })
    })
}

async fn rounds(plan: &Plan, tell: &(dyn Fn(&str) + Sync), at: &mut Option<usize>) -> usize {
    let mut world = World::new(plan.seed, plan.backend).await;
    let mut count = 0;
    for round in plan.rounds() {
        if plan.until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        if round.fault == Fault::DiskFull && !world.site.database.disk().is_small() {
            tell(&format!("{:?} {round}: left out", plan.backend));
            continue;
        }
        *at = Some(round.number);
        let began = Instant::now();
        world.round(&round).await;
        count += 1;
        let (took, events) = (began.elapsed().as_secs_f64(), world.events());
        tell(&format!("{:?} {round}: well, {took:.1} s, {events} events", plan.backend));
    }
    world.end().await;
    count
}

/// An installation with a server, clients and subscribers.
pub struct World {
    pub(super) site: Site,
    pub(super) shared: Arc<Shared>,
    pub(super) random: Random,
    /// The server that clients are led to, with its address.
    pub(super) server: Option<(Serving, String)>,
    followers: Followers,
    memory: Memory,
}

impl World {
    /// A fresh one.
    pub async fn new(seed: u64, backend: Backend) -> Self {
        let site = Site::new(backend).await;
        let shared = Shared::new(site.people.clone(), seed);
        let followers = Followers {
            log: Follower::of_log(&site, shared.servers.subscribe()),
            clues: Follower::of_clues(&site, shared.servers.subscribe()),
            pool: Follower::of_pool(&site, shared.servers.subscribe()),
            agent: Follower::of_agent(&site, shared.servers.subscribe()),
            consumer: Follower::of_consumer(&site, shared.servers.subscribe()),
        };
        let random = Random::new(seed).fork(2);
        Self { site, shared, random, server: None, followers, memory: Memory::default() }
    }

    /// Clients work, something goes wrong, clients go on, everything is checked.
    async fn round(&mut self, round: &Round) {
        let random = self.random.fork(round.number as u64);
        self.prepare(round).await;
        let clients = Clients::start(&self.shared, &random);
        self.happen(round).await;
        self.serve().await;
        self.shared.more_acknowledged(AFTER).await;
        clients.end().await;
        let (server, url) = self.server.as_mut().expect("a server");
        let log = self.site.database.log().await;
        let head = super::check::head(&log).await;
        log.close().await;
        caught_up(server, url, head.get()).await;
        check(&self.site, url, &self.shared.observed(), &self.followers, &mut self.memory).await;
    }

    /// A server that has no fail points armed, and that clients are led to.
    pub(super) async fn serve(&mut self) {
        if let Some((server, _)) = &mut self.server
            && server.is_running()
        {
            return;
        }
        self.serve_as(&self.site.setting.clone()).await;
    }

    /// Another server that clients are led to.
    pub(super) async fn serve_as(&mut self, setting: &Setting) {
        self.lead(Vec::new());
        // The last one goes first: its port and its leases are free then.
        self.server = None;
        let (server, url) = Serving::listening(setting).await;
        self.lead(vec![url.clone()]);
        self.server = Some((server, url));
    }

    /// Leads clients and subscribers to servers.
    pub(super) fn lead(&self, servers: Vec<String>) {
        self.shared.servers.send_replace(servers);
    }

    fn events(&self) -> usize {
        self.memory.events()
    }

    async fn end(mut self) {
        self.lead(Vec::new());
        if let Some((server, _)) = &mut self.server {
            server.end().await;
        }
    }
}

/// Waits until a server's read models show the log to its end: its metrics and its readiness say so.
async fn caught_up(server: &mut Serving, url: &str, head: i64) {
    let deadline = Instant::now() + PATIENCE;
    let mut last = String::new();
    while Instant::now() < deadline {
        assert!(server.is_running(), "the server ends by itself: {}", server.tail());
        let asked =
            reqwest::Client::new().get(format!("{url}/readyz")).timeout(Duration::from_secs(10)).send();
        if let Ok(answer) = asked.await {
            let ready = answer.status().is_success();
            last = answer.text().await.unwrap_or_default();
            // Each read model says how many events it is behind.
            let behind = last.matches(" events, ").count() - last.matches("\"0 events, ").count();
            if ready && behind == 0 && last.contains(&format!("at position {head}\"")) {
                return;
            }
        }
        sleep(POLL).await;
    }
    panic!("read models do not catch up with {head}: {last}; {}", server.tail());
}
