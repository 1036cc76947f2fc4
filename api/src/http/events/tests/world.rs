//! A log in memory behind a real server, with an operator of every kind.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::{EmptyMutation, EmptySubscription, Schema};
use async_trait::async_trait;
use domain::Instant;
use domain::envelope::{Actor, Metadata, Position, RecordedEvent, Revision, StreamId};
use domain::ids::{CommandId, CorrelationId, EventId, OperatorId};
use domain::operator::{Role, Scope};
use domain::ports::{EventReader, Head, ReadError};
use domain::proof::StoredEvent;
use domain::values::LineKey;
use projections::{Consumers, Database};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::auth::{Authenticator, Directory, DirectoryEntry, DirectoryUnavailable, Tokens};
use crate::config::Limits;
use crate::http::events::{EventsState, ReplaySettings, consumers, routes};
use crate::http::tests::world::{NOW, Query, operator};
use crate::http::{Engines, Gateway, Server, SocketSettings};
use crate::keys::Keys;

/// An auditor of the whole organisation.
pub const AUDITOR: u128 = 1;
/// BI of the line `sales`.
pub const BI: u128 = 2;
/// An auditor of the line `sales`.
pub const SALES_AUDITOR: u128 = 3;
/// An agent of the line `sales`.
pub const AGENT: u128 = 4;
/// BI of no line.
pub const NOWHERE_BI: u128 = 5;
/// Suspended BI.
pub const SUSPENDED: u128 = 6;

/// In-memory double of [`EventReader`].
#[derive(Default)]
pub struct InMemoryEventReader {
    events: Mutex<Vec<RecordedEvent>>,
    reads: Mutex<Vec<(Position, usize)>>,
    failure: Mutex<Option<(Position, ReadError)>>,
    headless: AtomicBool,
}

impl InMemoryEventReader {
    /// Appends events of the next positions.
    pub fn append(&self, events: impl IntoIterator<Item = RecordedEvent>) {
        let mut log = self.events.lock().unwrap();
        for event in events {
            let number = i64::try_from(log.len()).unwrap() + 1;
            let recorded_at = Instant::from_micros(NOW.micros() + number);
            log.push(RecordedEvent { position: Position::new(number), recorded_at, ..event });
        }
    }

    /// Lets pages fail that have this position.
    pub fn fail_at(&self, position: i64, error: ReadError) {
        *self.failure.lock().unwrap() = Some((Position::new(position), error));
    }

    /// Loses an event without noticing.
    pub fn lose(&self, position: i64) {
        self.events.lock().unwrap().retain(|event| event.position.get() != position);
    }

    /// Lets the end of the log fail.
    pub fn lose_head(&self) {
        self.headless.store(true, Ordering::SeqCst);
    }

    /// Lets the end of the log be known again.
    pub fn find_head(&self) {
        self.headless.store(false, Ordering::SeqCst);
    }

    /// From where pages were read, and of which size.
    pub fn reads(&self) -> Vec<(Position, usize)> {
        self.reads.lock().unwrap().clone()
    }
}

#[async_trait]
impl EventReader for InMemoryEventReader {
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.reads.lock().unwrap().push((after, limit));
        if let Some((position, error)) = &*self.failure.lock().unwrap()
            && (after.next()..=after.plus(limit)).contains(position)
        {
            return Err(error.clone());
        }
        let log = self.events.lock().unwrap();
        Ok(log.iter().filter(|event| event.position > after).take(limit).cloned().collect())
    }

    async fn read_stream(
        &self,
        _: &StreamId,
        _: Revision,
        _: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        Err(ReadError::Unavailable("streams are not replayed".into()))
    }

    async fn read_stored(&self, after: Position, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        Ok(self.read(after, limit).await?.iter().map(stored).collect())
    }

    async fn head(&self) -> Result<Head, ReadError> {
        if self.headless.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable("hunter2".into()));
        }
        let last = self.events.lock().unwrap().last().map(|event| (event.position, event.recorded_at));
        Ok(last.map_or_else(Head::default, |(position, recorded_at)| Head { position, recorded_at }))
    }
}

/// The event as a row of a newer program may store it: with white space, and a member that this
/// program does not know.
pub fn stored(event: &RecordedEvent) -> StoredEvent {
    let metadata = serde_json::to_string(&event.metadata).unwrap();
    StoredEvent {
        position: event.position,
        aggregate_type: event.stream.aggregate_type().into(),
        aggregate_id: event.stream.id().into(),
        sequence: event.revision,
        event_type: event.event_type.clone(),
        event_version: event.event_version.clone(),
        recorded_at: event.recorded_at,
        payload: event.payload.clone(),
        metadata: metadata.replacen('{', "{ \"newer\":\"1\", ", 1).into(),
    }
}

/// Operators with roles and scopes.
#[derive(Default)]
pub struct Staff(Mutex<HashMap<OperatorId, DirectoryEntry>>);

impl Staff {
    pub fn set(&self, number: u128, roles: &[Role], lines: &[&str], suspended: bool) {
        let lines = lines.iter().map(|line| LineKey::new(line).unwrap()).collect();
        let scope = Scope { lines, ..Scope::default() };
        let entry = DirectoryEntry { roles: BTreeSet::from_iter(roles.iter().copied()), scope, suspended };
        self.0.lock().unwrap().insert(operator(number), entry);
    }
}

#[async_trait]
impl Directory for Staff {
    async fn find(&self, id: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable> {
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }
}

/// An event of a type; its place is given by the log.
pub fn event(event_type: &str, line: Option<&str>, payload: &str) -> RecordedEvent {
    let aggregate = event_type.split_once('.').unwrap().0;
    let command_id = CommandId::new(Uuid::from_u128(11));
    RecordedEvent {
        position: Position::ZERO,
        stream: StreamId::stored(aggregate, "019cafe0-dea2-7615-87fa-355301663174"),
        revision: Revision::new(1),
        event_type: event_type.into(),
        event_version: "1".into(),
        recorded_at: NOW,
        payload: payload.into(),
        metadata: Metadata {
            event_id: EventId::new(Uuid::from_u128(10)),
            occurred_at: NOW,
            actor: Actor::Operator(operator(7)),
            on_behalf_of: None,
            line: line.map(|line| LineKey::new(line).unwrap()),
            subject: None,
            command_id,
            correlation_id: CorrelationId::starting_with(command_id),
            causation_id: None,
            reason: None,
            policy_version: None,
            trace: None,
        },
    }
}

/// `count` events; every tenth is a clue that was won, the others were resumed teams.
pub fn many(count: usize) -> impl Iterator<Item = RecordedEvent> {
    (1..=count).map(|number| match number % 10 {
        0 => event("clue.won", Some("sales"), &json!({ "won": { "number": number } }).to_string()),
        _ => event("team.resumed", None, "{\"resumed\":{}}"),
    })
}

/// A clock that stands still.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl projections::Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A database that keeps consumers.
async fn views() -> (Database, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("views.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    migrations::SQLITE_VIEWS.run(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    (Database::connect(&format!("sqlite://{}", file.display())).await.unwrap(), folder)
}

/// The server and everything about it.
pub struct World {
    pub log: Arc<InMemoryEventReader>,
    pub staff: Arc<Staff>,
    pub appended: watch::Sender<Position>,
    pub state: EventsState,
    pub stop: Arc<Notify>,
    pub ended: tokio::task::JoinHandle<std::io::Result<()>>,
    pub clock: Arc<ManualClock>,
    pub kept: Consumers,
    _folder: tempfile::TempDir,
    url: String,
    tokens: Tokens,
    client: reqwest::Client,
}

/// Small pages, and no waiting.
pub fn brisk() -> ReplaySettings {
    ReplaySettings { page: 8, poll: Duration::from_millis(10), ..ReplaySettings::default() }
}

impl World {
    pub async fn new() -> Self {
        Self::with(brisk()).await
    }

    pub async fn with(settings: ReplaySettings) -> Self {
        let staff = Arc::new(Staff::default());
        staff.set(AUDITOR, &[Role::Auditor], &[], false);
        staff.set(BI, &[Role::Bi], &["sales"], false);
        staff.set(SALES_AUDITOR, &[Role::Auditor, Role::Bi], &["sales"], false);
        staff.set(AGENT, &[Role::Agent], &["sales"], false);
        staff.set(NOWHERE_BI, &[Role::Bi], &[], false);
        staff.set(SUSPENDED, &[Role::Bi], &["sales"], true);
        let tokens = Tokens::new(Keys::generate().unwrap().signing()).unwrap();
        let authenticator = Authenticator::new(tokens.clone(), staff.clone(), Arc::new(|| NOW));
        let engines = Engines::new(|| Schema::build(Query, EmptyMutation, EmptySubscription));
        let prepare = Box::new(|request, _: &_| request);
        let gateway =
            Gateway::new(engines, prepare, authenticator, Limits::default(), SocketSettings::default());
        let gateway = Arc::new(gateway);
        let log = Arc::new(InMemoryEventReader::default());
        let appended = watch::Sender::new(Position::ZERO);
        let state = EventsState::new(log.clone(), gateway.clone())
            .with_appended(appended.subscribe())
            .with_settings(settings);
        let (db, folder) = views().await;
        let clock = Arc::new(ManualClock(AtomicI64::new(NOW.micros())));
        let kept = Consumers::new(db, log.clone(), clock.clone());
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", server.address());
        let stop = Arc::new(Notify::new());
        let signal = stop.clone();
        let routes = routes(state.clone()).merge(consumers::routes(state.clone(), kept.clone()));
        let served = server.serve(routes, gateway, async move { signal.notified().await });
        let ended = tokio::spawn(served);
        let client = reqwest::Client::new();
        Self { log, staff, appended, state, stop, ended, clock, kept, _folder: folder, url, tokens, client }
    }

    /// A token that is good for so many seconds from now.
    pub fn token(&self, number: u128, seconds: u64) -> String {
        self.tokens.issue(operator(number), NOW, Duration::from_secs(seconds)).unwrap().token
    }

    /// A request without a token.
    pub fn request(&self, query: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}/events?{query}", self.url))
    }

    /// A request about consumers, allowed.
    pub fn consumers(&self, who: u128, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/consumers{path}", self.url);
        self.client.request(method, url).bearer_auth(self.token(who, 3_600))
    }

    /// Begins a replay that is allowed.
    pub async fn open(&self, who: u128, query: &str) -> Reply {
        let response = self.request(query).bearer_auth(self.token(who, 3_600)).send().await.unwrap();
        Reply::of(response)
    }

    /// A whole replay: its lines, the last one included.
    pub async fn replay(&self, who: u128, query: &str) -> Vec<Value> {
        self.open(who, query).await.rest().await.0
    }

    /// The positions of a replay's events, after checking that it ended well.
    pub async fn positions(&self, who: u128, query: &str) -> Vec<i64> {
        let lines = self.replay(who, query).await;
        assert!(lines.last().unwrap()["end"]["position"].is_i64(), "{lines:?}");
        events(&lines).map(position).collect()
    }
}

/// The lines that are events.
pub fn events(lines: &[Value]) -> impl Iterator<Item = &Value> {
    lines.iter().filter(|line| line.get("type").is_some())
}

pub fn position(line: &Value) -> i64 {
    line["position"].as_i64().unwrap()
}

/// A reply that is read line by line.
pub struct Reply {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Reply {
    pub fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Self { response, buffer: Vec::new() }
    }

    /// The next line; `None` at an orderly end, an error when the connection was broken off.
    pub async fn next(&mut self) -> Result<Option<Value>, reqwest::Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line).unwrap()));
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            match chunk.await.expect("an answer")? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => {
                    assert!(self.buffer.is_empty(), "a line was cut");
                    return Ok(None);
                }
            }
        }
    }

    /// The next line, which has to be there.
    pub async fn line(&mut self) -> Value {
        self.next().await.unwrap().expect("a line")
    }

    /// All other lines, and whether the reply ended in order.
    pub async fn rest(mut self) -> (Vec<Value>, bool) {
        let mut lines = Vec::new();
        loop {
            match self.next().await {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return (lines, true),
                Err(_) => return (lines, false),
            }
        }
    }
}
