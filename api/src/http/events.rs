//! Replaying the log over HTTP: one event a line, from any position, in constant memory.
//!
//! Guarantees: lines come in the order of positions, and the last line says up to which position the
//! log was looked at, so that an answer that was cut off is told from one that is whole; personal
//! values leave in clear for auditors alone, and everybody else gets pseudonyms; a slow reader slows
//! its own replay only.
//!
//! Deliberately absent: waiting at the end of the log. A reader asks again, behind the last line.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::envelope::RecordedEvent;
use domain::ids::SubjectId;
use domain::operator::Role;
use domain::personal::{PersonalValue, Replacement, replace_personal};
use domain::ports::{EventReader, ReadError, Unsealer};
use domain::{Instant, Position};
use futures::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::accept::MediaType;
use super::error::HttpError;
use super::gateway::Gateway;
use super::observe::RequestId;
use crate::auth::Caller;

/// Events that are read at once.
const PAGE: usize = 500;

/// What to replay.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Events behind this position.
    #[serde(default)]
    after: i64,
    /// Events up to this position; up to the end of the log as it is now when absent.
    until: Option<i64>,
    /// Types of events, separated by commas; all when absent.
    types: Option<String>,
    /// Payloads byte for byte as stored, sealed.
    #[serde(default)]
    raw: bool,
}

/// How personal values leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personal {
    /// As stored.
    Sealed,
    /// As `$redacted`.
    Redacted,
    /// In clear, or redacted where the person was erased.
    Clear,
}

/// One event as a line of JSON.
#[derive(Serialize)]
pub struct EventLine<'a> {
    position: Position,
    event_id: domain::ids::EventId,
    stream: EventStream<'a>,
    revision: domain::Revision,
    #[serde(rename = "type")]
    event_type: &'a str,
    version: u32,
    recorded_at: Instant,
    occurred_at: Instant,
    actor: &'a domain::Actor,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_behalf_of: Option<domain::ids::OperatorId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<&'a domain::values::LineKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<SubjectId>,
    command_id: domain::ids::CommandId,
    correlation_id: domain::ids::CorrelationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<domain::ids::EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a domain::values::Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    payload: Box<RawValue>,
}

#[derive(Serialize)]
struct EventStream<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

/// The last line of a whole answer.
#[derive(Serialize)]
struct Through {
    through: Position,
}

impl<'a> EventLine<'a> {
    /// An event with its payload as given.
    ///
    /// # Errors
    /// When the payload is no JSON.
    pub fn new(event: &'a RecordedEvent, payload: String) -> Result<Self, serde_json::Error> {
        let metadata = &event.metadata;
        Ok(Self {
            position: event.position,
            event_id: metadata.event_id,
            stream: EventStream { kind: event.stream.aggregate_type(), id: event.stream.id() },
            revision: event.revision,
            event_type: &event.event_type,
            version: event.event_version.parse().unwrap_or(0),
            recorded_at: event.recorded_at,
            occurred_at: metadata.occurred_at,
            actor: &metadata.actor,
            on_behalf_of: metadata.on_behalf_of,
            line: metadata.line.as_ref(),
            subject: metadata.subject,
            command_id: metadata.command_id,
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
            reason: metadata.reason.as_ref(),
            policy_version: metadata.policy_version,
            trace: metadata.trace.as_deref(),
            payload: RawValue::from_string(payload)?,
        })
    }
}

#[derive(Clone)]
struct Replay {
    log: Arc<dyn EventReader>,
    unsealer: Arc<dyn Unsealer>,
    gateway: Arc<Gateway>,
}

/// `GET /events`.
pub fn events(log: Arc<dyn EventReader>, unsealer: Arc<dyn Unsealer>, gateway: Arc<Gateway>) -> Router {
    Router::new().route("/events", get(handle)).with_state(Replay { log, unsealer, gateway })
}

async fn handle(
    State(replay): State<Replay>,
    Extension(RequestId(id)): Extension<RequestId>,
    headers: HeaderMap,
    uri: axum::http::Uri,
) -> Response {
    match begin(replay, &headers, &uri).await {
        Ok(response) => response,
        Err(error) => error.response(id, MediaType::Json.content_type()),
    }
}

async fn begin(replay: Replay, headers: &HeaderMap, uri: &axum::http::Uri) -> Result<Response, HttpError> {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let caller = replay.gateway.authenticator().authenticate_header(authorization).await?;
    let Query(wanted) = Query::<Wanted>::try_from_uri(uri).map_err(|_| {
        let message = "the parameters are after, until (positions), types (separated by commas), raw";
        HttpError::bad_request("bad_request", message)
    })?;
    if !caller.roles.contains(&Role::Auditor) && !caller.roles.contains(&Role::Bi) {
        let message = "the log is replayed by auditors and for business intelligence";
        return Err(HttpError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    let head = replay.log.head().await.map_err(|error| unavailable(&error))?.position;
    let until = wanted.until.map_or(head, |until| Position::new(until).min(head));
    let types = match &wanted.types {
        Some(types) => Some(read_types(types)?),
        None => None,
    };
    tracing::info!(operator = %caller.operator_id, after = wanted.after, %until, raw = wanted.raw, "the log is replayed");
    let personal = match (wanted.raw, caller.roles.contains(&Role::Auditor)) {
        (true, _) => Personal::Sealed,
        (false, true) => Personal::Clear,
        (false, false) => Personal::Redacted,
    };
    let run = Run { replay, caller, at: Position::new(wanted.after), until, types, personal, done: false };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::from_stream(lines(run))).into_response())
}

fn read_types(types: &str) -> Result<BTreeSet<String>, HttpError> {
    let known: BTreeSet<&str> = domain::contracts::event_types().map(|known| known.name).collect();
    let wanted: BTreeSet<String> = types.split(',').map(|name| name.trim().to_owned()).collect();
    match wanted.iter().find(|name| !known.contains(name.as_str())) {
        Some(_) => Err(HttpError::bad_request(
            "event_type_unknown",
            "one of the types is no type of event; `cluestream schema events` lists them",
        )),
        None => Ok(wanted),
    }
}

fn unavailable(error: &ReadError) -> HttpError {
    tracing::error!(%error, "the log cannot be replayed");
    HttpError { status: StatusCode::SERVICE_UNAVAILABLE, ..HttpError::internal() }
}

/// A replay on its way.
struct Run {
    replay: Replay,
    caller: Caller,
    at: Position,
    until: Position,
    types: Option<BTreeSet<String>>,
    personal: Personal,
    done: bool,
}

fn lines(run: Run) -> impl Stream<Item = Result<Bytes, Broken>> {
    stream::try_unfold(run, |mut run| async move {
        loop {
            if run.done {
                return Ok(None);
            }
            // Ending early is honest: the last line says how far it came.
            if run.at >= run.until || run.must_end() {
                run.done = true;
                return Ok(Some((line(&Through { through: run.at })?, run)));
            }
            let page = run.page().await?;
            if !page.is_empty() {
                return Ok(Some((page.into(), run)));
            }
        }
    })
}

/// A replay that cannot go on: the connection is cut, so that the answer does not look whole.
#[derive(Debug, thiserror::Error)]
#[error("the replay cannot go on")]
struct Broken;

impl Run {
    fn must_end(&self) -> bool {
        let gateway = &self.replay.gateway;
        gateway.draining().is_cancelled() || gateway.authenticator().now() > self.caller.token_expires_at
    }

    async fn page(&mut self) -> Result<Vec<u8>, Broken> {
        let broken = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a replay broke off");
            Broken
        };
        let mut events = self.replay.log.read(self.at, PAGE).await.map_err(|error| broken(&error))?;
        events.retain(|event| event.position <= self.until);
        let Some(last) = events.last() else {
            self.at = self.until;
            return Ok(Vec::new());
        };
        self.at = last.position;
        events.retain(|event| self.wants(event));
        let subjects: Vec<SubjectId> = match self.personal {
            Personal::Clear => {
                let found: BTreeSet<_> = events.iter().filter_map(|event| event.metadata.subject).collect();
                found.into_iter().collect()
            }
            Personal::Sealed | Personal::Redacted => Vec::new(),
        };
        let keys = self.replay.unsealer.keys(&subjects).await.map_err(|error| broken(&error))?;
        let mut page = Vec::with_capacity(events.len() * 600);
        for event in &events {
            let payload = match self.personal {
                Personal::Sealed => event.payload.to_string(),
                Personal::Redacted => redacted(&event.payload).map_err(|error| broken(&error))?,
                Personal::Clear => event.clear_payload(&*keys).map_err(|error| broken(&error))?.to_string(),
            };
            let line = EventLine::new(event, payload).map_err(|error| broken(&error))?;
            serde_json::to_writer(&mut page, &line).map_err(|error| broken(&error))?;
            page.push(b'\n');
        }
        Ok(page)
    }

    /// Whether the caller may read it and asked for it. Events of no line are of people and teams.
    fn wants(&self, event: &RecordedEvent) -> bool {
        let wanted = self.types.as_ref().is_none_or(|types| types.contains(&*event.event_type));
        let all = self.caller.roles.contains(&Role::Auditor);
        let line = event.metadata.line.as_ref();
        wanted && (all || line.is_none_or(|line| self.caller.scope.lines.contains(line)))
    }
}

/// A payload with its sealed values replaced by `$redacted`.
fn redacted(payload: &str) -> Result<String, serde_json::Error> {
    let mut value: Value = serde_json::from_str(payload)?;
    let infallible: Result<(), std::convert::Infallible> = replace_personal(&mut value, &mut |_, found| {
        Ok(match found {
            PersonalValue::Sealed(_) | PersonalValue::Clear(_) => Some(Replacement::Redacted),
        })
    });
    match infallible {
        Ok(()) => Ok(value.to_string()),
        Err(never) => match never {},
    }
}

fn line(value: &impl Serialize) -> Result<Bytes, Broken> {
    let mut bytes = serde_json::to_vec(value).map_err(|_| Broken)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
