//! From pages of events to a body that ends well or visibly does not.

use std::future::pending;
use std::num::NonZeroU64;
use std::time::Duration;
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use domain::Position;
use domain::ports::ReadError;
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::access::Access;
use super::query::Parameters;
use super::row::{self, Entry};
use super::{EventsState, ReplaySettings};
use crate::auth::{Caller, Rejection};
use crate::http::error::{HttpError, INTERNAL};

/// How long the last line of a failed replay may take to leave before its connection is broken off.
const FLUSH: Duration = Duration::from_millis(100);
/// Pages begin at this part of their full size: the first ones tell how large events are.
const FIRST_PAGE: usize = 8;

/// A replay that is under way.
pub(super) struct Replay {
    state: EventsState,
    parameters: Parameters,
    /// What this process appends, when somebody tells.
    appended: Option<watch::Receiver<Position>>,
    caller: Caller,
    access: Access,
    correlation: Uuid,
    /// How many events may still be written, when that is limited.
    left: Option<u64>,
    /// Where the log ended at the start; `None` for a client that follows.
    until: Option<Position>,
    /// Everything up to here was written or is not for this client.
    position: Position,
    /// The position of the last line.
    told: Position,
    page: IntoIter<Entry>,
    page_size: usize,
    out: Vec<u8>,
    expires: Instant,
    renew: Instant,
    heartbeat: Instant,
}

/// Why a replay ends before it has all that was asked for.
struct Stop {
    code: &'static str,
    message: String,
    /// Whether something is broken, so that the connection is broken off as well.
    fault: bool,
}

/// The connection is broken off on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the replay failed")]
struct BrokenOff;

/// What comes after a chunk.
enum Next {
    Lines(Box<Replay>),
    BreakOff,
    Nothing,
}

/// Whether there is more to come.
enum Progress {
    More,
    Over,
}

impl Replay {
    /// A replay for a caller who may have it, from a log that ends at `head`.
    pub fn new(
        state: EventsState,
        parameters: Parameters,
        caller: Caller,
        access: Access,
        head: Position,
        correlation: Uuid,
    ) -> Self {
        let now = Instant::now();
        let settings = state.settings;
        let left = caller.token_expires_at.micros_since(state.gateway.authenticator().now());
        Self {
            appended: state.appended.clone(),
            left: parameters.limit.map(NonZeroU64::get),
            until: (!parameters.follow).then_some(head),
            position: parameters.after,
            told: parameters.after,
            page: Vec::new().into_iter(),
            page_size: (settings.page / FIRST_PAGE).max(1),
            out: Vec::new(),
            expires: now + Duration::from_micros(u64::try_from(left).unwrap_or(0)),
            renew: now + settings.renew,
            heartbeat: now + settings.heartbeat,
            state,
            parameters,
            caller,
            access,
            correlation,
        }
    }

    /// The body of the response. It reads on only when the client has taken what came before.
    pub fn into_body(self) -> Body {
        // Compression asks once more after the end.
        Body::from_stream(self.into_stream().fuse())
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Send {
        stream::unfold(Next::Lines(Box::new(self)), |next| async move {
            match next {
                Next::Lines(replay) => {
                    let (chunk, next) = replay.chunk().await;
                    Some((Ok(chunk), next))
                }
                Next::BreakOff => {
                    // The server writes what it has when the body has nothing for a moment.
                    sleep(FLUSH).await;
                    Some((Err(BrokenOff), Next::Nothing))
                }
                Next::Nothing => None,
            }
        })
    }

    /// The next lines, the last one included when it is time for that.
    async fn chunk(mut self: Box<Self>) -> (Bytes, Next) {
        let next = match self.advance().await {
            Ok(Progress::More) => {
                let lines = std::mem::take(&mut self.out);
                return (lines.into(), Next::Lines(self));
            }
            Ok(Progress::Over) => {
                self.say(&json!({ "end": { "position": self.position } }));
                Next::Nothing
            }
            Err(stop) => {
                let (correlation, position) = (self.correlation, self.position);
                if stop.fault {
                    tracing::error!(%correlation, %position, code = stop.code, "a replay failed");
                }
                self.say(&json!({ "error": {
                    "code": stop.code,
                    "message": stop.message,
                    "position": position,
                    "correlationId": correlation,
                } }));
                if stop.fault { Next::BreakOff } else { Next::Nothing }
            }
        };
        (std::mem::take(&mut self.out).into(), next)
    }

    /// Fills `out` with some lines, waiting for them when need be.
    async fn advance(&mut self) -> Result<Progress, Stop> {
        loop {
            self.check_clock()?;
            self.write_lines()?;
            if self.left == Some(0) {
                return Ok(Progress::Over);
            }
            let over = self.until.is_some_and(|until| self.position >= until);
            let page_done = self.page.as_slice().is_empty();
            if page_done && !over && self.told < self.position {
                self.tell_position();
            }
            if !self.out.is_empty() {
                return Ok(Progress::More);
            }
            if over {
                return Ok(Progress::Over);
            }
            if page_done {
                self.turn_page().await?;
            }
        }
    }

    /// Writes lines of the page that is in memory: a chunk, or less when the page or the limit ends.
    fn write_lines(&mut self) -> Result<(), Stop> {
        while self.left != Some(0) && self.out.len() < self.state.settings.chunk_bytes {
            let Some(entry) = self.page.next() else { return Ok(()) };
            let (expected, found) = (self.position.next(), entry.position());
            if found != expected {
                return Err(ReadError::Hole { expected, found }.into());
            }
            let (event, metadata) = entry.open()?;
            if self.parameters.types.contain(&event.event_type) && self.access.sees(&event) {
                row::write(&mut self.out, &event, self.access.view, metadata.as_deref()).map_err(
                    |wrong| ReadError::Corrupt { position: event.position, reason: wrong.0.to_owned() },
                )?;
                self.told = event.position;
                self.left = self.left.map(|left| left - 1);
            }
            self.position = event.position;
        }
        Ok(())
    }

    /// Reads the next page; a client that follows waits when there is none.
    async fn turn_page(&mut self) -> Result<(), Stop> {
        self.check_standing().await?;
        let size = self.until.map_or(self.page_size, |until| {
            let rest = usize::try_from(until.get() - self.position.get()).unwrap_or(usize::MAX);
            self.page_size.min(rest)
        });
        // What is appended from here on is seen as a change while waiting.
        let _ = self.appended.as_mut().map(|appended| *appended.borrow_and_update());
        let page = tokio::select! {
            biased;
            stop = interrupted(self.state.gateway.draining(), self.expires) => return Err(stop),
            page = self.read(size) => page?,
        };
        if page.is_empty() {
            let Some(until) = self.until else { return self.wait().await };
            return Err(ReadError::Hole { expected: self.position.next(), found: until }.into());
        }
        self.page_size = page_size(&self.state.settings, &page);
        self.page = page.into_iter();
        Ok(())
    }

    /// The next events, as the client wants them.
    async fn read(&self, size: usize) -> Result<Vec<Entry>, ReadError> {
        let (reader, after) = (&self.state.reader, self.position);
        if self.parameters.raw {
            return Ok(reader.read_stored(after, size).await?.into_iter().map(Entry::Stored).collect());
        }
        Ok(reader.read(after, size).await?.into_iter().map(Entry::Read).collect())
    }

    /// Waits until there may be more to read, or until it is time for a sign of life.
    async fn wait(&mut self) -> Result<(), Stop> {
        let Self { appended, state, expires, heartbeat, .. } = self;
        let beat = tokio::select! {
            biased;
            stop = interrupted(state.gateway.draining(), *expires) => return Err(stop),
            () = changed(appended) => false,
            () = sleep_until(*heartbeat) => true,
            () = sleep(state.settings.poll) => false,
        };
        if beat {
            self.tell_position();
        }
        Ok(())
    }

    /// Says how far the log was read, when no event's line does.
    fn tell_position(&mut self) {
        self.say(&json!({ "position": self.position }));
        self.told = self.position;
    }

    fn say(&mut self, line: &Value) {
        self.out.extend_from_slice(line.to_string().as_bytes());
        self.out.push(b'\n');
        self.heartbeat = Instant::now() + self.state.settings.heartbeat;
    }

    fn check_clock(&self) -> Result<(), Stop> {
        if self.state.gateway.draining().is_cancelled() {
            return Err(Stop::ending());
        }
        if Instant::now() >= self.expires { Err(Rejection::Expired.into()) } else { Ok(()) }
    }

    /// Looks the caller up anew from time to time: roles are taken away while replays go on.
    async fn check_standing(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        if now < self.renew {
            return Ok(());
        }
        self.caller = self.state.gateway.authenticator().renew(&self.caller).await?;
        self.access = Access::of(&self.caller, self.parameters.raw)?;
        self.renew = now + self.state.settings.renew;
        Ok(())
    }
}

/// Ends when the replay has to end, whatever it is at.
async fn interrupted(draining: &CancellationToken, expires: Instant) -> Stop {
    tokio::select! {
        biased;
        () = draining.cancelled() => Stop::ending(),
        () = sleep_until(expires) => Rejection::Expired.into(),
    }
}

/// Ends when this process has appended something; never, when nobody tells.
async fn changed(appended: &mut Option<watch::Receiver<Position>>) {
    if let Some(receiver) = appended {
        if receiver.changed().await.is_ok() {
            return;
        }
        // Its log is closed; from now on only polling tells.
        *appended = None;
    }
    pending().await
}

/// How many events the next page has, when they are as large as those of this one.
fn page_size(settings: &ReplaySettings, page: &[Entry]) -> usize {
    let bytes: usize = page.iter().map(Entry::bytes).sum();
    let average = (bytes / page.len().max(1)).max(1);
    (settings.page_bytes / average).clamp(1, settings.page)
}

impl Stop {
    fn ending() -> Self {
        let message = "the server is about to end; go on from this position".to_owned();
        Self { code: "server_ending", message, fault: false }
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        let (code, message) = match &error {
            ReadError::Unavailable(_) => {
                ("log_unavailable", "the event log does not answer; try again from this position".to_owned())
            }
            ReadError::Hole { .. } => ("log_hole", error.to_string()),
            ReadError::Corrupt { position, .. } => {
                ("log_corrupt", format!("the event at position {position} cannot be read"))
            }
        };
        // What the store says is for the log alone.
        tracing::error!(%error, code, "the event log cannot be replayed");
        Self { code, message, fault: true }
    }
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        Self { code: error.code, message: error.message, fault: error.code == INTERNAL }
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        HttpError::from(rejection).into()
    }
}
