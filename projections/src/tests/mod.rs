//! A small world for tests: doubles of the ports, and real databases.

mod doubles;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use domain::business_line::*;
use domain::clue::*;
use domain::codec::EventContract;
use domain::customer::*;
use domain::envelope::*;
use domain::ids::*;
use domain::operator::{OperatorEvent, Role, Scope};
use domain::personal::{Personal, PersonalValue, Replacement, replace_personal};
use domain::ports::*;
use domain::team::TeamEvent;
use domain::values::*;
use uuid::Uuid;

pub use doubles::*;

use crate::read::{Listing, Predicate};
use crate::runner::{Clock, Config, Ports, Projections, Projector};
use crate::sql::{Database, Stored, Suffix, TableDef};
use crate::{Viewer, read_models};

/// Noon of some day, plus seconds.
pub fn at(seconds: i64) -> Instant {
    Instant::from_micros(1_780_000_000_000_000 + seconds * 1_000_000)
}

pub fn key<K: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> K {
    text.parse().unwrap()
}

macro_rules! small_ids {
    ($($name:ident: $ty:ty = $space:literal),+ $(,)?) => {$(
        pub fn $name(n: u128) -> $ty {
            <$ty>::new(Uuid::from_u128(($space << 64) + n))
        }
    )+};
}

small_ids! {
    clue: ClueId = 1, customer: CustomerId = 2, operator: OperatorId = 3, team: TeamId = 4,
    contact: ContactPointId = 5, follow_up: FollowUpId = 6,
}

/// A log, a vault and a database, with what most tests do to them.
pub struct World {
    pub log: Arc<InMemoryLog>,
    pub vault: Arc<FakeVault>,
    pub clock: Arc<ManualClock>,
    pub db: Database,
    pub url: String,
    pub seconds: AtomicI64,
}

static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// Runs a test on SQLite, and on PostgreSQL when `TEST_POSTGRES_URL` names a server.
pub async fn on_each_database<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    let (directory, world) = on_sqlite().await;
    test(world).await;
    drop(directory);

    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else { return };
    let number = DATABASES.fetch_add(1, Ordering::SeqCst);
    let name = format!("views_{}_{number}", std::process::id());
    let admin = sqlx::PgPool::connect(&server).await.unwrap();
    sqlx::query(&format!("CREATE DATABASE {name}")).execute(&admin).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let url = format!("{base}/{name}");
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    migrations::POSTGRES.run(&pool).await.unwrap();
    pool.close().await;
    let world = World::new(url).await;
    let db = world.db.clone();
    test(world).await;
    db.close().await;
    sqlx::query(&format!("DROP DATABASE {name} WITH (FORCE)")).execute(&admin).await.unwrap();
}

/// A world on SQLite, and what holds its files.
pub async fn on_sqlite() -> (tempfile::TempDir, World) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("views.db").display());
    let pool = sqlx::SqlitePool::connect(&format!("{url}?mode=rwc")).await.unwrap();
    migrations::SQLITE_VIEWS.run(&pool).await.unwrap();
    pool.close().await;
    (directory, World::new(url).await)
}

impl World {
    async fn new(url: String) -> Self {
        let log = InMemoryLog::default();
        log.reads_left.store(-1, Ordering::SeqCst);
        Self {
            log: Arc::new(log),
            vault: Arc::default(),
            clock: Arc::new(ManualClock(AtomicI64::new(at(0).micros()))),
            db: Database::connect(&url).await.unwrap(),
            url,
            seconds: AtomicI64::new(0),
        }
    }

    /// Read models of this world, by another owner each time.
    pub fn with(&self, config: Config, models: Vec<Arc<dyn Projector>>) -> Projections {
        let ports = Ports {
            reader: Arc::clone(&self.log) as Arc<dyn EventReader>,
            unsealer: Arc::clone(&self.vault) as Arc<dyn Unsealer>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            wake: None,
        };
        Projections::new(self.db.clone(), ports, config, models)
    }

    pub fn projections(&self) -> Projections {
        let index: Arc<dyn BlindIndex> = Arc::new(FakeIndex);
        self.with(Config::default(), read_models(&index))
    }

    /// Folds everything that was appended.
    pub async fn catch_up(&self) -> Projections {
        let projections = self.projections();
        projections.catch_up().await.unwrap();
        let parked = projections.parked(None, 10).await.unwrap();
        assert_eq!(parked, [], "nothing should be parked");
        projections
    }

    /// Appends an event, a second after the one before.
    pub fn append(
        &self,
        stream: StreamId,
        subject: Option<SubjectId>,
        line: Option<&str>,
        event: &Event_,
    ) -> Position {
        let seconds = self.seconds.fetch_add(1, Ordering::SeqCst) + 1;
        self.append_at(seconds, stream, subject, line, event)
    }

    pub fn append_at(
        &self,
        seconds: i64,
        stream: StreamId,
        subject: Option<SubjectId>,
        line: Option<&str>,
        event: &Event_,
    ) -> Position {
        let (contract, mut payload) = match event {
            Event_::Line(e) => (e.contract(), serde_json::to_value(e).unwrap()),
            Event_::Clue(e) => (e.contract(), serde_json::to_value(e).unwrap()),
            Event_::Customer(e) => (e.contract(), serde_json::to_value(e).unwrap()),
            Event_::Operator(e) => (e.contract(), serde_json::to_value(e).unwrap()),
            Event_::Team(e) => (e.contract(), serde_json::to_value(e).unwrap()),
        };
        replace_personal::<()>(&mut payload, &mut |_, value| {
            Ok(match value {
                PersonalValue::Clear(value) => Some(Replacement::Sealed(seal(value))),
                PersonalValue::Sealed(_) => None,
            })
        })
        .unwrap();
        self.append_raw(
            seconds,
            stream,
            subject,
            line,
            contract.name,
            &contract.version.to_string(),
            &payload.to_string(),
        )
    }

    #[allow(clippy::too_many_arguments)]
    pub fn append_raw(
        &self,
        seconds: i64,
        stream: StreamId,
        subject: Option<SubjectId>,
        line: Option<&str>,
        event_type: &str,
        version: &str,
        payload: &str,
    ) -> Position {
        let mut events = self.log.events.lock().unwrap();
        let position = Position::ZERO.plus(events.len() + 1);
        let revision = Revision::ZERO.plus(events.iter().filter(|e| e.stream == stream).count() + 1);
        let id = Uuid::from_u128((9 << 64) + u128::try_from(position.get()).unwrap());
        events.push(RecordedEvent {
            position,
            stream,
            revision,
            event_type: event_type.into(),
            event_version: version.into(),
            recorded_at: at(seconds),
            payload: payload.into(),
            metadata: Metadata {
                event_id: EventId::new(id),
                occurred_at: at(seconds),
                actor: Actor::System(key("test")),
                on_behalf_of: None,
                line: line.map(key),
                subject,
                command_id: CommandId::new(id),
                correlation_id: CorrelationId::new(id),
                causation_id: None,
                reason: None,
                policy_version: None,
                trace: None,
            },
        });
        position
    }

    pub fn line(&self, name: &str, event: BusinessLineEvent) -> Position {
        self.append(StreamId::of::<BusinessLine>(&key(name)), None, Some(name), &Event_::Line(event))
    }

    /// A line with stages new, talking, waiting, won, lost.
    pub fn define_line(&self, name: &str) {
        let stage = |key_: &str, category| Stage { key: key(key_), label: key(key_), category };
        let step = |from: &str, to: &str| Move { from: key(from), to: key(to) };
        self.line(
            name,
            BusinessLineEvent::Defined {
                key: key(name),
                name: key("Sales"),
                country: key("CN"),
                time_zone: key("Asia/Shanghai"),
                currency: key("CNY"),
            },
        );
        let graph = StageGraph {
            stages: vec![
                stage("new", StageCategory::Open),
                stage("talking", StageCategory::Ongoing),
                stage("waiting", StageCategory::Hold),
                stage("won", StageCategory::Won),
                stage("lost", StageCategory::Lost),
            ],
            moves: vec![step("new", "talking"), step("talking", "waiting"), step("waiting", "talking")],
        };
        self.line(name, BusinessLineEvent::StageGraphPublished { version: 1, graph });
    }

    pub fn publish_score(&self, name: &str, version: u32, hours: u32, weights: &[(Signal, i32)]) -> Position {
        let weights =
            weights.iter().map(|(signal, points)| SignalWeight { signal: *signal, points: *points });
        let policy = Policy::Score(ScorePolicy { half_life_hours: hours, weights: weights.collect() });
        self.line(name, BusinessLineEvent::PolicyPublished { version, policy })
    }

    pub fn on_customer(&self, n: u128, event: CustomerEvent) -> Position {
        let id = customer(n);
        self.append(StreamId::of::<Customer>(&id), Some(id.into()), None, &Event_::Customer(event))
    }

    /// A customer with a name and a phone.
    pub fn register(&self, n: u128, line: &str, name: &str, phone: &str) {
        let source = Source { channel: key("website"), key: None, campaign: None };
        let name = Some(Personal::Clear(name.to_owned()));
        self.on_customer(n, CustomerEvent::Registered { line: key(line), source, name });
        let value = Personal::Clear(phone.to_owned());
        let kind = ContactKind::Phone;
        self.on_customer(n, CustomerEvent::ContactPointAdded { contact_point_id: contact(n), kind, value });
    }

    pub fn on_clue(&self, n: u128, of: u128, line: &str, event: ClueEvent) -> Position {
        let stream = StreamId::of::<Clue>(&clue(n));
        self.append(stream, Some(customer(of).into()), Some(line), &Event_::Clue(event))
    }

    pub fn capture(&self, n: u128, of: u128, line: &str) -> Position {
        let seconds = self.seconds.load(Ordering::SeqCst) + 1;
        let source = Source { channel: key("website"), key: None, campaign: None };
        let (line_key, stage, at) = (key(line), key("new"), at(seconds));
        let customer_id = customer(of);
        let event = ClueEvent::Captured { customer_id, line: line_key, source, stage, graph_version: 1, at };
        self.on_clue(n, of, line, event)
    }

    pub fn assign(&self, n: u128, of: u128, line: &str, to: u128, of_team: Option<u128>) -> Position {
        let at = at(self.seconds.load(Ordering::SeqCst) + 1);
        let (operator_id, team_id) = (operator(to), of_team.map(team));
        self.on_clue(n, of, line, ClueEvent::Assigned { operator_id, team_id, at })
    }

    pub fn follow(&self, n: u128, of: u128, line: &str, note: &str, next: Option<i64>) -> Position {
        let seconds = self.seconds.load(Ordering::SeqCst) + 1;
        let follow_up = FollowUp {
            id: follow_up(u128::try_from(seconds).unwrap()),
            channel: FollowUpChannel::Call,
            outcome: FollowUpOutcome::Connected,
            duration_seconds: Some(60),
            at: at(seconds),
            next_at: next.map(|later| at(seconds + later)),
            note: Personal::text(note),
        };
        self.on_clue(n, of, line, ClueEvent::FollowUpLogged { follow_up })
    }

    pub fn move_stage(&self, n: u128, of: u128, line: &str, from: &str, to: &str) -> Position {
        let event = ClueEvent::StageMoved { from: key(from), to: key(to), graph_version: 1 };
        self.on_clue(n, of, line, event)
    }

    pub fn erase(&self, n: u128) -> Position {
        self.vault.destroyed.lock().unwrap().insert(customer(n).into());
        self.on_customer(n, CustomerEvent::Erased { ground: key("asked") })
    }

    pub fn on_operator(&self, n: u128, event: OperatorEvent) -> Position {
        let id = operator(n);
        let stream = StreamId::of::<domain::operator::Operator>(&id);
        self.append(stream, Some(id.into()), None, &Event_::Operator(event))
    }

    pub fn on_team(&self, n: u128, event: TeamEvent) -> Position {
        let stream = StreamId::of::<domain::team::Team>(&team(n));
        self.append(stream, None, None, &Event_::Team(event))
    }

    /// Every row of some tables, as text.
    pub async fn dump(&self, tables: &[&TableDef]) -> Vec<String> {
        let mut out = Vec::new();
        for table in tables {
            let keys = table.key.join(", ");
            let name = table.named(Suffix::Live);
            let sql = format!("SELECT {} FROM {name} ORDER BY {keys}", table.column_list());
            for row in self.db.fetch(&sql, &[]).await.unwrap() {
                let mut text = table.name.to_owned();
                for (index, column) in table.columns.iter().enumerate() {
                    let value = match row.stored(index, column.kind).unwrap() {
                        Stored::Null => "-".to_owned(),
                        Stored::Int(v) => v.to_string(),
                        Stored::Float(v) => v.to_string(),
                        Stored::Text(v) => v.to_owned(),
                        _ => "?".to_owned(),
                    };
                    text.push_str(&format!(" {}={value}", column.name));
                }
                out.push(text);
            }
        }
        out
    }

    /// Every row of every table of every read model, as text.
    pub async fn dump_all(&self) -> Vec<String> {
        let index: Arc<dyn BlindIndex> = Arc::new(FakeIndex);
        let models = read_models(&index);
        let tables: Vec<&TableDef> = models.iter().flat_map(|m| m.tables().iter().copied()).collect();
        self.dump(&tables).await
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.db.fetch(sql, &[]).await.unwrap()[0].get(0).unwrap()
    }

    /// A month of a small shop: two lines, seven customers, clues in every state.
    pub fn busy(&self) {
        self.define_line("sales");
        self.define_line("service");
        self.publish_score(
            "sales",
            1,
            24,
            &[(Signal::ClueCaptured, 5), (Signal::ContactMade, 10), (Signal::DealLost, -20)],
        );
        for n in 1..=7 {
            self.register(n, "sales", &format!("王小明{n}"), &format!("+861380013800{n}"));
            self.capture(n, n, "sales");
        }
        self.capture(17, 7, "service");
        self.on_customer(
            2,
            CustomerEvent::StarGranted {
                line: key("sales"),
                tier: 4.try_into().unwrap(),
                basis: StarBasis::Person,
                expires_at: None,
            },
        );
        for n in 1..=3 {
            self.assign(n, n, "sales", n, Some(1));
            self.follow(n, n, "sales", "喜欢红色", Some(3_600));
            self.move_stage(n, n, "sales", "new", "talking");
        }
        for n in 4..=6 {
            self.on_clue(n, n, "sales", ClueEvent::Pooled {});
        }
        let amount = Some(Money { minor: 9_900_000, currency: key("CNY") });
        self.on_clue(1, 1, "sales", ClueEvent::Won { stage: key("won"), amount });
        self.on_clue(
            2,
            2,
            "sales",
            ClueEvent::Lost {
                by: operator(2),
                approved_by: None,
                reason: key("price"),
                stage: key("lost"),
                note: Personal::text("太贵"),
            },
        );
        let released = at(self.seconds.load(Ordering::SeqCst) + 1);
        self.on_clue(
            3,
            3,
            "sales",
            ClueEvent::Released { operator_id: operator(3), at: released, note: None },
        );
        self.publish_score("sales", 2, 48, &[(Signal::ClueCaptured, 1), (Signal::ContactMade, 7)]);
        self.follow(1, 1, "sales", "谢谢", None);
        self.erase(6);
    }
}

/// Any aggregate's event, before it is stored.
pub enum Event_ {
    Line(BusinessLineEvent),
    Clue(ClueEvent),
    Customer(CustomerEvent),
    Operator(OperatorEvent),
    Team(TeamEvent),
}

/// Somebody with one role in some lines and teams.
pub fn viewer(n: u128, role: Role, lines: &[&str], teams: &[u128]) -> Viewer {
    let scope = Scope {
        lines: lines.iter().map(|line| key(line)).collect(),
        teams: teams.iter().map(|n| team(*n)).collect(),
    };
    Viewer::operator(operator(n), BTreeSet::from([role]), scope)
}

/// How the database would answer a listing.
pub(crate) async fn explain(
    db: &Database,
    listing: &Listing<'_>,
    parts: &[Predicate<'_>],
    paging: &crate::Paging,
) -> Vec<String> {
    let sql = listing.sql(parts, paging);
    let (explain, column) = if db.is_postgres() { ("EXPLAIN ", 0) } else { ("EXPLAIN QUERY PLAN ", 3) };
    let rows = db.fetch(&format!("{explain}{}", sql.text()), sql.params()).await.unwrap();
    rows.iter().map(|row| row.get::<String>(column).unwrap()).collect()
}
