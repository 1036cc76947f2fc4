//! What happens to a run, and when: decided by one number.

use std::fmt;

use super::database::Backend;
use super::points::{POINTS, PassedBy, Point};
use crate::random::Random;

/// Read models that a rebuild is interrupted of.
const MODELS: [&str; 4] = ["clue_list", "customer", "fact_clue_stage", "history"];

/// One round: what goes wrong, and after how many acknowledged commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Its place in the schedule of its seed; it decides what clients do.
    pub number: usize,
    /// How many commands are acknowledged before it.
    pub after: u64,
    /// What goes wrong.
    pub fault: Fault,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: two processes on one database, one of which pauses for a moment.
    TwoProcesses,
    /// `kill -9` of the server as it passes a fail point for the n-th time.
    KillAt(&'static str, u64),
    /// `kill -9` of the server wherever it is.
    Kill,
    /// The server is stopped before a commit for longer than leases hold, another one takes over, the
    /// stopped one comes back.
    Zombie(u64),
    /// `kill -9` of an import at a fail point, beside a server.
    ImportKilledAt(&'static str, u64),
    /// `kill -9` of a rebuild at a fail point, beside a server.
    RebuildKilledAt(&'static str, &'static str),
    /// The disk of the database is full for a while.
    DiskFull,
    /// The server's clock jumps by so many minutes, and the server is killed with it.
    ClockJump(i64),
    /// Every process of the database is stopped for a while, or no node of it answers.
    DatabaseStopped,
    /// `kill -9` of the database, which is then started again.
    DatabaseKilled,
    /// The database is killed, or stopped when `zombie`, and its synchronous standby, or another node of
    /// it, takes over.
    Failover {
        /// Whether the former primary lives on.
        zombie: bool,
    },
    /// The connection is cut when the database has committed and before its reply arrives.
    CutAfterCommit,
    /// The connection is cut before the commit arrives at the database.
    CutBeforeCommit,
    /// The connection is cut with the commit on its way; it arrives when the next one does.
    CommitArrivesLate,
    /// Every event is delivered twice.
    DeliveredTwice,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoProcesses => write!(f, "two processes on one database, one pauses"),
            Self::KillAt(point, times) => write!(f, "kill -9 at {point}, passed {times} times"),
            Self::Kill => write!(f, "kill -9"),
            Self::Zombie(times) => {
                write!(f, "stopped at log.before-commit, passed {times} times; taken over")
            }
            Self::ImportKilledAt(point, times) => write!(f, "import killed at {point}, passed {times} times"),
            Self::RebuildKilledAt(point, model) => write!(f, "rebuild of {model} killed at {point}"),
            Self::DiskFull => write!(f, "disk full"),
            Self::ClockJump(minutes) => write!(f, "clock jumps by {minutes} minutes, then kill -9"),
            Self::DatabaseStopped => write!(f, "database stopped for a while"),
            Self::DatabaseKilled => write!(f, "kill -9 of the database"),
            Self::Failover { zombie: false } => write!(f, "failover, primary killed"),
            Self::Failover { zombie: true } => write!(f, "failover, primary stopped and back later"),
            Self::CutAfterCommit => write!(f, "connection cut between commit and reply"),
            Self::CutBeforeCommit => write!(f, "connection cut before the commit"),
            Self::CommitArrivesLate => write!(f, "connection cut, the commit arrives with the next one"),
            Self::DeliveredTwice => write!(f, "every event is delivered twice"),
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>3}  after {:>2} commands: {}", self.number, self.after, self.fault)
    }
}

/// How much of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every kind of fault once. Fail points that all stores have fall to them in turn, so that of each
    /// group (the commit, reply and projection, rebuild, import) every store has one.
    Once,
    /// So many rounds of anything.
    Rounds(usize),
}

/// The rounds of a seed on a store.
#[must_use]
pub fn schedule(seed: u64, backend: Backend, extent: Extent) -> Vec<Round> {
    let mut random = Random::new(seed).fork(1);
    let first = random.below(Backend::ALL.len());
    let forward = random.below(2) == 0;
    // What is drawn for one store must not depend on the others: chance of its own.
    let mut random = random.fork(backend as u64);
    let mut turns = (first..).map(|turn| Backend::ALL[turn % Backend::ALL.len()]);
    let mut mine = |point: &&Point| match (point.only, extent) {
        (Some(only), _) => only == backend,
        (None, Extent::Rounds(_)) => true,
        (None, Extent::Once) => turns.next() == Some(backend),
    };
    let mine: Vec<&Point> = POINTS.iter().filter(|point| mine(point)).collect();
    // Clocks of neighbours jump in other directions.
    let jump = if forward == (backend == Backend::Postgres) { 60 } else { -60 };
    let mut faults = match extent {
        Extent::Once => {
            let at_points = mine.iter().map(|point| at_point(point, &mut random)).collect();
            [at_points, others(backend, jump, &mut random)].concat()
        }
        Extent::Rounds(count) => (0..count)
            .map(|_| {
                // Half of the rounds are at fail points.
                let mut choices = if random.below(2) == 0 {
                    vec![at_point(random.of(&mine), &mut random)]
                } else {
                    let jump = random.of(&[60, -60]);
                    others(backend, jump, &mut random)
                };
                choices.swap_remove(random.below(choices.len()))
            })
            .collect(),
    };
    if extent == Extent::Once {
        random.shuffle(&mut faults);
    }
    let round = |(number, fault)| Round { number, after: 5 + random.below(25) as u64, fault };
    faults.into_iter().enumerate().map(round).collect()
}

fn at_point(point: &Point, random: &mut Random) -> Fault {
    let times = 1 + random.next() % point.often;
    match point.passed_by {
        PassedBy::Server => Fault::KillAt(point.name, times),
        PassedBy::Import => Fault::ImportKilledAt(point.name, times),
        PassedBy::Rebuild => Fault::RebuildKilledAt(point.name, random.of(&MODELS)),
    }
}

/// Every kind of fault that is at no fail point.
fn others(backend: Backend, jump: i64, random: &mut Random) -> Vec<Fault> {
    let everywhere = [
        Fault::TwoProcesses,
        Fault::Kill,
        Fault::Zombie(1 + random.next() % 30),
        Fault::DiskFull,
        Fault::ClockJump(jump),
    ];
    let failover = Fault::Failover { zombie: random.below(2) == 0 };
    let of_servers = [Fault::DatabaseStopped, failover, Fault::CutAfterCommit, Fault::CutBeforeCommit];
    let here: &[Fault] = match backend {
        Backend::Sqlite => &[],
        Backend::Postgres => &[Fault::DatabaseKilled],
        Backend::EventStore => &[Fault::CommitArrivesLate, Fault::DeliveredTwice],
    };
    let servers = if backend == Backend::Sqlite { &[][..] } else { &of_servers[..] };
    [&everywhere[..], servers, here].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_schedule() {
        for backend in Backend::ALL {
            let extents = [Extent::Once, Extent::Rounds(40)];
            for extent in extents {
                assert_eq!(schedule(7, backend, extent), schedule(7, backend, extent));
                assert_ne!(schedule(7, backend, extent), schedule(8, backend, extent));
            }
        }
    }

    #[test]
    fn all_stores_together_pass_every_fail_point_and_each_of_them_one_of_each_group() {
        for seed in 0..50 {
            let rounds = Backend::ALL.map(|store| schedule(seed, store, Extent::Once));
            for point in POINTS {
                let at_it = rounds.iter().flatten().filter(|round| match round.fault {
                    Fault::KillAt(name, _)
                    | Fault::ImportKilledAt(name, _)
                    | Fault::RebuildKilledAt(name, _) => name == point.name,
                    _ => false,
                });
                assert_eq!(at_it.count(), 1, "{} with seed {seed}", point.name);
            }
            for rounds in &rounds {
                let killed = |what: fn(&Fault) -> bool| rounds.iter().any(|round| what(&round.fault));
                assert!(killed(|fault| matches!(fault, Fault::KillAt(..))), "seed {seed}");
                assert!(killed(|fault| matches!(fault, Fault::RebuildKilledAt(..))), "seed {seed}");
                assert!(killed(|fault| matches!(fault, Fault::ImportKilledAt(..))), "seed {seed}");
            }
        }
    }
}
