//! Connections that are cut, appends that arrive late, leaders that go.

use std::collections::HashMap;
use std::sync::Arc;

use commands::event_log::{Append, AppendError, DecidedOn, EventLog, NewEvent, StreamAppend, append};
use domain::envelope::{Position, Revision};
use domain::{EventType, Instant};
use tests::eventstore_double::{AppendFault, EventStoreDouble, Written};
use tests::stores::{Backend, EventStoreStore, Store};
use uuid::Uuid;

use super::super::conformance::event_log::{all, assert_dense, new_events, stream};
use super::{done, double, faults, on, on_double, on_either_replica, on_replica, opened, until};

on_either_replica! {
    an_append_that_was_cut_off_before_it_took_effect_is_sent_again,
    an_append_that_was_cut_off_after_it_took_effect_is_there_once,
    an_append_that_arrives_late_is_there_once_and_the_replica_has_what_the_stream_has,
    an_append_that_arrives_after_others_is_refused_and_decided_anew,
    nobody_is_refused_while_an_append_may_still_arrive_that_would_change_the_answer,
    a_client_that_was_given_up_leaves_no_connection_behind,
    an_append_that_is_denied_is_refused_and_the_log_goes_on,
    a_leader_that_steps_down_is_followed,
    a_leader_that_is_lost_is_replaced_and_nothing_is_lost_or_twice,
    while_no_node_answers_the_log_says_so_and_goes_on_when_one_does,
    events_that_are_delivered_twice_are_taken_once,
    a_batch_that_is_too_big_is_split_and_an_event_that_is_too_big_is_refused,
    a_fenced_writer_leaves_nothing_in_the_stream,
    an_event_of_another_program_stops_the_log,
}

/// The stream has just these events, and the replica says the same.
async fn assert_whole(store: &EventStoreStore, log: &Arc<dyn EventLog>, events: usize) {
    assert_eq!(double(store).written(&store.stream).len(), events, "in the stream");
    let read = all(log).await;
    assert_eq!(read.len(), events, "in the replica");
    assert_dense(&read);
    assert_eq!(faults(log).await, []);
}

async fn an_append_that_was_cut_off_before_it_took_effect_is_sent_again(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    double(&store).fail_appends(&[AppendFault::CutBefore, AppendFault::CutBefore]);
    assert_eq!(done(&log, new_events(&[(1, 1, 2)])).await.position, Position::new(3));
    assert_eq!(double(&store).faults_left(), 0);
    assert_whole(&store, &log, 3).await;
}

async fn an_append_that_was_cut_off_after_it_took_effect_is_there_once(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    double(&store).fail_appends(&[AppendFault::CutAfter]);
    let append = new_events(&[(1, 1, 2), (2, 0, 1)]);
    let command = append.command.clone();
    assert_eq!(done(&log, append).await.position, Position::new(4));
    let stored = log.command(command.id).await.unwrap().expect("its result came along");
    assert_eq!((stored.result, stored.position), (command.result, Position::new(4)));
    assert_whole(&store, &log, 4).await;
    done(&log, new_events(&[(1, 3, 1)])).await;
    assert_whole(&store, &log, 5).await;
}

async fn an_append_that_arrives_late_is_there_once_and_the_replica_has_what_the_stream_has(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    let first = done(&log, new_events(&[(1, 0, 1)])).await;
    // It is looked for, not found, and sent again; what was on its way arrives a moment before.
    double(&store).fail_appends(&[AppendFault::Late, AppendFault::BehindLate]);
    let appended = done(&log, new_events(&[(1, 1, 1)])).await;
    assert!(appended.recorded_at > first.recorded_at);
    let event = all(&log).await.pop().unwrap();
    assert_eq!((event.position, event.recorded_at), (appended.position, appended.recorded_at));
    assert_whole(&store, &log, 2).await;
    done(&log, new_events(&[(1, 2, 1)])).await;
    assert_whole(&store, &log, 3).await;
}

async fn an_append_that_arrives_after_others_is_refused_and_decided_anew(backend: Backend) {
    let store = on_double(backend).await;
    let (log, other) = (opened(&store).await, opened(&store).await);
    done(&log, new_events(&[(1, 0, 1)])).await;
    double(&store).fail_appends(&[AppendFault::Late, AppendFault::CutBefore, AppendFault::CutBefore]);
    let late = log.appender().permit().await.unwrap().submit(new_events(&[(1, 1, 1)]));
    until(async || double(&store).faults_left() < 3).await;
    done(&other, new_events(&[(2, 0, 1)])).await;
    let late = late.await.expect("it is in the end");
    double(&store).arrive();
    assert!(late.position > Position::ZERO);
    assert_whole(&store, &log, 3).await;
    assert_whole(&store, &other, 3).await;
}

/// An append is given up whose outcome nobody knows; a refusal that was decided without it.
async fn given_up(store: &EventStoreStore, log: &Arc<dyn EventLog>) -> Append {
    done(log, new_events(&[(1, 0, 1)])).await;
    double(store).fail_appends(&[AppendFault::Late]);
    // As often as it is tried.
    double(store).fail_appends(&[AppendFault::CutBefore; 7]);
    let unknown = append(log.as_ref(), new_events(&[(1, 1, 1)])).await;
    assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    assert_eq!(double(store).faults_left(), 0);
    let decided_on = vec![DecidedOn { stream: stream(1), at: Revision::new(1) }];
    Append { decided_on, ..new_events(&[]) }
}

async fn nobody_is_refused_while_an_append_may_still_arrive_that_would_change_the_answer(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    let refusal = given_up(&store, &log).await;
    let early = append(log.as_ref(), refusal.clone()).await;
    assert!(matches!(early, Err(AppendError::Unavailable(_))), "{early:?}");
    double(&store).arrive();
    let (stream, expected) = (stream(1), Revision::new(1));
    let late = append(log.as_ref(), refusal).await;
    assert_eq!(late, Err(AppendError::WrongExpectedRevision { stream, expected }));
    assert_whole(&store, &log, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_refused_is_told_so_when_nothing_can_arrive_any_more() {
    let store = on_double(Backend::Sqlite).await;
    let log = opened(&store).await;
    let refusal = given_up(&store, &log).await;
    until(async || append(log.as_ref(), refusal.clone()).await.is_ok()).await;
    assert_whole(&store, &log, 1).await;
}

async fn a_client_that_was_given_up_leaves_no_connection_behind(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    // The writer's, and in the end the follower's.
    until(async || double(&store).connections() == 2).await;
    for revision in 0..6 {
        double(&store).cut_connections();
        done(&log, new_events(&[(1, revision, 1)])).await;
        until(async || log.follows()).await;
    }
    until(async || double(&store).connections() == 2).await;
    assert_whole(&store, &log, 6).await;
    log.close().await;
    assert!(!log.follows(), "whoever followed has ended");
    drop(log);
    until(async || double(&store).connections() == 0).await;
}

async fn an_append_that_is_denied_is_refused_and_the_log_goes_on(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    double(&store).fail_appends(&[AppendFault::Deny]);
    let denied = append(log.as_ref(), new_events(&[(1, 0, 1)])).await;
    assert!(matches!(denied, Err(AppendError::Rejected(_))), "{denied:?}");
    assert_whole(&store, &log, 0).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    assert_whole(&store, &log, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_is_not_answered_in_time_is_sent_again_over_the_same_connection() {
    let store = on_double(Backend::Sqlite).await;
    let log = opened(&store).await;
    until(async || double(&store).connections() == 2).await;
    double(&store).fail_appends(&[AppendFault::Stall]);
    let stalled = log.appender().permit().await.unwrap().submit(new_events(&[(1, 0, 1)]));
    stalled.await.expect("it is sent again");
    assert_eq!((double(&store).faults_left(), double(&store).connections()), (0, 2));
    assert_whole(&store, &log, 1).await;
}

async fn a_leader_that_steps_down_is_followed(backend: Backend) {
    let store = on(EventStoreDouble::cluster(3).await, backend).await;
    let log = opened(&store).await;
    for (revision, leader) in [1, 2, 0, 1].into_iter().enumerate() {
        double(&store).lead(leader);
        done(&log, new_events(&[(1, i64::try_from(revision).unwrap(), 1)])).await;
    }
    assert_whole(&store, &log, 4).await;
}

async fn a_leader_that_is_lost_is_replaced_and_nothing_is_lost_or_twice(backend: Backend) {
    let store = on(EventStoreDouble::cluster(3).await, backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    let mut pending = Vec::new();
    for n in 0..20 {
        pending.push(log.appender().permit().await.unwrap().submit(new_events(&[(10 + n, 0, 1)])));
    }
    double(&store).fail_appends(&[AppendFault::CutAfter]);
    double(&store).take_down(0);
    double(&store).lead(1);
    for append in pending {
        append.await.expect("the new leader takes it");
    }
    assert_whole(&store, &log, 21).await;
    double(&store).take_down(1);
    double(&store).bring_up(0);
    double(&store).lead(2);
    done(&log, new_events(&[(1, 1, 1)])).await;
    assert_whole(&store, &log, 22).await;
}

async fn while_no_node_answers_the_log_says_so_and_goes_on_when_one_does(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    double(&store).take_down(0);
    until(async || !log.follows()).await;
    assert_eq!(all(&log).await.len(), 1, "the replica answers all the same");
    let waiting = log.appender().permit().await.unwrap().submit(new_events(&[(1, 1, 1)]));
    double(&store).bring_up(0);
    waiting.await.expect("it waited for the node");
    until(async || log.follows()).await;
    assert_whole(&store, &log, 2).await;
}

async fn events_that_are_delivered_twice_are_taken_once(backend: Backend) {
    let store = on_double(backend).await;
    let (log, other) = (opened(&store).await, opened(&store).await);
    double(&store).deliver_twice(true);
    let replica = Store::fresh(backend).await;
    let follower = super::open(&store, &replica).await.unwrap();
    done(&log, new_events(&[(1, 0, 3), (2, 0, 1)])).await;
    for n in 0..30 {
        done(if n % 2 == 0 { &log } else { &other }, new_events(&[(200 + n, 0, 2)])).await;
    }
    until(async || all(&follower).await.len() == 64).await;
    assert_whole(&store, &follower, 64).await;
    assert_whole(&store, &log, 64).await;
}

fn big(of: u128, bytes: usize) -> Append {
    let mut append = new_events(&[(of, 0, 1)]);
    let id = append.command.id;
    let event_id = commands::clock::fresh_uuid(Instant::from_micros(1));
    let metadata = format!(
        r#"{{"event_id":"{event_id}","occurred_at":"2026-05-01T12:00:00.000000Z","actor":"system:test","command_id":"{id}","correlation_id":"{id}"}}"#
    );
    let kind = EventType { name: "clue.pooled", version: 1 };
    let event = NewEvent::sealed(kind, format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes)), metadata).unwrap();
    append.streams = vec![StreamAppend { stream: stream(of), expected: Revision::ZERO, events: vec![event] }];
    append
}

async fn a_batch_that_is_too_big_is_split_and_an_event_that_is_too_big_is_refused(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    let mut pending = Vec::new();
    for n in 0..20 {
        let size = if n % 2 == 0 { 100_000 } else { 1_000_000 };
        pending.push(log.appender().permit().await.unwrap().submit(big(n, size)));
    }
    let too_big = log.appender().permit().await.unwrap().submit(big(50, 1_100_000));
    for append in pending {
        append.await.expect("each of them fits");
    }
    assert!(matches!(too_big.await, Err(AppendError::Rejected(_))));
    done(&log, new_events(&[(1_000, 0, 1)])).await;
    assert_whole(&store, &log, 21).await;
}

async fn a_fenced_writer_leaves_nothing_in_the_stream(backend: Backend) {
    let store = on_double(backend).await;
    let (old, other) = (opened(&store).await, opened(&store).await);
    done(&old, new_events(&[(1, 0, 1)])).await;
    let epoch = other.fence().await.unwrap();
    let refused = append(old.as_ref(), new_events(&[(1, 1, 1)])).await;
    assert_eq!(refused, Err(AppendError::Fenced { epoch: epoch - 1 }));
    assert_whole(&store, &old, 1).await;
    let new = opened(&store).await;
    done(&new, new_events(&[(1, 1, 1)])).await;
    // Whoever is fenced off still follows.
    until(async || all(&old).await.len() == 2).await;
    assert_whole(&store, &old, 2).await;
}

async fn an_event_of_another_program_stops_the_log(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    let metadata = HashMap::from([("type".to_owned(), "x".to_owned())]);
    let foreign = Written { id: Uuid::from_u128(7), metadata, custom_metadata: b"{}".to_vec(), data: vec![] };
    double(&store).write(&store.stream, foreign);
    until(async || !log.follows()).await;
    let refused = append(log.as_ref(), new_events(&[(1, 1, 1)])).await;
    assert!(
        matches!(&refused, Err(AppendError::Rejected(reason)) if reason.contains("position 2")),
        "{refused:?}"
    );
    assert_eq!(all(&log).await.len(), 1);
    let report = faults(&log).await;
    assert_eq!(report, [], "the replica is what the stream was");
    let refused = super::refused(&store, &store.replica).await;
    assert!(refused.to_string().contains("not written by this program"), "{refused}");
}
