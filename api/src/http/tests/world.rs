//! A small schema behind a real server on a free port, with operators of every kind.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_graphql::{Context, Enum, InputObject, Object, Schema, Subscription};
use async_trait::async_trait;
use domain::Instant;
use domain::ids::OperatorId;
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::auth::{Authenticator, Directory, DirectoryEntry, DirectoryUnavailable, Tokens};
use crate::config::Limits;
use crate::graphql::error::ApiError;
use crate::http::{Check, Engines, Gateway, Readiness, RequestContext, Server, SocketSettings, router};
use crate::keys::Keys;

/// When the tests take place.
pub const NOW: Instant = Instant::from_micros(1_800_000_000_000_000);

/// What resolvers and tests share.
#[derive(Clone)]
pub struct Levers {
    /// Set when `slow` was entered.
    pub entered: Arc<Notify>,
    /// Lets `slow` go on.
    pub release: Arc<Notify>,
    /// What `changes` yields.
    pub changes: watch::Sender<i32>,
    /// How many streams of `changes` there are.
    pub streams: watch::Sender<usize>,
}

/// A choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum Colour {
    Red,
    DarkBlue,
}

/// What somebody wants.
#[derive(InputObject)]
pub struct Wish {
    colour: Colour,
    text: Option<String>,
    #[graphql(default)]
    years: Vec<i32>,
}

pub struct Query;

#[Object]
impl Query {
    /// Says it back.
    async fn echo(&self, text: String) -> String {
        text
    }

    /// Takes values of every form.
    async fn wish(&self, wish: Wish, first: i32) -> String {
        format!("{first} {:?} {} {}", wish.colour, wish.text.unwrap_or_default(), wish.years.len())
    }

    /// Who asks.
    async fn me(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
        Ok(ctx.data::<RequestContext>()?.caller.operator_id.to_string())
    }

    /// Refuses.
    async fn refused(&self) -> async_graphql::Result<i32> {
        Err(ApiError::forbidden().into())
    }

    /// Fails with a message that nobody should read.
    async fn broken(&self) -> async_graphql::Result<Option<i32>> {
        Err(std::io::Error::other("password is hunter2").into())
    }

    /// Panics.
    async fn panics(&self) -> i32 {
        std::hint::black_box(None::<i32>).expect("as asked for")
    }

    /// A list.
    #[graphql(complexity = "usize::try_from(first).unwrap_or(0) * child_complexity + 1")]
    async fn list(&self, first: i32) -> Vec<Row> {
        (0..first).map(Row).collect()
    }

    /// Waits until it is let go on.
    async fn slow(&self, ctx: &Context<'_>) -> async_graphql::Result<bool> {
        let levers = ctx.data::<Levers>()?;
        levers.entered.notify_one();
        levers.release.notified().await;
        Ok(true)
    }
}

pub struct Row(i32);

#[Object]
impl Row {
    /// Its number.
    async fn number(&self) -> i32 {
        self.0
    }

    /// Itself.
    async fn row(&self) -> Self {
        Self(self.0)
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    /// Changes what `changes` yields.
    async fn change(&self, ctx: &Context<'_>, to: i32) -> async_graphql::Result<i32> {
        ctx.data::<Levers>()?.changes.send_replace(to);
        Ok(to)
    }
}

/// Counts itself for as long as it lives.
struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

pub struct Subscriptions;

#[Subscription]
impl Subscriptions {
    /// Numbers up to a limit.
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        futures::stream::iter(1..=to)
    }

    /// Every change.
    async fn changes(&self, ctx: &Context<'_>) -> async_graphql::Result<impl Stream<Item = i32> + use<>> {
        let levers = ctx.data::<Levers>()?;
        levers.streams.send_modify(|count| *count += 1);
        let counted = Counted(levers.streams.clone());
        let changes = levers.changes.subscribe();
        Ok(futures::stream::unfold((changes, counted), |(mut changes, counted)| async move {
            changes.changed().await.ok()?;
            let value = *changes.borrow_and_update();
            Some((value, (changes, counted)))
        }))
    }

    /// Panics with the first item.
    async fn bad(&self) -> impl Stream<Item = i32> {
        futures::stream::iter(1..2).map(|_: i32| std::hint::black_box(None::<i32>).expect("as asked for"))
    }
}

use futures::StreamExt as _;

/// Operators by their standing.
#[derive(Default)]
pub struct People(Mutex<HashMap<OperatorId, DirectoryEntry>>);

impl People {
    pub fn set(&self, id: OperatorId, suspended: bool) {
        self.0.lock().unwrap().insert(id, DirectoryEntry { suspended, ..DirectoryEntry::default() });
    }
}

#[async_trait]
impl Directory for People {
    async fn find(&self, id: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable> {
        if id == operator(99) {
            return Err(DirectoryUnavailable("hunter2".into()));
        }
        Ok(self.0.lock().unwrap().get(&id).cloned())
    }
}

pub struct Parts(pub Mutex<Vec<Check>>);

#[async_trait]
impl Readiness for Parts {
    async fn check(&self) -> Vec<Check> {
        self.0.lock().unwrap().clone()
    }
}

pub fn operator(number: u128) -> OperatorId {
    OperatorId::new(Uuid::from_u128(number))
}

/// The server and everything about it.
pub struct World {
    pub address: SocketAddr,
    pub tokens: Tokens,
    pub people: Arc<People>,
    pub parts: Arc<Parts>,
    pub levers: Levers,
    pub stop: Arc<Notify>,
    pub ended: tokio::task::JoinHandle<std::io::Result<()>>,
    pub client: reqwest::Client,
}

impl World {
    pub async fn new() -> Self {
        Self::with(SocketSettings::default()).await
    }

    pub async fn with(sockets: SocketSettings) -> Self {
        let levers = Levers {
            entered: Arc::default(),
            release: Arc::default(),
            changes: watch::Sender::new(0),
            streams: watch::Sender::new(0),
        };
        let limits = Limits { body_bytes: 64 * 1024, ..Limits::default() };
        let engines = Engines::new(|| {
            let schema = Schema::build(Query, Mutation, Subscriptions).data(levers.clone());
            schema.limit_complexity(limits.complexity)
        });
        let people = Arc::new(People::default());
        people.set(operator(1), false);
        people.set(operator(2), true);
        let tokens = Tokens::new(Keys::generate().unwrap().signing()).unwrap();
        let authenticator = Authenticator::new(tokens.clone(), people.clone(), Arc::new(|| NOW));
        let gateway =
            Arc::new(Gateway::new(engines, Box::new(|request, _| request), authenticator, limits, sockets));
        let parts = Arc::new(Parts(Mutex::default()));
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = server.address();
        let stop = Arc::new(Notify::new());
        let signal = stop.clone();
        let routes = router(gateway.clone(), parts.clone());
        let ended = tokio::spawn(server.serve(routes, gateway, async move { signal.notified().await }));
        let client = reqwest::Client::new();
        Self { address, tokens, people, parts, levers, stop, ended, client }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn token(&self, number: u128) -> String {
        self.tokens.issue(operator(number), NOW, Duration::from_secs(3_600)).unwrap().token
    }

    /// A POST with a good token, for the test to change.
    pub fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.client
            .post(self.url("/graphql"))
            .bearer_auth(self.token(1))
            .header("content-type", "application/json")
            .body(body)
    }

    /// Executes, as the newer media type.
    pub async fn query(&self, query: &str) -> Answer {
        let request = self.post(json!({ "query": query }).to_string());
        answer(request.header("accept", "application/graphql-response+json")).await
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The code of the first error.
    pub fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or("no error")
    }

    pub fn message(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap_or("no error")
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}
