//! From pages of events to a body that ends well or visibly does not.

use std::future::pending;
use std::num::NonZeroU64;
use std::time::Duration;

use axum::body::{Body, Bytes};
use domain::Position;
use domain::ports::ReadError;
use futures::{Stream, StreamExt, stream};
use projections::ConsumerError;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::EventsState;
use super::access::Access;
use super::consumers::refused;
use super::format::{Format, FormatError, Piece, Stretch, Writer};
use super::hold::Hold;
use super::pages::{Page, PageError, Pages, Selection, off_runtime};
use super::query::Parameters;
use super::replies::Place;
use crate::auth::{Caller, Rejection};
use crate::http::error::{HttpError, INTERNAL};

/// How long the last line of a failed replay may take to leave before its connection is broken off.
const FLUSH: Duration = Duration::from_millis(100);

/// A replay that is under way.
pub(super) struct Replay {
    state: EventsState,
    parameters: Parameters,
    /// What this process appends, when somebody tells.
    appended: Option<watch::Receiver<Position>>,
    caller: Caller,
    access: Access,
    /// The consumer for which it reads, when the server keeps the position.
    hold: Option<Hold>,
    /// Its place among the open replies.
    _place: Place,
    correlation: Uuid,
    /// How many events may still be written.
    left: u64,
    /// Where the log ended at the start.
    head: Position,
    /// Everything up to here was written or is not for this client.
    position: Position,
    /// The position of the last line.
    told: Position,
    pages: Pages,
    page: Option<Page>,
    writer: Writer,
    out: Vec<Bytes>,
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
    Rows(Box<Replay>),
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
        (caller, access): (Caller, Access),
        (hold, place): (Option<Hold>, Place),
        head: Position,
        correlation: Uuid,
    ) -> Result<Self, FormatError> {
        let now = Instant::now();
        let settings = state.settings;
        let left = caller.token_expires_at.micros_since(state.gateway.authenticator().now());
        let Parameters { after, limit, follow, format, raw, .. } = parameters;
        let stretch = Stretch { after, until: (!follow).then_some(head), limit };
        let types = parameters.types.clone();
        let selection = Selection { types, access: access.clone(), format, raw };
        Ok(Self {
            appended: state.appended.clone(),
            left: limit.map_or(u64::MAX, NonZeroU64::get),
            head,
            position: after,
            told: after,
            pages: Pages::new(&state, selection),
            page: None,
            writer: Writer::new(format, &stretch)?,
            out: Vec::new(),
            expires: now + Duration::from_micros(u64::try_from(left).unwrap_or(0)),
            renew: now + settings.renew,
            heartbeat: now + settings.heartbeat,
            state,
            parameters,
            caller,
            access,
            hold,
            _place: place,
            correlation,
        })
    }

    /// The body of the response. It reads on only when the client has taken what came before.
    pub fn into_body(self) -> Body {
        // Compression asks once more after the end.
        Body::from_stream(self.into_stream().fuse())
    }

    fn into_stream(self) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Send {
        stream::unfold(Next::Rows(Box::new(self)), |next| async move {
            match next {
                Next::Rows(replay) => {
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

    /// The next rows, the end included when it is time for that.
    async fn chunk(mut self: Box<Self>) -> (Bytes, Next) {
        let ended = match self.advance().await {
            Ok(Progress::More) => return (self.flush(), Next::Rows(self)),
            Ok(Progress::Over) => self.end().await,
            Err(stop) => Err(stop),
        };
        let next = match ended {
            Ok(()) => Next::Nothing,
            Err(stop) => self.fail(&stop),
        };
        (self.flush(), next)
    }

    /// What goes out at once.
    fn flush(&mut self) -> Bytes {
        let mut out = std::mem::take(&mut self.out);
        if out.len() == 1 { out.swap_remove(0) } else { out.concat().into() }
    }

    /// Says that all is there.
    async fn end(&mut self) -> Result<(), Stop> {
        if self.is_lines() {
            self.say(&json!({ "end": { "position": self.position } }));
            return Ok(());
        }
        let (writer, position) = (std::mem::replace(&mut self.writer, Writer::Ndjson), self.position);
        let last = off_runtime(move || writer.finish(position)).await.ok_or_else(Stop::ending)??;
        self.out.push(last);
        Ok(())
    }

    /// Says what happened, where the form has words for it; a columnar form is broken off, for half of
    /// one must not pass for the whole.
    fn fail(&mut self, stop: &Stop) -> Next {
        let (correlation, position) = (self.correlation, self.position);
        if stop.fault {
            tracing::error!(%correlation, %position, code = stop.code, "a replay failed");
        }
        if !self.is_lines() {
            return Next::BreakOff;
        }
        self.say(&json!({ "error": {
            "code": stop.code,
            "message": stop.message,
            "position": position,
            "correlationId": correlation,
        } }));
        if stop.fault { Next::BreakOff } else { Next::Nothing }
    }

    const fn is_lines(&self) -> bool {
        matches!(self.parameters.format, Format::Ndjson)
    }

    /// Fills `out` with some rows, waiting for them when need be.
    async fn advance(&mut self) -> Result<Progress, Stop> {
        if let Some(hold) = &mut self.hold {
            hold.took().await?;
        }
        loop {
            self.check_clock()?;
            self.write_rows().await?;
            if self.left == 0 {
                return Ok(Progress::Over);
            }
            let over = !self.parameters.follow && self.position >= self.head;
            if self.page.is_none() && !over && self.told < self.position {
                self.tell_position()?;
            }
            if !self.out.is_empty() {
                return Ok(Progress::More);
            }
            if over {
                return Ok(Progress::Over);
            }
            if self.page.is_none() {
                self.turn_page().await?;
            }
        }
    }

    /// Writes rows of the page that is in memory: a chunk, or less when the page or the limit ends.
    async fn write_rows(&mut self) -> Result<(), Stop> {
        let Some(page) = &mut self.page else { return Ok(()) };
        if let Some((piece, count)) = page.take(self.state.settings.chunk_bytes, self.left) {
            self.left -= count;
            if let Some(told) = page.told() {
                (self.position, self.told) = (told, told);
            }
            self.write(piece).await?;
        }
        let Some(page) = &mut self.page else { return Ok(()) };
        if page.is_done() && self.left > 0 {
            self.position = page.through();
            let fault = page.fault();
            self.page = None;
            if let Some(fault) = fault {
                return Err(fault.into());
            }
        }
        Ok(())
    }

    async fn write(&mut self, piece: Piece) -> Result<(), Stop> {
        let bytes = match piece {
            Piece::Lines(lines) => lines,
            batch @ Piece::Batch(_) => {
                let mut writer = std::mem::replace(&mut self.writer, Writer::Ndjson);
                let work = move || {
                    let bytes = writer.write(batch);
                    (writer, bytes)
                };
                let (writer, bytes) = off_runtime(work).await.ok_or_else(Stop::ending)?;
                self.writer = writer;
                bytes?
            }
        };
        if !bytes.is_empty() {
            self.heartbeat = Instant::now() + self.state.settings.heartbeat;
            self.out.push(bytes);
        }
        Ok(())
    }

    /// Reads the next page; a client that follows waits when there is none.
    async fn turn_page(&mut self) -> Result<(), Stop> {
        self.check_standing().await?;
        // What is appended from here on is seen as a change while waiting.
        let _ = self.appended.as_mut().map(|appended| *appended.borrow_and_update());
        let known = self.position < self.head;
        let pages = &mut self.pages;
        let (position, head) = (self.position, self.head);
        let next =
            async move { if known { pages.known(position, head).await } else { pages.next(position).await } };
        let page = tokio::select! {
            biased;
            stop = interrupted(self.state.gateway.draining(), self.expires) => return Err(stop),
            page = next => page?,
        };
        if page.is_empty() {
            return self.wait().await;
        }
        if let Some(hold) = &mut self.hold {
            hold.deliver(page.reach(self.left)).await?;
        }
        self.page = Some(page);
        Ok(())
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
            if let Some(hold) = &mut self.hold {
                hold.keep().await?;
            }
            self.tell_position()?;
        }
        Ok(())
    }

    /// Says how far the log was read, when no event's line does. Columns have no word for it; there a
    /// batch without rows keeps the connection alive.
    fn tell_position(&mut self) -> Result<(), Stop> {
        self.told = self.position;
        if self.is_lines() {
            self.say(&json!({ "position": self.position }));
            return Ok(());
        }
        if Instant::now() >= self.heartbeat {
            let beat = self.writer.beat()?;
            self.heartbeat = Instant::now() + self.state.settings.heartbeat;
            if !beat.is_empty() {
                self.out.push(beat);
            }
        }
        Ok(())
    }

    fn say(&mut self, line: &Value) {
        self.out.push(format!("{line}\n").into());
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
        self.pages.allow(&self.access);
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

impl From<FormatError> for Stop {
    fn from(error: FormatError) -> Self {
        tracing::error!(%error, "events cannot be written");
        HttpError::internal().into()
    }
}

impl From<PageError> for Stop {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Read(error) => error.into(),
            PageError::Format(error) => error.into(),
        }
    }
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        Self { code: error.code, message: error.message, fault: error.code == INTERNAL }
    }
}

impl From<ConsumerError> for Stop {
    fn from(error: ConsumerError) -> Self {
        let HttpError { status, code, message, .. } = refused(error);
        Self { code, message, fault: status.is_server_error() }
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        HttpError::from(rejection).into()
    }
}
