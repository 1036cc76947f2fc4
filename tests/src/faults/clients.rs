//! Clients that send commands, one after the other, and remember what they were answered.
//!
//! A client whose answer is lost sends the same command again, to whichever server there is, until it
//! knows what became of it: so every command of a history has an answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::PATIENCE;
use super::command::{Answer, Command, Known};
use super::site::Person;
use crate::random::Random;

/// Clients at a time.
const CLIENTS: u64 = 6;
/// How long a client rests after a lost answer.
const REST: Duration = Duration::from_millis(30);

/// A command with its answer, and when both were.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The command.
    pub command: Command,
    /// When it was sent first.
    pub sent: Instant,
    /// When its answer was there.
    pub answered: Instant,
    /// Its answer; never a lost one.
    pub answer: Answer,
    /// How often no answer came.
    pub lost: usize,
}

/// What clients share.
pub struct Shared {
    http: reqwest::Client,
    people: Vec<Person>,
    /// Where servers are.
    pub servers: watch::Sender<Vec<String>>,
    /// Everything that was answered.
    pub history: Mutex<Vec<Observed>>,
    known: Mutex<Known>,
    /// Commands that are done or refused.
    acknowledged: watch::Sender<u64>,
    /// Answers that did not come.
    lost: watch::Sender<u64>,
    last_lost: Mutex<String>,
    /// Tells the runs of one database apart.
    run: u64,
}

/// Clients at work.
pub struct Clients {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    working: JoinSet<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Nobody has done anything yet.
    #[must_use]
    pub fn new(people: Vec<Person>, run: u64) -> Arc<Self> {
        Arc::new(Self {
            http: reqwest::Client::new(),
            people,
            servers: watch::channel(Vec::new()).0,
            history: Mutex::default(),
            known: Mutex::default(),
            acknowledged: watch::channel(0).0,
            lost: watch::channel(0).0,
            last_lost: Mutex::default(),
            run,
        })
    }

    /// Everything that was answered up to now.
    #[must_use]
    pub fn observed(&self) -> Vec<Observed> {
        locked(&self.history).clone()
    }

    /// Waits until so many more commands are done or refused.
    ///
    /// # Panics
    /// When they are not.
    pub async fn more_acknowledged(&self, count: u64) {
        self.more(&self.acknowledged, count, "acknowledged").await;
    }

    /// Waits until so many more answers are lost.
    ///
    /// # Panics
    /// When they are not.
    pub async fn more_lost(&self, count: u64) {
        self.more(&self.lost, count, "lost").await;
    }

    async fn more(&self, counter: &watch::Sender<u64>, count: u64, what: &str) {
        let mut now = counter.subscribe();
        let wanted = *now.borrow_and_update() + count;
        let reached = timeout_at(Instant::now() + PATIENCE, now.wait_for(|now| *now >= wanted)).await;
        assert!(reached.is_ok(), "no {count} commands are {what}; last lost: {}", locked(&self.last_lost));
    }

    /// Sends a command once.
    pub async fn send(&self, command: &Command, server: &str) -> Answer {
        command.send(&self.http, server, &self.people).await
    }

    /// Sends a command until its answer is known.
    async fn resolve(&self, command: &Command, random: &mut Random) -> (Answer, usize) {
        let mut servers = self.servers.subscribe();
        let mut lost = 0;
        loop {
            let server = {
                let now = servers.borrow_and_update();
                (!now.is_empty()).then(|| now[random.below(now.len())].clone())
            };
            let Some(server) = server else {
                let _ = servers.changed().await;
                continue;
            };
            match self.send(command, &server).await {
                Answer::Lost(reason) => {
                    *locked(&self.last_lost) = reason;
                    self.lost.send_modify(|lost| *lost += 1);
                    lost += 1;
                    sleep(REST).await;
                }
                answer => return (answer, lost),
            }
        }
    }

    async fn work(&self, mut random: Random, stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            let known = locked(&self.known).clone();
            let command = Command::draw(&mut random, &known, self.run);
            let sent = Instant::now();
            let (answer, lost) = self.resolve(&command, &mut random).await;
            if let Answer::Done(done) = &answer {
                let mut known = locked(&self.known);
                known.clues.extend(done.clue.clone());
                known.customers.extend(done.customer.clone());
            }
            let observed = Observed { command, sent, answered: Instant::now(), answer, lost };
            locked(&self.history).push(observed);
            self.acknowledged.send_modify(|count| *count += 1);
        }
    }
}

impl Clients {
    /// Clients whose choices a round decides.
    #[must_use]
    pub fn start(shared: &Arc<Shared>, random: &Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut working = JoinSet::new();
        for client in 0..CLIENTS {
            let (shared, stop, random) = (shared.clone(), stop.clone(), random.fork(client));
            working.spawn(async move { shared.work(random, &stop).await });
        }
        Self { shared: shared.clone(), stop, working }
    }

    /// Lets every client end with the command that it is at.
    ///
    /// # Panics
    /// When one does not get its answer.
    pub async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + PATIENCE;
        while let Ok(Some(ended)) = timeout_at(deadline, self.working.join_next()).await {
            ended.expect("a client does not panic");
        }
        let lost = locked(&self.shared.last_lost).clone();
        assert!(self.working.is_empty(), "clients get no answer; last lost: {lost}");
    }
}
