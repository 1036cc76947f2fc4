//! The double keeps what it says, asked by a client that is not the log's.

use tonic::transport::Channel;

use super::protocol::event_store::client::StreamIdentifier;
use super::protocol::event_store::client::streams::ReadReq;
use super::protocol::event_store::client::streams::read_req::Options;
use super::protocol::event_store::client::streams::read_req::options::{
    ControlOption, CountOption, FilterOption, StreamOption, StreamOptions, SubscriptionOptions, UuidOption,
    stream_options::RevisionOption,
};
use super::protocol::event_store::client::streams::read_resp::Content;
use super::protocol::event_store::client::streams::streams_client::StreamsClient;
use super::*;

fn event(number: u128) -> Written {
    let metadata = [("type", "x"), ("content-type", "application/json")];
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Written { id: uuid::Uuid::from_u128(number), metadata, custom_metadata: Vec::new(), data: vec![1] }
}

async fn client(double: &EventStoreDouble) -> StreamsClient<Channel> {
    StreamsClient::connect(format!("http://localhost:{}", double.nodes[0].port)).await.expect("it answers")
}

fn reading(count: CountOption, revision: RevisionOption, backwards: bool) -> ReadReq {
    let stream_identifier = Some(StreamIdentifier { stream_name: "log".into() });
    let stream = StreamOptions { stream_identifier, revision_option: Some(revision) };
    ReadReq {
        options: Some(Options {
            read_direction: backwards.into(),
            resolve_links: false,
            uuid_option: Some(UuidOption { content: None }),
            control_option: Some(ControlOption { compatibility: 1 }),
            stream_option: Some(StreamOption::Stream(stream)),
            count_option: Some(count),
            filter_option: Some(FilterOption::NoFilter(())),
        }),
    }
}

/// The next message of a stream that says something: a revision, or that it caught up.
async fn next(
    answers: &mut tonic::Streaming<super::protocol::event_store::client::streams::ReadResp>,
) -> Option<u64> {
    loop {
        match answers.message().await.expect("it answers")?.content? {
            Content::Event(event) => return event.event.map(|event| event.stream_revision),
            Content::CaughtUp(_) => return Some(u64::MAX),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_subscription_gets_what_is_there_catches_up_and_goes_on() {
    let double = EventStoreDouble::start().await;
    for number in 0..3 {
        double.write("log", event(number));
    }
    let subscription = CountOption::Subscription(SubscriptionOptions {});
    // It begins behind the revision that it names.
    let request = reading(subscription, RevisionOption::Revision(0), false);
    let mut answers = client(&double).await.read(request).await.unwrap().into_inner();
    assert_eq!([next(&mut answers).await, next(&mut answers).await], [Some(1), Some(2)]);
    assert_eq!(next(&mut answers).await, Some(u64::MAX), "caught up");
    double.write("log", event(3));
    assert_eq!(next(&mut answers).await, Some(3));
    double.deliver_twice(true);
    double.write("log", event(4));
    assert_eq!([next(&mut answers).await, next(&mut answers).await], [Some(4), Some(4)]);
    double.cut_connections();
    assert!(answers.message().await.is_err());
}

#[tokio::test]
async fn reads_go_in_both_directions_and_end() {
    let double = EventStoreDouble::start().await;
    let mut client = client(&double).await;
    let request = || reading(CountOption::Count(2), RevisionOption::End(()), true);
    let mut answers = client.read(request()).await.unwrap().into_inner();
    assert!(matches!(answers.message().await.unwrap().unwrap().content, Some(Content::StreamNotFound(_))));
    for number in 0..5 {
        double.write("log", event(number));
    }
    let mut answers = client.read(request()).await.unwrap().into_inner();
    let seen = [next(&mut answers).await, next(&mut answers).await, next(&mut answers).await];
    assert_eq!(seen, [Some(4), Some(3), None]);
    let request = reading(CountOption::Count(2), RevisionOption::Revision(3), false);
    let mut answers = client.read(request).await.unwrap().into_inner();
    let seen = [next(&mut answers).await, next(&mut answers).await, next(&mut answers).await];
    assert_eq!(seen, [Some(3), Some(4), None]);
    let request = reading(CountOption::Count(2), RevisionOption::Revision(9), false);
    assert_eq!(next(&mut client.read(request).await.unwrap().into_inner()).await, None);
}

#[tokio::test]
async fn who_needs_the_leader_is_told_where_it_is() {
    let double = EventStoreDouble::cluster(2).await;
    double.lead(1);
    let mut request = tonic::Request::new(reading(CountOption::Count(1), RevisionOption::Start(()), false));
    request.metadata_mut().insert("requires-leader", "true".parse().unwrap());
    let refused = client(&double).await.read(request).await.unwrap_err();
    assert_eq!(refused.metadata().get("exception").unwrap(), "not-leader");
    let port = refused.metadata().get("leader-endpoint-port").unwrap().to_str().unwrap();
    assert_eq!(port, double.nodes[1].port.to_string());
}
