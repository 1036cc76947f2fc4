//! The stream in EventStoreDB: appending at its end, reading behind a position.
//!
//! Guarantees: every call ends in time; what is not known about an append is said to be unknown; events
//! come in order, each once, whatever the server repeats, and a hole is an error. The leader alone is
//! asked, so that nothing acknowledged is missing.
//!
//! Deliberately absent, because the client is not sound there: its batch client, which ends with the
//! first conflict; its retry options; its subscriptions, which turn into a loop that never yields when
//! the server ends one in order, so that neither a time-out nor an abort ends it. A client that failed
//! is replaced, because it holds on to the node that it had, even when that is gone.

use std::time::Duration;

use domain::Position;
use domain::ports::ReadError;
use eventstore::{
    AppendToStreamOptions, Client, Error, EventData, ExpectedRevision, ReadStreamOptions, StreamPosition,
};

use super::address::EventStoreAddress;
use super::client::OwnClient;
use super::entry::Entry;
use super::tls;

/// How long the server may work on an append. It drops what it has not begun by then.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// How long any call may take, connecting included.
const REPLY: Duration = Duration::from_secs(6);
/// Events of a page that is read at once, and the bytes after which it ends all the same.
const PAGE: usize = 500;
const PAGE_BYTES: usize = 8 << 20;

/// The stream that is the log.
pub(super) struct Source {
    address: EventStoreAddress,
    client: Option<OwnClient>,
}

/// Why an append did not happen, as far as that is known.
#[derive(Debug)]
pub(super) enum AppendFailure {
    /// The stream has another end: somebody was faster.
    Behind,
    /// The server takes no append of this size.
    Unfit(String),
    /// The server does not want it, now or later.
    Denied(String),
    /// It was not taken; trying again may help.
    NotTaken(String),
    /// It may or may not be in the stream.
    Unknown(String),
}

impl Source {
    pub fn new(address: EventStoreAddress) -> Self {
        Self { address, client: None }
    }

    /// Appends behind `head`, if that is the end of the stream.
    pub async fn append(&mut self, head: Position, events: Vec<EventData>) -> Result<(), AppendFailure> {
        let client = self.client().await.map_err(AppendFailure::NotTaken)?;
        let expected = match u64::try_from(head.get()) {
            Ok(count) if count > 0 => ExpectedRevision::Exact(count - 1),
            _ => ExpectedRevision::NoStream,
        };
        let options = AppendToStreamOptions::default()
            .expected_revision(expected)
            .requires_leader(true)
            .deadline(DEADLINE);
        let append = client.append_to_stream(self.address.stream.as_str(), &options, events);
        let Ok(answer) = tokio::time::timeout(REPLY, append).await else {
            self.client = None;
            return Err(AppendFailure::Unknown("EventStoreDB does not answer in time".to_owned()));
        };
        let error = match answer {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        self.look_for_another(&error);
        let reason = error.to_string();
        Err(match error {
            Error::WrongExpectedVersion { .. } => AppendFailure::Behind,
            // These came before anything was sent, or instead of taking it.
            Error::ConnectionClosed | Error::GrpcConnectionError(_) | Error::NotLeaderException(_) => {
                AppendFailure::NotTaken(reason)
            }
            Error::AccessDenied | Error::UnsupportedFeature => AppendFailure::Denied(reason),
            Error::ResourceDeleted => AppendFailure::Denied("the stream of the log was deleted".to_owned()),
            Error::Grpc { code, .. } if i32::from(code) == INVALID_ARGUMENT => AppendFailure::Unfit(reason),
            _ => AppendFailure::Unknown(reason),
        })
    }

    /// The events behind `after`, as many as fit into a page or come in time.
    pub async fn read(&mut self, after: Position) -> Result<Vec<Entry>, ReadError> {
        self.page(after, 1).await
    }

    /// The same with the event at `after` in front, if the stream has that.
    pub async fn read_from(&mut self, after: Position) -> Result<(Option<Entry>, Vec<Entry>), ReadError> {
        if after == Position::ZERO {
            return Ok((None, self.read(after).await?));
        }
        let mut entries = self.page(Position::new(after.get() - 1), 2).await?.into_iter();
        Ok((entries.next(), entries.collect()))
    }

    /// The events behind `after`. When reading fails, those that came before count, if they are `enough`.
    async fn page(&mut self, after: Position, enough: usize) -> Result<Vec<Entry>, ReadError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = after;
        let mut bytes = 0;
        let options = ReadStreamOptions::default()
            .position(StreamPosition::Position(u64::try_from(after.get()).unwrap_or(0)))
            .max_count(PAGE);
        let stream = self.address.stream.clone();
        let read = self.each(&stream, options, |event| {
            let position = position_of(event);
            if position <= last {
                return Ok(true);
            }
            // What is wrong is said when it comes first; what is good in front of it is taken before.
            let is_good = entries.len() >= enough;
            if is_good && position != last.next() {
                return Ok(false);
            }
            if position != last.next() {
                return Err(ReadError::Hole { expected: last.next(), found: position });
            }
            let entry = match Entry::stored(event, position) {
                Err(_) if is_good => return Ok(false),
                entry => entry?,
            };
            last = position;
            bytes += entry.row.payload.len() + entry.row.metadata.len();
            entries.push(entry);
            Ok(bytes < PAGE_BYTES)
        });
        match read.await {
            Err(error) if entries.len() < enough => Err(error),
            _ => Ok(entries),
        }
    }

    /// Where the stream ends.
    pub async fn end(&mut self) -> Result<Position, ReadError> {
        let mut end = Position::ZERO;
        let stream = self.address.stream.clone();
        self.each(&stream, last_of_stream(), |event| {
            end = position_of(event);
            Ok(false)
        })
        .await?;
        Ok(end)
    }

    /// What EventStoreDB is told to remove from the stream by itself, if anything.
    pub async fn limits(&mut self) -> Result<Option<&'static str>, ReadError> {
        let mut limit = None;
        let metadata = format!("$${}", self.address.stream);
        self.each(&metadata, last_of_stream(), |event| {
            let value: serde_json::Value = serde_json::from_slice(&event.data).unwrap_or_default();
            limit = ["$maxAge", "$maxCount", "$tb"].into_iter().find(|name| value.get(name).is_some());
            Ok(false)
        })
        .await?;
        Ok(limit)
    }

    /// Hands events of a stream to `take` until it has enough. A stream that is not there has none.
    async fn each(
        &mut self,
        stream: &str,
        options: ReadStreamOptions,
        mut take: impl FnMut(&eventstore::RecordedEvent) -> Result<bool, ReadError> + Send,
    ) -> Result<(), ReadError> {
        let client = self.client().await.map_err(ReadError::Unavailable)?;
        let options = options.requires_leader(true);
        let reading = async {
            let mut events = match client.read_stream(stream, &options).await {
                Err(Error::ResourceNotFound) => return Ok(Ok(())),
                other => other?,
            };
            loop {
                let event = match events.next().await {
                    Err(Error::ResourceNotFound) => return Ok(Ok(())),
                    other => other?.and_then(|resolved| resolved.event),
                };
                let Some(event) = event else { return Ok(Ok(())) };
                match take(&event) {
                    Ok(true) => {}
                    Ok(false) => return Ok(Ok(())),
                    Err(error) => return Ok(Err(error)),
                }
            }
        };
        match tokio::time::timeout(REPLY, reading).await {
            Ok(Ok(read)) => read,
            // Who may not read what the stream is told about itself may work with it all the same.
            Ok(Err(Error::AccessDenied)) if stream.starts_with("$$") => Ok(()),
            Ok(Err(Error::ResourceDeleted)) => {
                Err(ReadError::Unavailable(format!("the stream {stream} was deleted in EventStoreDB")))
            }
            Ok(Err(error)) => {
                self.look_for_another(&error);
                Err(ReadError::Unavailable(error.to_string()))
            }
            Err(_) => {
                self.client = None;
                Err(ReadError::Unavailable("EventStoreDB does not answer in time".to_owned()))
            }
        }
    }

    /// The client as it is, or a new one.
    async fn client(&mut self) -> Result<Client, String> {
        if let Some(client) = &self.client {
            return Ok(client.client());
        }
        let client = tls::client(&self.address.settings).await?;
        Ok(self.client.insert(client).client())
    }

    /// Gives the client up after an error that it does not get over. It follows a leader by itself.
    fn look_for_another(&mut self, error: &Error) {
        let gets_over = matches!(
            error,
            Error::WrongExpectedVersion { .. }
                | Error::NotLeaderException(_)
                | Error::Grpc { .. }
                | Error::DeadlineExceeded
                | Error::ResourceDeleted
                | Error::AccessDenied
                | Error::UnsupportedFeature
        );
        if !gets_over {
            metrics::counter!("event_store_reconnects").increment(1);
            self.client = None;
        }
    }
}

/// The gRPC code of an argument that the server does not take.
const INVALID_ARGUMENT: i32 = 3;

/// Where an event of the stream is in the log.
fn position_of(event: &eventstore::RecordedEvent) -> Position {
    Position::new(i64::try_from(event.revision).unwrap_or(i64::MAX - 1)).next()
}

fn last_of_stream() -> ReadStreamOptions {
    ReadStreamOptions::default().position(StreamPosition::End).max_count(1)
}
