//! `GET /events`: the log as NDJSON, as an Arrow stream or as a Parquet file, for BI and auditors.
//!
//! Guarantees:
//! - every line has a position from which the next request goes on: lines of events, progress lines
//!   `{"position":N}` behind stretches in which nothing matched, and the last line. Nothing between
//!   two positions is left out silently and nothing comes twice;
//! - a reply is whole only when its last line is `{"end":…}`. Any other end has a last line
//!   `{"error":…}` or none at all: a fault of the log also breaks the connection off. A columnar reply
//!   is whole only with its end marker or footer; any other end breaks the connection off;
//! - a few pages of events are in memory, whatever the length of the log: those that are read ahead
//!   while one goes out. A client that does not read holds nobody else, and many that do leave
//!   connections of the log to others;
//! - events are passed on as JSON: types and versions that this program does not know as well;
//! - BI reads no personal data: whatever is or might be sealed is `"$redacted"`. Roles, scope and
//!   standing are those of this moment, also in a reply that lasts;
//! - `raw` adds payload and metadata byte for byte as stored: with them a line has all that the event's
//!   leaf in the log's tree is made of. An event that cannot be read comes with that alone and
//!   `unreadable`, and `{"position":N,"missing":M}` says that the log has nothing at M positions up to N:
//!   an audit of a log that was tampered with needs both. Other replays stop there;
//! - a reply ends with the caller's token and when the program is about to end;
//! - so many replies are open and no more, of the process and of each operator.
//!
//! Deliberately absent: reading backwards, and decoding through upcasters (the schemas of
//! `cluestream schema events` say what each version looks like).

mod access;
pub mod consumers;
mod data;
mod export;
mod format;
mod hold;
mod pages;
mod query;
mod replies;
mod row;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::Position;
use domain::ports::{EventReader, ReadError};
use domain::proof::StoredEvent;
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use uuid::Uuid;

use super::accept::MediaType;
use super::error::HttpError;
use super::gateway::Gateway;
use super::observe::RequestId;
use crate::auth::Caller;
use access::{Access, View};
use hold::Hold;
use query::Parameters;
use replies::{Place, Replies};
use stream::Replay;

pub use export::{ExportError, Exporter};
pub use format::Format;

/// Asks proxies of the nginx kind to pass lines on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How replays are paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaySettings {
    /// Events of a page at most.
    pub page: usize,
    /// Bytes of payloads that a page is meant to have at most; its count of events follows that.
    pub page_bytes: usize,
    /// Bytes of lines that go out at once.
    pub chunk_bytes: usize,
    /// How often a client that follows hears a position when nothing happens.
    pub heartbeat: Duration,
    /// How often a follower looks for events that other processes appended.
    pub poll: Duration,
    /// How often the caller's roles, scope and standing are looked up anew.
    pub renew: Duration,
    /// Replies that may be open at once.
    pub replies: usize,
    /// Replies that one operator may have open at once.
    pub replies_each: usize,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self {
            page: 4_000,
            page_bytes: 2 * 1024 * 1024,
            chunk_bytes: 128 * 1024,
            heartbeat: Duration::from_secs(15),
            poll: Duration::from_millis(500),
            renew: Duration::from_secs(10),
            replies: 64,
            replies_each: 8,
        }
    }
}

/// What replays read from, and who says who may. Cheap to clone.
#[derive(Clone)]
pub struct EventsState {
    reader: Arc<dyn EventReader>,
    gateway: Arc<Gateway>,
    appended: Option<watch::Receiver<Position>>,
    settings: ReplaySettings,
    /// Who may read the log now, of all replays of the process.
    turns: Arc<Semaphore>,
    replies: Replies,
}

/// Pages that are read at once, for however many clients: the log's connections are for commands too.
const TURNS: usize = 4;

impl EventsState {
    /// Replays of the log behind `reader`, for callers that the gateway knows.
    #[must_use]
    pub fn new(reader: Arc<dyn EventReader>, gateway: Arc<Gateway>) -> Self {
        let turns = Arc::new(Semaphore::new(TURNS));
        let settings = ReplaySettings::default();
        Self { reader, gateway, appended: None, settings, turns, replies: Replies::default() }
    }

    /// With what this process appends, so that followers hear of it at once.
    #[must_use]
    pub fn with_appended(self, appended: watch::Receiver<Position>) -> Self {
        Self { appended: Some(appended), ..self }
    }

    /// With another pace.
    #[must_use]
    pub const fn with_settings(mut self, settings: ReplaySettings) -> Self {
        self.settings = settings;
        self
    }

    /// With other limits of open replies: of the process, and of an operator.
    #[must_use]
    pub const fn with_replies(mut self, (replies, replies_each): (usize, usize)) -> Self {
        self.settings = ReplaySettings { replies, replies_each, ..self.settings };
        self
    }

    /// A place for one more reply to this caller.
    fn place(&self, caller: &Caller) -> Result<Place, HttpError> {
        self.replies.place(caller.operator_id, self.settings.replies, self.settings.replies_each)
    }
}

/// Marks the response of a follower. It is not compressed, for its lines must not wait in a buffer.
#[derive(Clone, Copy)]
struct Following;

/// Appends the line of an event with its stored texts, byte for byte, to `out`.
///
/// # Errors
/// What is wrong with the stored event.
pub fn raw_line(out: &mut Vec<u8>, stored: &StoredEvent) -> Result<(), String> {
    let event = stored.recorded().map_err(|error| error.to_string())?;
    row::write(out, &event, View::Stored, Some(&stored.metadata)).map_err(|wrong| wrong.0.to_owned())
}

/// Checks names of event types as `types` takes them.
///
/// # Errors
/// Says which is none.
pub fn known_types(names: &[String]) -> Result<(), String> {
    let parsed = query::Types::parse(names.iter().map(String::as_str));
    parsed.map(drop).map_err(|wrong| wrong.message)
}

/// The route `/events`.
pub fn routes(state: EventsState) -> Router {
    Router::new()
        .route("/events", get(handle).fallback(method_not_allowed))
        .layer(compression())
        .with_state(state)
}

/// Compresses what is whole and not compressed already.
fn compression() -> CompressionLayer<impl Predicate> {
    let whole =
        |_: StatusCode, _: axum::http::Version, _: &HeaderMap, extensions: &axum::http::Extensions| {
            extensions.get::<Following>().is_none()
        };
    let packed = NotForContentType::const_new(Format::Parquet.media_type());
    CompressionLayer::new().compress_when(DefaultPredicate::new().and(packed).and(whole))
}

async fn handle(
    State(state): State<EventsState>,
    Extension(RequestId(id)): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match open(state, id, &headers, &uri).await {
        Ok(response) => response,
        Err(error) => error.response(id, MediaType::Json.content_type()),
    }
}

async fn open(
    state: EventsState,
    correlation: Uuid,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Response, HttpError> {
    let caller = caller(&state, headers).await?;
    // Whoever may not read at all learns nothing from the parameters either.
    Access::of(&caller, false)?;
    let parameters = Parameters::of(uri, headers)?;
    let access = Access::of(&caller, parameters.raw)?;
    let place = state.place(&caller)?;
    let head = head(&state, correlation).await?;
    begin(state, parameters, (caller, access), (None, place), head, correlation)
}

async fn caller(state: &EventsState, headers: &HeaderMap) -> Result<Caller, HttpError> {
    let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    Ok(state.gateway.authenticator().authenticate_header(authorization).await?)
}

async fn head(state: &EventsState, correlation: Uuid) -> Result<Position, HttpError> {
    Ok(state.reader.head().await.map_err(|error| unreadable(&error, correlation))?.position)
}

/// The response of a replay that is allowed.
fn begin(
    state: EventsState,
    parameters: Parameters,
    who: (Caller, Access),
    held: (Option<Hold>, Place),
    head: Position,
    correlation: Uuid,
) -> Result<Response, HttpError> {
    if parameters.after > head {
        let message = format!(
            "the parameter after is beyond the end of the log, which is at {head}: was it restored, or is it \
             another log?"
        );
        return Err(HttpError::new(StatusCode::CONFLICT, "after_beyond_head", message));
    }
    let (follow, format) = (parameters.follow, parameters.format);
    let replay = Replay::new(state, parameters, who, held, head, correlation).map_err(|error| {
        tracing::error!(%correlation, %error, "a replay cannot begin");
        HttpError::internal()
    })?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
        (header::VARY, HeaderValue::from_static("accept")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    let mut response = (headers, replay.into_body()).into_response();
    if follow {
        response.extensions_mut().insert(Following);
    }
    Ok(response)
}

fn unreadable(error: &ReadError, correlation: Uuid) -> HttpError {
    tracing::error!(%correlation, %error, "the end of the log cannot be read");
    HttpError::new(StatusCode::SERVICE_UNAVAILABLE, "log_unavailable", "the event log does not answer")
}

async fn method_not_allowed(Extension(RequestId(id)): Extension<RequestId>) -> Response {
    let error =
        HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "events are read with GET");
    HttpError { allow: Some("GET, HEAD"), ..error }.response(id, MediaType::Json.content_type())
}
