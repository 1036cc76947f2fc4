//! `/consumers`: consumers of the log whose positions the server keeps.
//!
//! Guarantees: what [`projections::consumers`] does, and the forms and access rules of `/events`. A
//! consumer belongs to the operator who made it: events out of one operator's scope must not be
//! acknowledged away for another.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use axum::{Json, Router};
use domain::Position;
use domain::values::Code;
use projections::{Consumer, ConsumerError, ConsumerLag, Consumers, LeaseId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::Access;
use super::hold::Hold;
use super::query::{Parameters, Types, bad, number, pairs};
use super::{EventsState, begin};
use crate::auth::Caller;
use crate::http::accept::MediaType;
use crate::http::error::HttpError;
use crate::http::graphql::read_body;
use crate::http::observe::RequestId;
use crate::http::parameters::check_content_type;

/// The lease of a reply, for acknowledgements and the next request.
const LEASE: HeaderName = HeaderName::from_static("cluestream-lease");
/// Behind which position a reply begins.
const AFTER: HeaderName = HeaderName::from_static("cluestream-after");
/// How long a lease holds without a sign of its reader, when the reader names no time.
const LEASE_SECONDS: i64 = 60;
/// A follower renews its lease with each heartbeat, so it must outlast one.
const LEASE_RANGE: std::ops::RangeInclusive<i64> = 20..=3_600;
/// Bodies are a few words.
const BODY: usize = 64 * 1024;

/// What the routes work on.
#[derive(Clone)]
struct ConsumersState {
    events: EventsState,
    consumers: Consumers,
}

/// The routes `/consumers` and below.
pub fn routes(events: EventsState, consumers: Consumers) -> Router {
    Router::new()
        .route("/consumers", get(list).fallback(|id| not_allowed(id, "GET, HEAD")))
        .route(
            "/consumers/{name}",
            get(show).put(create).delete(remove).fallback(|id| not_allowed(id, "GET, HEAD, PUT, DELETE")),
        )
        // Not for HEAD: reading takes a lease.
        .route("/consumers/{name}/events", on(MethodFilter::GET, read).fallback(|id| not_allowed(id, "GET")))
        .route("/consumers/{name}/ack", post(acknowledge).fallback(|id| not_allowed(id, "POST")))
        .route("/consumers/{name}/seek", post(seek).fallback(|id| not_allowed(id, "POST")))
        .layer(super::compression())
        .with_state(ConsumersState { events, consumers })
}

async fn not_allowed(Extension(RequestId(id)): Extension<RequestId>, allow: &'static str) -> Response {
    let message = "consumers are listed and read with GET, made with PUT, taken away with DELETE, acknowledged \
                   and set with POST";
    let error = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    HttpError { allow: Some(allow), ..error }.response(id, MediaType::Json.content_type())
}

fn answer(id: Uuid, result: Result<Response, HttpError>) -> Response {
    result.unwrap_or_else(|error| error.response(id, MediaType::Json.content_type()))
}

/// Who may use consumers: whoever may replay.
async fn caller(state: &ConsumersState, headers: &HeaderMap) -> Result<Caller, HttpError> {
    let caller = super::caller(&state.events, headers).await?;
    Access::of(&caller, false)?;
    Ok(caller)
}

fn named(text: &str) -> Result<Code, HttpError> {
    Code::new(text).map_err(|wrong| {
        HttpError::bad_request("bad_name", format!("the name of a consumer is a key: {wrong}"))
    })
}

/// The consumer, when it is the caller's own.
async fn own(state: &ConsumersState, caller: &Caller, name: &Code) -> Result<Consumer, HttpError> {
    let consumer = state.consumers.get(name).await.map_err(refused)?;
    if consumer.owner == caller.operator_id { Ok(consumer) } else { Err(refused(ConsumerError::OfAnother)) }
}

async fn body<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, HttpError> {
    check_content_type(headers)?;
    let bytes = read_body(headers, body, BODY).await?;
    serde_json::from_slice(&bytes).map_err(|wrong| {
        // What stood there is not repeated; the place and the expectation are.
        let (line, column) = (wrong.line(), wrong.column());
        let message =
            format!("the body is not as it should be, at line {line}, column {column}: see docs/bi.md");
        HttpError::bad_request("bad_body", message)
    })
}

async fn list(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    let list = async {
        caller(&state, &headers).await?;
        let lags = state.consumers.list().await.map_err(refused)?;
        let consumers: Vec<Value> = lags.iter().map(with_lag).collect();
        Ok(Json(json!({ "consumers": consumers })).into_response())
    };
    answer(id, list.await)
}

async fn show(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let show = async {
        caller(&state, &headers).await?;
        let lag = state.consumers.lag(&named(&name)?).await.map_err(refused)?;
        Ok(Json(with_lag(&lag)).into_response())
    };
    answer(id, show.await)
}

/// What a consumer is made with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Creation {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    after: After,
}

/// Where a consumer begins.
#[derive(Deserialize)]
#[serde(untagged)]
enum After {
    Position(u64),
    Word(Word),
}

/// The end of the log as a position.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    End,
}

/// A position from its number; one that no log reaches counts as the last there could be.
fn position(number: u64) -> Position {
    Position::new(i64::try_from(number).unwrap_or(i64::MAX))
}

impl Default for After {
    fn default() -> Self {
        Self::Position(0)
    }
}

async fn create(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Response {
    let create = async {
        let caller = caller(&state, &headers).await?;
        let name = named(&name)?;
        let Creation { types, after } = body(&headers, content).await?;
        Types::parse(types.iter().map(String::as_str))?;
        let after = match after {
            After::Position(after) => position(after),
            After::Word(Word::End) => super::head(&state.events, id).await?,
        };
        let made = state.consumers.create(&name, caller.operator_id, &types, after).await.map_err(refused)?;
        Ok(Json(shown(&made)).into_response())
    };
    answer(id, create.await)
}

async fn remove(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let remove = async {
        let caller = caller(&state, &headers).await?;
        let name = named(&name)?;
        state.consumers.delete(&name, Some(caller.operator_id)).await.map_err(refused)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answer(id, remove.await)
}

/// What a reader says of itself, beside the parameters of a replay.
struct Reading {
    /// The lease that the reader has.
    lease: Option<LeaseId>,
    /// Where it goes on under that lease.
    after: Option<Position>,
    ttl: Duration,
    replay: Parameters,
}

impl Reading {
    fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, HttpError> {
        let (mut lease, mut after, mut seconds) = (None, None, LEASE_SECONDS);
        let mut rest = Vec::new();
        for (name, value) in pairs(uri)? {
            match name.as_str() {
                "lease" => {
                    let id = value
                        .parse()
                        .map_err(|_| bad("lease", "is what the header cluestream-lease said"))?;
                    lease = Some(LeaseId::new(id));
                }
                "after" => after = Some(Position::new(number("after", &value)?)),
                "lease_seconds" => {
                    let given = value.parse().ok().filter(|seconds| LEASE_RANGE.contains(seconds));
                    seconds = given.ok_or_else(|| bad("lease_seconds", "is a number from 20 to 3600"))?;
                }
                "types" => return Err(bad("types", "is fixed when the consumer is made")),
                "raw" => return Err(bad("raw", "is for /events")),
                _ => rest.push((name, value)),
            }
        }
        if after.is_some() && lease.is_none() {
            return Err(bad(
                "after",
                "goes with lease; without, a consumer begins behind what it acknowledged",
            ));
        }
        let ttl = Duration::from_secs(seconds.unsigned_abs());
        Ok(Self { lease, after, ttl, replay: Parameters::of_pairs(&rest, headers)? })
    }
}

async fn read(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if method == Method::HEAD {
        return not_allowed(Extension(RequestId(id)), "GET").await;
    }
    answer(id, deliver(&state, id, &name, &headers, &uri).await)
}

async fn deliver(
    state: &ConsumersState,
    id: Uuid,
    name: &str,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, HttpError> {
    let caller = caller(state, headers).await?;
    let name = named(name)?;
    let Reading { lease, after, ttl, mut replay } = Reading::of(uri, headers)?;
    let types = own(state, &caller, &name).await?.types;
    replay.types = Types::parse(types.iter().map(String::as_str))?;
    let access = Access::of(&caller, false)?;
    let place = state.events.place(&caller)?;
    // Before the lease is taken: nobody should wait for one whose reader was refused.
    let head = super::head(&state.events, id).await?;
    let fresh = lease.is_none();
    let (lease, consumer) = match lease {
        None => state.consumers.take(&name, ttl).await.map_err(refused)?,
        Some(lease) => {
            state.consumers.deliver(&name, lease, Position::ZERO, ttl).await.map_err(refused)?;
            (lease, state.consumers.get(&name).await.map_err(refused)?)
        }
    };
    let hold = Hold::new(state.consumers.clone(), name.clone(), lease, ttl);
    let begun = from(&consumer, after).and_then(|after| {
        replay.after = after;
        begin(state.events.clone(), replay, (caller, access), (Some(hold), place), head, id)
            .map(|response| (response, after))
    });
    let (mut response, after) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            if fresh && let Err(error) = state.consumers.give_back(&name, lease).await {
                tracing::debug!(%error, "the lease ends by itself");
            }
            return Err(error);
        }
    };
    for (header, text) in [(LEASE, lease.to_string()), (AFTER, after.to_string())] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}

/// Where a reader goes on: where it says, between what is acknowledged and what was delivered.
fn from(consumer: &Consumer, after: Option<Position>) -> Result<Position, HttpError> {
    let after = after.unwrap_or(consumer.position);
    if after < consumer.position {
        return Err(refused(ConsumerError::Backwards { position: consumer.position }));
    }
    if after > consumer.delivered {
        return Err(refused(ConsumerError::Undelivered { delivered: consumer.delivered }));
    }
    Ok(after)
}

/// An acknowledgement.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    lease: Uuid,
    position: u64,
    /// Whether the reader is done with the consumer for now.
    #[serde(default)]
    release: bool,
    #[serde(default)]
    lease_seconds: Option<i64>,
}

async fn acknowledge(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Response {
    let acknowledge = async {
        let caller = caller(&state, &headers).await?;
        let name = named(&name)?;
        let said: Acknowledgement = body(&headers, content).await?;
        let seconds = said.lease_seconds.unwrap_or(LEASE_SECONDS);
        if !LEASE_RANGE.contains(&seconds) {
            return Err(HttpError::bad_request("bad_body", "lease_seconds is a number from 20 to 3600"));
        }
        own(&state, &caller, &name).await?;
        let keep = (!said.release).then(|| Duration::from_secs(seconds.unsigned_abs()));
        let lease = LeaseId::new(said.lease);
        let moved = state
            .consumers
            .acknowledge(&name, lease, position(said.position), keep)
            .await
            .map_err(refused)?;
        Ok(Json(shown(&moved)).into_response())
    };
    answer(id, acknowledge.await)
}

/// A position to go to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seek {
    position: u64,
}

async fn seek(
    State(state): State<ConsumersState>,
    Extension(RequestId(id)): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
    content: Body,
) -> Response {
    let seek = async {
        let caller = caller(&state, &headers).await?;
        let name = named(&name)?;
        let to: Seek = body(&headers, content).await?;
        let owner = Some(caller.operator_id);
        let moved = state.consumers.seek(&name, owner, position(to.position)).await.map_err(refused)?;
        Ok(Json(shown(&moved)).into_response())
    };
    answer(id, seek.await)
}

fn shown(consumer: &Consumer) -> Value {
    json!({
        "name": consumer.name,
        "owner": consumer.owner,
        "types": consumer.types,
        "position": consumer.position,
        "delivered": consumer.delivered,
        "leasedUntil": consumer.leased_until,
        "createdAt": consumer.created_at,
        "acknowledgedAt": consumer.acknowledged_at,
    })
}

fn with_lag(lag: &ConsumerLag) -> Value {
    let mut value = shown(&lag.consumer);
    value["lag"] = json!({ "events": lag.events, "seconds": lag.seconds });
    value
}

/// A refusal of a consumer as an answer.
pub(super) fn refused(error: ConsumerError) -> HttpError {
    let (status, code) = match &error {
        ConsumerError::Unknown => (StatusCode::NOT_FOUND, "consumer_unknown"),
        ConsumerError::Exists => (StatusCode::CONFLICT, "consumer_exists"),
        ConsumerError::OfAnother => (StatusCode::FORBIDDEN, "consumer_of_another"),
        ConsumerError::Leased { .. } => (StatusCode::CONFLICT, "consumer_leased"),
        ConsumerError::LeaseLost => (StatusCode::CONFLICT, "lease_lost"),
        ConsumerError::Backwards { .. } => (StatusCode::CONFLICT, "position_acknowledged"),
        ConsumerError::Undelivered { .. } => (StatusCode::CONFLICT, "position_undelivered"),
        ConsumerError::BeyondHead { .. } => (StatusCode::CONFLICT, "after_beyond_head"),
        ConsumerError::Sql(_) | ConsumerError::Read(_) => {
            // What the store says is for the log alone.
            tracing::error!(%error, "a consumer cannot be worked on");
            let message = "the database of the consumers does not answer";
            return HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "consumers_unavailable", message);
        }
    };
    HttpError::new(status, code, error.to_string())
}
