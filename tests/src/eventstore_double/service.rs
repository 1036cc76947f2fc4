//! The services that the client calls, answered by one node.
#![allow(clippy::result_large_err, reason = "tonic answers with what it answers with")]

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::Stream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use super::network::{Cut, Node};
use super::protocol::event_store::client as wire;
use super::streams::{AppendFault, Expected, Outcome, Proposal, Streams, Written};
use wire::gossip::gossip_server::{Gossip, GossipServer};
use wire::gossip::{ClusterInfo, EndPoint, MemberInfo};
use wire::server_features::server_features_server::{ServerFeatures, ServerFeaturesServer};
use wire::server_features::{SupportedMethod, SupportedMethods};
use wire::streams::append_req::options::ExpectedStreamRevision;
use wire::streams::append_resp::success::{CurrentRevisionOption, PositionOption};
use wire::streams::append_resp::wrong_expected_version as wrong;
use wire::streams::append_resp::{Position, Result as AppendResult, Success, WrongExpectedVersion};
use wire::streams::read_req::Options;
use wire::streams::read_req::options::stream_options::RevisionOption;
use wire::streams::read_req::options::{CountOption, StreamOption};
use wire::streams::read_resp::{
    CaughtUp, Content, ReadEvent, StreamNotFound, SubscriptionConfirmation, read_event,
};
use wire::streams::streams_server::StreamsServer;
use wire::streams::{
    AppendReq, AppendResp, BatchAppendReq, BatchAppendResp, DeleteReq, DeleteResp, ReadReq, ReadResp,
    TombstoneReq, TombstoneResp, append_req,
};

/// The version that the double says it is: the last one of the name that the client knows.
const VERSION: &str = "24.10.0";

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// One node's services.
#[derive(Clone)]
pub(super) struct Service {
    streams: Arc<Streams>,
    nodes: Vec<Arc<Node>>,
    number: usize,
}

impl Service {
    pub fn new(streams: Arc<Streams>, nodes: Vec<Arc<Node>>, number: usize) -> Self {
        Self { streams, nodes, number }
    }

    pub fn streams(&self) -> StreamsServer<Self> {
        StreamsServer::new(self.clone())
    }

    pub fn gossip(&self) -> GossipServer<Self> {
        GossipServer::new(self.clone())
    }

    pub fn features(&self) -> ServerFeaturesServer<Self> {
        ServerFeaturesServer::new(self.clone())
    }

    /// Refuses what the leader alone may answer, and says who leads.
    fn check_leader(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let leader = self.streams.leader.load(Ordering::SeqCst);
        let required = metadata.get("requires-leader").is_some_and(|value| value == "true");
        if !required || leader == self.number {
            return Ok(());
        }
        let mut status = Status::new(Code::NotFound, "Leader info available");
        let told = status.metadata_mut();
        told.insert("exception", "not-leader".parse().expect("a header"));
        told.insert("leader-endpoint-host", "localhost".parse().expect("a header"));
        let port = self.nodes[leader].port.to_string();
        told.insert("leader-endpoint-port", port.parse().expect("a header"));
        Err(status)
    }
}

/// A connection that was cut answers nothing.
fn cut<T>(cut: Option<Cut>) -> Result<T, Status> {
    if let Some(cut) = cut {
        cut.cut();
    }
    Err(Status::unavailable("the connection is cut"))
}

fn missing(what: &str) -> Status {
    Status::invalid_argument(format!("{what} is missing"))
}

fn name(identifier: Option<wire::StreamIdentifier>) -> Result<String, Status> {
    let identifier = identifier.ok_or_else(|| missing("the stream"))?;
    String::from_utf8(identifier.stream_name.to_vec()).map_err(|_| missing("the name of the stream"))
}

fn uuid(id: Option<wire::Uuid>) -> Result<Uuid, Status> {
    match id.and_then(|id| id.value).ok_or_else(|| missing("the id"))? {
        wire::uuid::Value::Structured(id) => Ok(Uuid::from_u64_pair(
            id.most_significant_bits.cast_unsigned(),
            id.least_significant_bits.cast_unsigned(),
        )),
        wire::uuid::Value::String(text) => text.parse().map_err(|_| missing("the id")),
    }
}

/// Takes an append off the wire.
async fn proposal(mut requests: Streaming<AppendReq>) -> Result<Proposal, Status> {
    let first = requests.message().await?.and_then(|request| request.content);
    let Some(append_req::Content::Options(options)) = first else { return Err(missing("the header")) };
    let expected = match options.expected_stream_revision.ok_or_else(|| missing("the expected revision"))? {
        ExpectedStreamRevision::Revision(revision) => Expected::Revision(revision),
        ExpectedStreamRevision::NoStream(()) => Expected::NoStream,
        ExpectedStreamRevision::Any(()) => Expected::Any,
        ExpectedStreamRevision::StreamExists(()) => Expected::Exists,
    };
    let mut events = Vec::new();
    while let Some(request) = requests.message().await? {
        let Some(append_req::Content::ProposedMessage(message)) = request.content else {
            return Err(missing("the event"));
        };
        events.push(Written {
            id: uuid(message.id)?,
            metadata: created_now(message.metadata)?,
            custom_metadata: message.custom_metadata.to_vec(),
            data: message.data.to_vec(),
        });
    }
    Ok(Proposal { stream: name(options.stream_identifier)?, expected, events })
}

/// System metadata as the server completes them.
fn created_now(mut metadata: HashMap<String, String>) -> Result<HashMap<String, String>, Status> {
    if !metadata.contains_key("type") || !metadata.contains_key("content-type") {
        return Err(missing("the type"));
    }
    let ticks = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() / 100;
    metadata.insert("created".to_owned(), ticks.to_string());
    Ok(metadata)
}

fn append_answer(outcome: Outcome, expected: Expected) -> Result<AppendResp, Status> {
    let result = match outcome {
        Outcome::Written(revision) => AppendResult::Success(Success {
            current_revision_option: Some(CurrentRevisionOption::CurrentRevision(revision)),
            position_option: Some(PositionOption::Position(Position {
                commit_position: revision,
                prepare_position: revision,
            })),
        }),
        Outcome::Wrong(current) => AppendResult::WrongExpectedVersion(WrongExpectedVersion {
            current_revision_option: Some(match current {
                Some(revision) => wrong::CurrentRevisionOption::CurrentRevision(revision),
                None => wrong::CurrentRevisionOption::CurrentNoStream(()),
            }),
            expected_revision_option: Some(match expected {
                Expected::Any => wrong::ExpectedRevisionOption::ExpectedAny(()),
                Expected::NoStream => wrong::ExpectedRevisionOption::ExpectedNoStream(()),
                Expected::Exists => wrong::ExpectedRevisionOption::ExpectedStreamExists(()),
                Expected::Revision(revision) => wrong::ExpectedRevisionOption::ExpectedRevision(revision),
            }),
            ..WrongExpectedVersion::default()
        }),
        Outcome::TooBig => {
            return Err(Status::invalid_argument("Maximum Append Size of 1048576 Exceeded."));
        }
    };
    Ok(AppendResp { result: Some(result) })
}

fn read_answer(content: Content) -> Result<ReadResp, Status> {
    Ok(ReadResp { content: Some(content) })
}

fn delivered(stream: &str, revision: u64, event: Written) -> Content {
    let event = read_event::RecordedEvent {
        id: Some(wire::Uuid { value: Some(wire::uuid::Value::String(event.id.to_string())) }),
        stream_identifier: Some(wire::StreamIdentifier { stream_name: stream.to_owned().into() }),
        stream_revision: revision,
        prepare_position: revision,
        commit_position: revision,
        metadata: event.metadata,
        custom_metadata: event.custom_metadata.into(),
        data: event.data.into(),
    };
    Content::Event(ReadEvent {
        event: Some(event),
        link: None,
        position: Some(read_event::Position::NoPosition(())),
    })
}

impl Service {
    /// A read that ends.
    fn page(
        &self,
        stream: &str,
        from: Option<u64>,
        backwards: bool,
        count: u64,
    ) -> Vec<Result<ReadResp, Status>> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let Some((_, end)) = self.streams.page(stream, 0, 0) else {
            let stream_identifier = Some(wire::StreamIdentifier { stream_name: stream.to_owned().into() });
            return vec![read_answer(Content::StreamNotFound(StreamNotFound { stream_identifier }))];
        };
        let events = if backwards {
            let from = from.unwrap_or(end).min(end);
            let below = (from + 1).saturating_sub(count as u64);
            let size = usize::try_from(from + 1 - below).unwrap_or(usize::MAX);
            let mut events = self.streams.page(stream, below, size).map(|(page, _)| page).unwrap_or_default();
            events.reverse();
            events
        } else {
            let from = from.unwrap_or(0);
            self.streams.page(stream, from, count).map(|(page, _)| page).unwrap_or_default()
        };
        let mut answers = vec![read_answer(Content::FirstStreamPosition(0))];
        for (revision, event) in events {
            for _ in 0..self.streams.copies() {
                answers.push(read_answer(delivered(stream, revision, event.clone())));
            }
        }
        answers.push(read_answer(Content::LastStreamPosition(end)));
        answers
    }

    /// A read that goes on with what is appended later.
    fn subscription(&self, stream: String, from: u64) -> Answers<ReadResp> {
        let (streams, mut changed) = (self.streams.clone(), self.streams.changed.subscribe());
        let (answers, receiver) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move {
            let subscription_id = Uuid::from_u128(0).to_string();
            let confirmed = Content::Confirmation(SubscriptionConfirmation { subscription_id });
            if answers.send(read_answer(confirmed)).await.is_err() {
                return;
            }
            let (mut next, mut live) = (from, false);
            loop {
                changed.borrow_and_update();
                let page = streams.page(&stream, next, 64).map(|(page, _)| page).unwrap_or_default();
                let empty = page.is_empty();
                for (revision, event) in page {
                    for _ in 0..streams.copies() {
                        if answers
                            .send(read_answer(delivered(&stream, revision, event.clone())))
                            .await
                            .is_err()
                        {
                            return;
                        }
                    }
                    next = revision + 1;
                }
                if !empty {
                    continue;
                }
                if !live && answers.send(read_answer(Content::CaughtUp(CaughtUp {}))).await.is_err() {
                    return;
                }
                live = true;
                tokio::select! {
                    () = answers.closed() => return,
                    changed = changed.changed() => if changed.is_err() { return },
                }
            }
        });
        Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
    }

    fn answer_read(&self, options: Options) -> Result<Answers<ReadResp>, Status> {
        let Some(StreamOption::Stream(stream)) = options.stream_option else {
            return Err(Status::unimplemented("the double reads single streams alone"));
        };
        let from = match stream.revision_option.ok_or_else(|| missing("where to begin"))? {
            RevisionOption::Revision(revision) => Some(revision),
            RevisionOption::Start(()) => Some(0),
            RevisionOption::End(()) => None,
        };
        let is_start = matches!(stream.revision_option, Some(RevisionOption::Start(())));
        let name = name(stream.stream_identifier)?;
        match options.count_option.ok_or_else(|| missing("how many"))? {
            CountOption::Count(count) => {
                let page = self.page(&name, from, options.read_direction == 1, count);
                Ok(Box::pin(futures::stream::iter(page)))
            }
            CountOption::Subscription(_) => {
                let end = self.streams.page(&name, 0, 0).map_or(0, |(_, end)| end + 1);
                // A subscription begins behind the revision that it names.
                let from = from.map_or(end, |from| if is_start { 0 } else { from + 1 });
                Ok(self.subscription(name, from))
            }
        }
    }
}

#[tonic::async_trait]
impl wire::streams::streams_server::Streams for Service {
    type ReadStream = Answers<ReadResp>;
    type BatchAppendStream = Answers<BatchAppendResp>;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Answers<ReadResp>>, Status> {
        self.check_leader(request.metadata())?;
        self.streams.reads.fetch_add(1, Ordering::SeqCst);
        let options = request.into_inner().options.ok_or_else(|| missing("the options"))?;
        Ok(Response::new(self.answer_read(options)?))
    }

    async fn append(&self, request: Request<Streaming<AppendReq>>) -> Result<Response<AppendResp>, Status> {
        self.check_leader(request.metadata())?;
        let connection = request.extensions().get::<Cut>().cloned();
        let proposal = proposal(request.into_inner()).await?;
        let (expected, fault) = (proposal.expected, self.streams.next_fault());
        if fault == Some(AppendFault::BehindLate) {
            self.streams.arrive();
        }
        match fault {
            None | Some(AppendFault::BehindLate) => {
                let outcome = self.streams.append(proposal);
                Ok(Response::new(append_answer(outcome, expected)?))
            }
            Some(AppendFault::CutBefore) => cut(connection),
            Some(AppendFault::CutAfter) => {
                self.streams.append(proposal);
                cut(connection)
            }
            Some(AppendFault::Late) => {
                self.streams.delay(proposal);
                cut(connection)
            }
            Some(AppendFault::Stall) => std::future::pending().await,
            Some(AppendFault::Deny) => Err(Status::permission_denied("Access Denied")),
        }
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented("the double deletes nothing"))
    }

    async fn tombstone(&self, _: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        Err(Status::unimplemented("the double deletes nothing"))
    }

    async fn batch_append(
        &self,
        _: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<Answers<BatchAppendResp>>, Status> {
        Err(Status::unimplemented("the double takes no batches"))
    }
}

#[tonic::async_trait]
impl Gossip for Service {
    async fn read(&self, _: Request<()>) -> Result<Response<ClusterInfo>, Status> {
        let leader = self.streams.leader.load(Ordering::SeqCst);
        let member = |(number, node): (usize, &Arc<Node>)| {
            use wire::gossip::member_info::VNodeState;
            let state = if number == leader { VNodeState::Leader } else { VNodeState::Follower };
            let id = Uuid::from_u128(number as u128 + 1).to_string();
            MemberInfo {
                instance_id: Some(wire::Uuid { value: Some(wire::uuid::Value::String(id)) }),
                time_stamp: 0,
                state: state.into(),
                is_alive: !node.down.load(Ordering::SeqCst),
                http_end_point: Some(EndPoint { address: "localhost".to_owned(), port: node.port.into() }),
            }
        };
        Ok(Response::new(ClusterInfo { members: self.nodes.iter().enumerate().map(member).collect() }))
    }
}

#[tonic::async_trait]
impl ServerFeatures for Service {
    async fn get_supported_methods(&self, _: Request<()>) -> Result<Response<SupportedMethods>, Status> {
        let method = |method: &str| SupportedMethod {
            method_name: method.to_owned(),
            service_name: "event_store.client.streams.streams".to_owned(),
            features: Vec::new(),
        };
        Ok(Response::new(SupportedMethods {
            methods: ["append", "read"].map(method).to_vec(),
            event_store_server_version: VERSION.to_owned(),
        }))
    }
}
