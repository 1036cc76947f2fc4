//! The event log's guarantees (see `commands::event_log`).

use std::sync::Arc;
use std::time::Duration;

use commands::clock::fresh_uuid;
use commands::event_log::{
    Append, AppendError, Appended, CommandRecord, DecidedOn, EventLog, KeyClaim, KeyHolder, LogFault,
    NewEvent, StreamAppend, UniqueKey, append, replay, verify,
};
use domain::envelope::{Position, RecordedEvent, Revision, StreamId};
use domain::ids::CommandId;
use domain::ports::ReadError;
use domain::{EventType, Instant};
use futures::StreamExt;
use futures::future::join_all;
use tests::clock::ManualClock;
use tests::stores::Store;
use uuid::Uuid;

on_every_backend! {
    an_append_is_read_back_byte_for_byte,
    several_streams_are_appended_at_once_or_not_at_all,
    a_wrong_expected_revision_is_refused_and_leaves_nothing,
    a_revision_beyond_the_stream_is_refused_so_that_no_stream_gets_a_hole,
    of_many_writers_at_one_revision_exactly_one_wins,
    a_conflict_in_a_group_commit_is_answered_to_its_own_caller_alone,
    same_stream_appends_in_one_group_commit_are_chained,
    an_append_never_overtakes_one_that_it_was_decided_on,
    what_was_decided_on_a_stream_that_went_on_is_refused_with_or_without_events,
    two_processes_interleave_without_a_hole_and_readers_see_every_event_once,
    a_repeated_command_id_is_found_with_its_first_result,
    a_unique_key_has_one_holder_until_it_is_given_up,
    recorded_times_never_run_backwards,
    a_fenced_writer_appends_nothing,
    events_cannot_be_changed_or_deleted,
    an_abandoned_append_still_happens,
    old_command_results_are_forgotten_and_events_are_not,
    personal_data_in_clear_never_enters,
    head_and_streams_are_consistent,
    a_gathering_delays_bulk_and_nobody_else,
    verification_names_a_hole_and_an_unreadable_event,
    a_replay_reads_ahead_in_order_and_stops_at_a_hole,
}

pub(crate) fn stream(id: u128) -> StreamId {
    StreamId::stored("clue", &Uuid::from_u128(id).to_string())
}

fn command() -> CommandRecord {
    let id = CommandId::new(fresh_uuid(Instant::from_micros(1_777_636_800_000_000)));
    CommandRecord { id, fingerprint: [1; 16], result: format!(r#"{{"done":{{"ids":{{"of":"{id}"}}}}}}"#) }
}

fn event(command: CommandId, text: &str) -> NewEvent {
    let kind = EventType { name: "clue.pooled", version: 1 };
    let metadata = format!(
        r#"{{"event_id":"{}","occurred_at":"2026-05-01T12:00:00.000000Z","actor":"system:test","command_id":"{command}","correlation_id":"{command}"}}"#,
        fresh_uuid(Instant::from_micros(1)),
    );
    NewEvent::sealed(kind, format!(r#"{{"pooled": {{}}, "text":"{text}"}}"#), metadata)
        .expect("nothing in clear")
}

pub(crate) fn new_events(entries: &[(u128, i64, usize)]) -> Append {
    let command = command();
    let id = command.id;
    let entry = |&(id_of, expected, count): &(u128, i64, usize)| StreamAppend {
        stream: stream(id_of),
        expected: Revision::new(expected),
        events: (0..count).map(|n| event(id, &n.to_string())).collect(),
    };
    Append { streams: entries.iter().map(entry).collect(), ..Append::of(command) }
}

async fn add(log: &Arc<dyn EventLog>, entries: &[(u128, i64, usize)]) -> Result<Appended, AppendError> {
    append(log.as_ref(), new_events(entries)).await
}

pub(crate) async fn all(log: &Arc<dyn EventLog>) -> Vec<domain::RecordedEvent> {
    log.read(Position::ZERO, 100_000).await.expect("the log reads")
}

pub(crate) fn assert_dense(events: &[domain::RecordedEvent]) {
    let positions: Vec<i64> = events.iter().map(|event| event.position.get()).collect();
    let expected: Vec<i64> = (1..).take(events.len()).collect();
    assert_eq!(positions, expected, "positions are dense from 1");
    let mut revisions = std::collections::BTreeMap::new();
    for event in events {
        let last = revisions.entry(event.stream.clone()).or_insert(Revision::ZERO);
        assert_eq!(event.revision, last.next(), "revisions of {} are dense", event.stream);
        *last = event.revision;
    }
}

async fn an_append_is_read_back_byte_for_byte(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let append_of = new_events(&[(1, 0, 2)]);
    let appended = append(log.as_ref(), append_of).await.unwrap();
    assert_eq!(appended.position, Position::new(2));
    let events = all(&log).await;
    assert_eq!(events.len(), 2);
    // White space and the order of members are kept: hashes cover stored bytes.
    assert_eq!(&*events[1].payload, r#"{"pooled": {}, "text":"1"}"#);
    assert_eq!(events[1].stream, stream(1));
    assert_eq!((&*events[1].event_type, &*events[1].event_version), ("clue.pooled", "1"));
    assert_eq!(events[1].recorded_at, appended.recorded_at);
}

async fn an_append_never_overtakes_one_that_it_was_decided_on(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let mut pending = Vec::new();
    for n in 0..400 {
        // A stream, and another one decided on it, handed in without waiting for the first.
        for (of, decided_on) in [(2 * n, None), (2 * n + 1, Some(2 * n))] {
            let at = Revision::new(1);
            let decided_on = decided_on.map(|of| DecidedOn { stream: stream(of), at }).into_iter().collect();
            let append = Append { decided_on, ..new_events(&[(of, 0, 1)]) };
            pending.push(log.appender().permit().await.unwrap().submit(append));
        }
        if n % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut positions = Vec::new();
    for append in pending {
        positions.push(append.await.unwrap().position);
    }
    assert!(positions.chunks(2).all(|pair| pair[0] < pair[1]), "{positions:?}");
    assert_dense(&all(&log).await);
}

async fn several_streams_are_appended_at_once_or_not_at_all(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(1, 0, 1), (2, 0, 2)]).await.unwrap();
    let refused = add(&log, &[(1, 1, 1), (2, 1, 1)]).await;
    let stream = stream(2);
    assert_eq!(refused, Err(AppendError::WrongExpectedRevision { stream, expected: Revision::new(1) }));
    assert_eq!(all(&log).await.len(), 3);
    add(&log, &[(1, 1, 1), (2, 2, 1)]).await.unwrap();
    assert_dense(&all(&log).await);
}

async fn a_wrong_expected_revision_is_refused_and_leaves_nothing(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(1, 0, 1)]).await.unwrap();
    assert!(matches!(add(&log, &[(1, 0, 1)]).await, Err(AppendError::WrongExpectedRevision { .. })));
    assert_eq!(log.head().await.unwrap().position, Position::new(1));
    assert_eq!(add(&log, &[(1, 1, 1)]).await.unwrap().position, Position::new(2));
}

async fn a_revision_beyond_the_stream_is_refused_so_that_no_stream_gets_a_hole(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(1, 0, 1)]).await.unwrap();
    assert!(matches!(add(&log, &[(1, 7, 1)]).await, Err(AppendError::WrongExpectedRevision { .. })));
    assert!(matches!(add(&log, &[(2, 1, 1)]).await, Err(AppendError::WrongExpectedRevision { .. })));
    assert_eq!(log.head().await.unwrap().position, Position::new(1), "a refused append takes no position");
}

async fn of_many_writers_at_one_revision_exactly_one_wins(store: Store) {
    let (one, two) = (store.open(ManualClock::new()).await, store.open(ManualClock::new()).await);
    add(&one, &[(1, 0, 1)]).await.unwrap();
    let tries = (0..40).map(|n| {
        let log = if n % 2 == 0 { one.clone() } else { two.clone() };
        async move { add(&log, &[(1, 1, 1)]).await.is_ok() }
    });
    let wins = join_all(tries).await.into_iter().filter(|won| *won).count();
    assert_eq!(wins, 1);
    let events = all(&one).await;
    assert_eq!(events.len(), 2);
    assert_dense(&events);
}

async fn a_conflict_in_a_group_commit_is_answered_to_its_own_caller_alone(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(0, 0, 1)]).await.unwrap();
    let mut pending = Vec::new();
    for n in 0..50u128 {
        // Every tenth is wrong; all are queued before any is answered.
        let entry = if n % 10 == 3 { (0, 0, 1) } else { (100 + n, 0, 1) };
        let permit = log.appender().permit().await.unwrap();
        pending.push((n, permit.submit(new_events(&[entry]))));
    }
    for (n, answer) in pending {
        assert_eq!(answer.await.is_ok(), n % 10 != 3, "append {n}");
    }
    let events = all(&log).await;
    assert_eq!(events.len(), 1 + 45);
    assert_dense(&events);
}

async fn same_stream_appends_in_one_group_commit_are_chained(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let mut pending = Vec::new();
    for n in 0..20 {
        let permit = log.appender().permit().await.unwrap();
        pending.push(permit.submit(new_events(&[(1, n, 1)])));
    }
    for (answer, position) in pending.into_iter().zip(1..) {
        assert_eq!(answer.await.unwrap().position, Position::new(position));
    }
    assert_dense(&all(&log).await);
}

async fn what_was_decided_on_a_stream_that_went_on_is_refused_with_or_without_events(store: Store) {
    let [here, there] = [store.open(ManualClock::new()).await, store.open(ManualClock::new()).await];
    append(here.as_ref(), new_events(&[(1, 0, 1)])).await.unwrap();
    append(there.as_ref(), new_events(&[(1, 1, 1)])).await.unwrap();
    let on = |at| vec![DecidedOn { stream: stream(1), at: Revision::new(at) }];
    for streams in [&[][..], &[(2, 0, 1)]] {
        for wrong in [0, 1, 3] {
            let stale = Append { decided_on: on(wrong), ..new_events(streams) };
            let refused = append(here.as_ref(), stale).await;
            let expected = Revision::new(wrong);
            assert_eq!(refused, Err(AppendError::WrongExpectedRevision { stream: stream(1), expected }));
        }
    }
    let never =
        Append { decided_on: vec![DecidedOn { stream: stream(9), at: Revision::ZERO }], ..new_events(&[]) };
    append(here.as_ref(), never).await.expect("a stream that is not there has not gone on");
    // Of one group commit: what the first leaves is what the second was decided on, or not.
    let right = Append { decided_on: on(3), ..new_events(&[(3, 0, 1)]) };
    let stale = Append { decided_on: on(2), ..new_events(&[(4, 0, 1)]) };
    let first = new_events(&[(1, 2, 1)]);
    let together = join_all([first, right, stale].map(|new| append(here.as_ref(), new))).await;
    assert!(together[0].is_ok() && together[1].is_ok(), "{together:?}");
    assert!(matches!(together[2], Err(AppendError::WrongExpectedRevision { .. })), "{together:?}");
    assert_eq!(all(&here).await.len(), 4);
}

async fn two_processes_interleave_without_a_hole_and_readers_see_every_event_once(store: Store) {
    let logs = [store.open(ManualClock::new()).await, store.open(ManualClock::new()).await];
    let writers = (0..8u128).map(|writer| {
        let log = logs[usize::from(writer % 2 == 1)].clone();
        tokio::spawn(async move {
            for n in 0..25 {
                add(&log, &[(writer, n, 1)]).await.expect("nobody else writes this stream");
            }
        })
    });
    let reader = logs[0].clone();
    let writers = join_all(writers.collect::<Vec<_>>());
    let reading = async {
        let mut seen = Vec::new();
        while seen.len() < 200 {
            let after = seen.last().map_or(Position::ZERO, |event: &domain::RecordedEvent| event.position);
            seen.extend(reader.read(after, 7).await.expect("no hole is ever visible"));
            tokio::task::yield_now().await;
        }
        seen
    };
    let (_, seen) = tokio::join!(writers, reading);
    assert_dense(&seen);
    assert_eq!(seen, all(&logs[1]).await);
}

async fn a_repeated_command_id_is_found_with_its_first_result(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let first = new_events(&[(1, 0, 3)]);
    let (id, result) = (first.command.id, first.command.result.clone());
    append(log.as_ref(), first.clone()).await.unwrap();
    let mut again = new_events(&[(2, 0, 1)]);
    again.command.id = id;
    let Err(AppendError::CommandExists(stored)) = append(log.as_ref(), again).await else {
        panic!("a command id is used once");
    };
    assert_eq!((stored.result.as_str(), stored.position), (result.as_str(), Position::new(3)));
    assert_eq!(log.command(id).await.unwrap(), Some(stored));
    assert_eq!(log.command(command().id).await.unwrap(), None);
    assert_eq!(all(&log).await.len(), 3);
}

fn key(name: &str) -> UniqueKey {
    UniqueKey { scope: "contact:1".to_owned(), key: name.to_owned() }
}

fn holder(owner: &str, item: &str) -> KeyHolder {
    KeyHolder { owner: owner.to_owned(), item: item.to_owned() }
}

async fn a_unique_key_has_one_holder_until_it_is_given_up(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let claim = |owner: &str, item: &str, name: &str| Append {
        claims: vec![KeyClaim { key: key(name), holder: holder(owner, item) }],
        ..Append::of(command())
    };
    append(log.as_ref(), claim("a", "1", "x")).await.unwrap();
    append(log.as_ref(), claim("a", "2", "y")).await.unwrap();
    let taken = append(log.as_ref(), claim("b", "1", "x")).await;
    assert_eq!(taken, Err(AppendError::KeyTaken { key: key("x"), holder: holder("a", "1") }));
    let release = Append { releases: vec![holder("a", "1")], ..Append::of(command()) };
    append(log.as_ref(), release).await.unwrap();
    append(log.as_ref(), claim("b", "1", "x")).await.unwrap();
    let known = log.holders(&[key("x"), key("y"), key("z")]).await.unwrap();
    assert_eq!(known, [Some(holder("b", "1")), Some(holder("a", "2")), None]);
    let release = Append { release_owners: vec!["a".to_owned()], ..Append::of(command()) };
    append(log.as_ref(), release).await.unwrap();
    assert_eq!(log.holders(&[key("x"), key("y")]).await.unwrap(), [Some(holder("b", "1")), None]);
}

async fn recorded_times_never_run_backwards(store: Store) {
    let clock = ManualClock::new();
    let log = store.open(clock.clone()).await;
    let first = add(&log, &[(1, 0, 1)]).await.unwrap().recorded_at;
    clock.step_back(Duration::from_secs(3_600));
    let second = add(&log, &[(1, 1, 1)]).await.unwrap().recorded_at;
    clock.advance(Duration::from_secs(7_200));
    let third = add(&log, &[(1, 2, 1)]).await.unwrap().recorded_at;
    assert_eq!(first, second);
    assert!(third > second);
}

async fn a_fenced_writer_appends_nothing(store: Store) {
    let (old, other) = (store.open(ManualClock::new()).await, store.open(ManualClock::new()).await);
    add(&old, &[(1, 0, 1)]).await.unwrap();
    let epoch = other.fence().await.unwrap() - 1;
    assert_eq!(add(&old, &[(1, 1, 1)]).await, Err(AppendError::Fenced { epoch }));
    let new = store.open(ManualClock::new()).await;
    assert_eq!(add(&new, &[(1, 1, 1)]).await.unwrap().position, Position::new(2));
}

async fn events_cannot_be_changed_or_deleted(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(1, 0, 2)]).await.unwrap();
    for forbidden in [
        "UPDATE events SET recorded_at = 0",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = 2",
        "UPDATE log_head SET position = 0",
        "UPDATE log_head SET recorded_at = 0",
        "DELETE FROM log_head",
    ] {
        assert!(store.execute(forbidden).await.is_err(), "{forbidden}");
    }
    if matches!(store, Store::Postgres(_)) {
        assert!(store.execute("TRUNCATE events").await.is_err());
    }
    assert_eq!(all(&log).await.len(), 2);
}

async fn an_abandoned_append_still_happens(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let permit = log.appender().permit().await.unwrap();
    drop(permit.submit(new_events(&[(1, 0, 1)])));
    // One that builds on it never overtakes it; one on another stream might.
    add(&log, &[(1, 1, 1)]).await.unwrap();
    assert_eq!(all(&log).await.len(), 2);
}

async fn old_command_results_are_forgotten_and_events_are_not(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let mut old = new_events(&[(1, 0, 1)]);
    old.command.id = CommandId::new(fresh_uuid(Instant::from_micros(1_000_000)));
    let (old_id, young) = (old.command.id, new_events(&[(1, 1, 1)]));
    let young_id = young.command.id;
    append(log.as_ref(), old).await.unwrap();
    append(log.as_ref(), young).await.unwrap();
    assert_eq!(log.forget_commands(Instant::from_micros(2_000_000)).await.unwrap(), 1);
    assert_eq!(log.command(old_id).await.unwrap(), None);
    assert!(log.command(young_id).await.unwrap().is_some());
    assert_eq!(all(&log).await.len(), 2);
}

async fn personal_data_in_clear_never_enters(_: Store) {
    let kind = EventType { name: "customer.renamed", version: 1 };
    let clear = NewEvent::sealed(kind, r#"{"renamed":{"name":{"$clear":"x"}}}"#.to_owned(), String::new());
    assert!(matches!(clear, Err(AppendError::Rejected(_))));
    // A note that only quotes the mark is no personal value.
    let quoted = serde_json::json!({ "note": r#"{"$clear":"x"}"# }).to_string();
    assert!(NewEvent::sealed(kind, quoted, String::new()).is_ok());
}

async fn head_and_streams_are_consistent(store: Store) {
    let log = store.open(ManualClock::new()).await;
    assert_eq!(log.head().await.unwrap().position, Position::ZERO);
    add(&log, &[(1, 0, 3), (2, 0, 2)]).await.unwrap();
    assert_eq!(log.head().await.unwrap().position, Position::new(5));
    let page = log.read_stream(&stream(1), Revision::new(1), 10).await.unwrap();
    assert_eq!(page.iter().map(|event| event.revision.get()).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(log.read(Position::new(4), 10).await.unwrap().len(), 1);
    assert_eq!(*log.appended().borrow(), Position::new(5));
}

async fn verification_names_a_hole_and_an_unreadable_event(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(1, 0, 3), (2, 0, 1)]).await.unwrap();
    // `pooled` carries a text that its contract does not know: the suite's events are made up.
    let report = verify(&log, &mut |_, _| {}).await.unwrap();
    assert_eq!(report.events, 4);
    assert!(
        report.faults.iter().all(|fault| matches!(fault, LogFault::Decode { .. })),
        "{:?}",
        report.faults
    );
    store.without_guards("DELETE FROM events WHERE position = 2").await;
    let report = verify(&log, &mut |_, _| {}).await.unwrap();
    let hole = ReadError::Hole { expected: Position::new(2), found: Position::new(3) };
    assert_eq!(report.faults, [LogFault::Read(hole)]);
    assert_eq!(log.broken_streams(10).await.unwrap(), [stream(1)]);
}

async fn a_replay_reads_ahead_in_order_and_stops_at_a_hole(store: Store) {
    let log = store.open(ManualClock::new()).await;
    add(&log, &[(1, 0, 7), (2, 0, 8), (3, 0, 9)]).await.unwrap();
    let read = async |after: i64, until: i64, page: usize| {
        let pages = replay(log.clone(), Position::new(after), Position::new(until), page);
        pages.collect::<Vec<_>>().await
    };
    let everything = log.read(Position::ZERO, 100).await.unwrap();
    for page in [1, 2, 5, 23, 24, 100] {
        for (after, until) in [(0, 24), (5, 20), (0, 1_000), (24, 24), (30, 90)] {
            let pages: Result<Vec<_>, _> = read(after, until, page).await.into_iter().collect();
            let pages = pages.unwrap();
            assert!(pages.iter().all(|events| (1..=page).contains(&events.len())));
            let within = |event: &&RecordedEvent| (after + 1..=until).contains(&event.position.get());
            let expected: Vec<_> = everything.iter().filter(within).cloned().collect();
            assert_eq!(pages.concat(), expected, "behind {after} up to {until} by {page}");
        }
    }
    store.without_guards("DELETE FROM events WHERE position = 9").await;
    let hole = ReadError::Hole { expected: Position::new(9), found: Position::new(10) };
    for page in [1, 2, 3, 4, 24] {
        let mut pages = read(0, 24, page).await;
        assert_eq!(pages.pop(), Some(Err(hole.clone())), "by {page}");
        let before: i64 = pages.iter().flatten().map(|events| i64::try_from(events.len()).unwrap()).sum();
        assert!(pages.iter().all(Result::is_ok) && before <= 8, "by {page}");
    }
}

async fn a_gathering_delays_bulk_and_nobody_else(store: Store) {
    let log = store.open(ManualClock::new()).await;
    let _gathering = log.appender().gather();
    let began = std::time::Instant::now();
    for revision in 0..20 {
        add(&log, &[(1, revision, 1)]).await.unwrap();
    }
    let alone = began.elapsed();
    let began = std::time::Instant::now();
    for revision in 0..20 {
        append(log.as_ref(), Append { bulk: true, ..new_events(&[(2, revision, 1)]) }).await.unwrap();
    }
    assert!(began.elapsed() > Duration::from_secs(1), "each waits in vain for company");
    assert!(alone < began.elapsed(), "{alone:?}");
}
