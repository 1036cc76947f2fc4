//! What each fault is, done to a running world.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::PATIENCE;
use super::command::{Answer, Command, Wish};
use super::database::Database;
use super::process::{POLL, Serving, was_killed};
use super::proxy::Cut;
use super::run::World;
use super::schedule::{Fault, Round};
use super::site::LINE;
use crate::eventstore_double::AppendFault;
use crate::generator::{self, Amounts, PLAIN};

/// How long a stopped server is away: longer than leases hold.
const AWAY: Duration = Duration::from_secs(11);
/// Answers that clients miss while a database is away.
const MISSED: u64 = 6;
/// What an import takes in.
const FILE: Amounts = Amounts { people: 90, again: 20, repeated: 15, broken: 1, tangled: 10 };

impl World {
    /// Starts what the round needs before clients begin.
    pub(super) async fn prepare(&mut self, round: &Round) {
        match &round.fault {
            Fault::KillAt(point, times) => self.serve_armed(&format!("{point}=kill:{times}")).await,
            Fault::Zombie(times) => self.serve_armed(&format!("log.before-commit=stop:{times}")).await,
            Fault::ClockJump(_) => {
                let clock = self.site.file("clock");
                fs::write(&clock, "+0").expect("a file");
                self.serve_as(&self.site.setting.with_clock(clock)).await;
            }
            _ => self.serve().await,
        }
    }

    /// A server with a fail point. It may be there before it listens.
    async fn serve_armed(&mut self, fail_point: &str) {
        self.lead(Vec::new());
        if let Some((server, _)) = &mut self.server {
            server.end().await;
        }
        self.server = None;
        let server = Serving::start(&self.site.setting.armed(fail_point));
        let url = server.url().await.unwrap_or_default();
        if !url.is_empty() {
            self.lead(vec![url.clone()]);
        }
        self.server = Some((server, url));
    }

    /// Lets it go wrong.
    pub(super) async fn happen(&mut self, round: &Round) {
        if !matches!(round.fault, Fault::KillAt(..) | Fault::Zombie(_)) {
            self.shared.more_acknowledged(round.after).await;
        }
        match &round.fault {
            Fault::TwoProcesses => self.two_processes().await,
            Fault::KillAt(point, _) => self.killed_at(point).await,
            Fault::Kill => self.server().kill().await,
            Fault::Zombie(_) => self.zombie().await,
            Fault::ImportKilledAt(point, times) => self.import(round.number, point, *times).await,
            Fault::RebuildKilledAt(point, model) => self.rebuild(point, model).await,
            Fault::DiskFull => self.disk_full().await,
            Fault::ClockJump(minutes) => self.clock_jump(*minutes).await,
            Fault::DatabaseStopped => {
                self.site.database.pause(true);
                self.shared.more_lost(MISSED).await;
                self.site.database.pause(false);
            }
            Fault::DatabaseKilled => {
                self.site.database.primary().kill();
                self.shared.more_lost(MISSED).await;
                self.site.database.recover().await;
            }
            Fault::Failover { zombie } => match self.site.database {
                Database::EventStore(_) => self.other_leader(*zombie, round.after).await,
                _ => self.fail_over(*zombie, round.after).await,
            },
            Fault::CutAfterCommit => self.cut(Cut::AfterCommit, AppendFault::CutAfter).await,
            Fault::CutBeforeCommit => self.cut(Cut::BeforeCommit, AppendFault::CutBefore).await,
            Fault::CommitArrivesLate => {
                self.fail_appends(&[AppendFault::Late, AppendFault::BehindLate]).await;
                self.site.database.nodes().double.arrive();
            }
            Fault::DeliveredTwice => self.delivered_twice().await,
        }
    }

    fn server(&mut self) -> &mut Serving {
        &mut self.server.as_mut().expect("a server").0
    }

    async fn killed_at(&mut self, point: &str) {
        let server = self.server();
        let status = server.ended().await;
        let said = server.says(&format!("fail point {point} reached")).await;
        assert!(was_killed(status) && said.is_some(), "{status} at {point}: {}", server.tail());
    }

    /// Two servers on one database; one pauses for a moment, then is killed.
    async fn two_processes(&mut self) {
        let (mut second, url) = Serving::listening(&self.site.setting).await;
        let first = self.server.as_ref().expect("a server").1.clone();
        self.lead(vec![first.clone(), url]);
        self.shared.more_acknowledged(60).await;
        second.signal(Signal::STOP);
        self.shared.more_lost(1).await;
        second.signal(Signal::CONT);
        self.shared.more_acknowledged(30).await;
        second.kill().await;
        self.lead(vec![first]);
    }

    /// A writer that was taken over appends nothing when it comes back.
    async fn zombie(&mut self) {
        let said = self.server().says("fail point log.before-commit reached").await;
        assert!(said.is_some(), "{}", self.server().tail());
        let (mut zombie, url) = self.server.take().expect("a server");
        self.lead(Vec::new());
        self.site.setting.done(&["fence"]).await;
        self.serve().await;
        let over = Instant::now() + AWAY;
        self.shared.more_acknowledged(20).await;
        tokio::time::sleep_until(over).await;

        zombie.signal(Signal::CONT);
        // What it was stopped before was sent to the other one meanwhile, and done there: it may say so.
        // Whatever is new must be refused.
        let phone = "13700000000".to_owned();
        let command = Command::new(0, Wish::Capture { phone, customer: None, key: url.clone() });
        let answer = self.shared.send(&command, &url).await;
        assert!(matches!(answer, Answer::Lost(_)), "a writer that was fenced off answers {answer:?}");
        assert!(zombie.says("fenced off").await.is_some(), "{}", zombie.tail());
        let ready = reqwest::get(format!("{url}/readyz")).await.expect("an answer");
        assert_eq!(ready.status().as_u16(), 503, "a writer that was fenced off is not ready");
        zombie.end().await;
    }

    /// An import that was killed and then run again has taken in every record once.
    async fn import(&mut self, number: usize, point: &str, times: u64) {
        let seed = self.random.fork(1_000 + number as u64).next();
        let generated = generator::generate(seed, PLAIN, FILE);
        // Keys of their own for every round.
        let (file, map) = (self.site.file(&format!("{number}.csv")), self.site.file("map.toml"));
        fs::write(&file, with_own_keys(&generated.bytes, number)).expect("a file");
        fs::write(&map, generator::map(true)).expect("a file");
        let (file, map) = (file.display().to_string(), map.display().to_string());
        let arguments = ["import", "clues", &file, "--line", LINE, "--map", &map];
        let killed = self.site.setting.armed(format!("{point}=kill:{times}")).run(&arguments).await;
        assert!(was_killed(killed.status), "{killed:?}");
        let again = self.site.setting.run(&arguments).await;
        assert_eq!(again.status.code(), Some(3), "some rows are rejected: {again:?}");
        let third = String::from_utf8_lossy(&self.site.setting.run(&arguments).await.stdout).into_owned();
        let (known, all) = (generated.accepted + generated.known, generated.rows);
        let nothing_new = format!("{all} rows: 0 accepted (0 of them won), {known} known already");
        assert!(third.starts_with(&nothing_new), "{third}, wanted {nothing_new}");
    }

    /// A rebuild that was killed leaves the old rows or the new ones.
    async fn rebuild(&mut self, point: &str, model: &str) {
        let setting = self.site.setting.armed(format!("{point}=kill:1"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let killed = setting.run(&["rebuild", model]).await;
            if was_killed(killed.status) {
                return;
            }
            // One that was killed before holds its lease for a while.
            let held = String::from_utf8_lossy(&killed.stderr).contains("another process works on");
            assert!(held && Instant::now() < deadline, "{killed:?}");
            sleep(POLL * 10).await;
        }
    }

    async fn disk_full(&mut self) {
        self.site.database.disk().fill();
        self.shared.more_lost(MISSED).await;
        self.site.database.disk().free();
        self.site.database.recover().await;
    }

    /// The clock jumps under a working server, which is then killed while it is wrong.
    async fn clock_jump(&mut self, minutes: i64) {
        fs::write(self.site.file("clock"), format!("{minutes:+}m")).expect("a file");
        if minutes > 0 {
            self.shared.more_acknowledged(20).await;
        } else {
            // Commands are from the future then; nobody is told that they are done.
            self.shared.more_lost(MISSED).await;
        }
        self.server().kill().await;
    }

    async fn fail_over(&mut self, zombie: bool, after: u64) {
        let standby = self.site.database.primary().standby().await;
        self.shared.more_acknowledged(after).await;
        let primary = self.site.database.primary();
        if zombie {
            primary.pause(true);
        } else {
            primary.kill();
        }
        self.shared.more_lost(MISSED).await;
        let former = self.site.database.primary().fail_over(standby);
        self.shared.more_acknowledged(after).await;
        if zombie {
            former.come_back().await;
        }
    }

    /// Another node of EventStoreDB leads; the former leader is down for a while unless it stays.
    async fn other_leader(&mut self, stays: bool, after: u64) {
        self.shared.more_acknowledged(after).await;
        if !stays {
            self.site.database.nodes().lose_leader();
            self.shared.more_lost(MISSED).await;
        }
        self.site.database.nodes().next_leader();
        self.shared.more_acknowledged(after).await;
        self.site.database.pause(false);
    }

    async fn cut(&mut self, when: Cut, append: AppendFault) {
        match &mut self.site.database {
            Database::Postgres(primary) => {
                tokio::time::timeout(PATIENCE, primary.proxy.cut(when)).await.expect("a commit to cut");
            }
            _ => self.fail_appends(&[append]).await,
        }
    }

    /// Lets the next appends to EventStoreDB fail, until all of that has happened.
    async fn fail_appends(&mut self, faults: &[AppendFault]) {
        let double = &self.site.database.nodes().double;
        double.fail_appends(faults);
        let deadline = Instant::now() + PATIENCE;
        while double.faults_left() > 0 {
            assert!(Instant::now() < deadline, "appends that fail: {faults:?}");
            sleep(POLL).await;
        }
    }

    /// Events come twice to whoever reads the stream: to a server that was killed and is behind, too.
    async fn delivered_twice(&mut self) {
        self.site.database.nodes().double.deliver_twice(true);
        self.server().kill().await;
        self.serve().await;
        self.shared.more_acknowledged(20).await;
        self.site.database.nodes().double.deliver_twice(false);
    }
}

/// A generated file whose source keys are those of a round. Not all of it is text.
fn with_own_keys(file: &[u8], round: usize) -> Vec<u8> {
    let mut own = Vec::with_capacity(file.len() * 2);
    for row in file.split_inclusive(|byte| *byte == b'\n') {
        if row.starts_with(b"K0") || row.starts_with(b"T0") {
            own.extend(format!("R{round}-").bytes());
        }
        own.extend_from_slice(row);
    }
    own
}
