//! Replicas that are lost, behind, shared, or of another log.

use std::collections::HashMap;

use commands::event_log::{
    Append, AppendError, DecidedOn, EventStoreAddress, EventStoreError, KeyClaim, KeyHolder, LogFault,
    UniqueKey, WrappedKey, append,
};
use domain::envelope::{Position, Revision};
use domain::ids::SubjectId;
use futures::future::join_all;
use tests::clock::ManualClock;
use tests::eventstore_double::Written;
use tests::stores::{Backend, Store};
use uuid::Uuid;

use super::super::conformance::event_log::{all, assert_dense, new_events, stream};
use super::{
    done, double, faults, on_double, on_either_replica, on_replica, open, open_at, opened, refused, until,
};

on_either_replica! {
    a_lost_replica_is_rebuilt_from_the_stream_alone,
    a_replica_that_is_behind_catches_up_before_it_answers,
    two_replicas_of_one_stream_converge_and_never_fork,
    what_one_process_appends_reaches_the_others,
    a_replica_of_another_log_is_refused,
    a_log_of_the_database_itself_does_not_become_a_replica,
    whoever_opened_an_empty_database_as_the_log_itself_appends_nothing_to_the_replica,
    a_refusal_is_decided_on_what_the_stream_has_and_not_on_a_replica_that_lags,
    a_stream_that_lost_its_end_is_noticed_while_the_log_is_open,
    verification_names_a_replica_that_differs,
    a_stream_that_removes_events_by_itself_is_no_log,
    a_command_that_was_refused_here_and_done_elsewhere_is_what_the_stream_says,
}

fn key(name: &str) -> UniqueKey {
    UniqueKey { scope: "contact:1".to_owned(), key: name.to_owned() }
}

fn holder(owner: &str, item: &str) -> KeyHolder {
    KeyHolder { owner: owner.to_owned(), item: item.to_owned() }
}

fn claim(name: &str, owner: &str, item: &str) -> KeyClaim {
    KeyClaim { key: key(name), holder: holder(owner, item) }
}

async fn a_lost_replica_is_rebuilt_from_the_stream_alone(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    let subject = SubjectId::new(Uuid::from_u128(5));
    let wrapped = WrappedKey { subject, wrapped: vec![1, 2], master_version: 1 };
    let claims = vec![claim("x", "a", "1"), claim("y", "a", "2"), claim("z", "b", "1")];
    let first = Append { claims, new_keys: vec![wrapped.clone()], ..new_events(&[(1, 0, 2), (2, 0, 1)]) };
    let commands = [first.command.id];
    done(&log, first).await;
    done(&log, Append { releases: vec![holder("a", "1")], ..new_events(&[(1, 2, 1)]) }).await;
    done(&log, Append { claims: vec![claim("x", "c", "1")], ..new_events(&[(3, 0, 1)]) }).await;
    done(&log, Append { release_owners: vec!["b".to_owned()], ..new_events(&[(2, 1, 1)]) }).await;
    for n in 0..600 {
        done(
            &log,
            Append {
                claims: vec![claim(&format!("n{n}"), "d", &n.to_string())],
                ..new_events(&[(10 + n, 0, 1)])
            },
        )
        .await;
    }
    done(&log, Append { destroy_keys: vec![subject], ..new_events(&[(1, 3, 1)]) }).await;
    // The vault is restored from its own backup, which is older than the destruction.
    let lost = Store::fresh(backend).await;
    let vault = if backend == Backend::Postgres { "vault.data_keys" } else { "" };
    if !vault.is_empty() {
        lost.execute(&format!(
            "INSERT INTO {vault} (subject_id, wrapped, master_version, created_at) VALUES ('{subject}', '\\x0102', 1, 0)"
        ))
        .await
        .unwrap();
    }
    let rebuilt = open(&store, &lost).await.unwrap();
    assert_eq!(all(&rebuilt).await, all(&log).await);
    assert_eq!(rebuilt.head().await.unwrap(), log.head().await.unwrap());
    for command in commands {
        assert_eq!(rebuilt.command(command).await.unwrap(), log.command(command).await.unwrap());
    }
    let keys = [key("x"), key("y"), key("z"), key("n599")];
    let held = [Some(holder("c", "1")), Some(holder("a", "2")), None, Some(holder("d", "599"))];
    assert_eq!(log.holders(&keys).await.unwrap(), held);
    assert_eq!(rebuilt.holders(&keys).await.unwrap(), held);
    assert_eq!(rebuilt.data_keys(&[subject]).await.unwrap(), [], "what was destroyed is destroyed again");
    for table in ["commands", "unique_keys", "events"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(lost.count(&sql).await.unwrap(), store.replica.count(&sql).await.unwrap(), "{table}");
    }
    assert_eq!(faults(&rebuilt).await, []);
    done(&rebuilt, new_events(&[(1, 4, 1)])).await;
}

async fn a_replica_that_is_behind_catches_up_before_it_answers(backend: Backend) {
    let store = on_double(backend).await;
    let behind = Store::fresh(backend).await;
    let log = open(&store, &behind).await.unwrap();
    done(&log, new_events(&[(1, 0, 1)])).await;
    log.close().await;
    let other = opened(&store).await;
    for n in 0..700 {
        done(&other, new_events(&[(100 + n, 0, 1)])).await;
    }
    let log = open(&store, &behind).await.unwrap();
    assert_eq!(log.head().await.unwrap().position, Position::new(701));
    assert_eq!(all(&log).await, all(&other).await);
}

async fn two_replicas_of_one_stream_converge_and_never_fork(backend: Backend) {
    let store = on_double(backend).await;
    let elsewhere = Store::fresh(Backend::Sqlite).await;
    let (here, there) = (opened(&store).await, open(&store, &elsewhere).await.unwrap());
    let writers = (0..8u128).map(|writer| {
        let log = if writer % 2 == 0 { here.clone() } else { there.clone() };
        tokio::spawn(async move {
            let mut won = 0;
            for revision in 0..10 {
                done(&log, new_events(&[(100 + writer, revision, 1)])).await;
                // All of them want this one.
                match append(log.as_ref(), new_events(&[(1, revision, 1)])).await {
                    Ok(_) => won += 1,
                    Err(AppendError::WrongExpectedRevision { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            won
        })
    });
    let won: usize = join_all(writers.collect::<Vec<_>>()).await.into_iter().map(Result::unwrap).sum();
    let events = double(&store).written(&store.stream).len();
    assert_eq!(events, 80 + won);
    until(async || all(&here).await.len() == events && all(&there).await.len() == events).await;
    assert_dense(&all(&here).await);
    assert_eq!(all(&here).await, all(&there).await);
    assert_eq!(faults(&here).await, []);
    assert_eq!(faults(&there).await, []);
}

async fn what_one_process_appends_reaches_the_others(backend: Backend) {
    let store = on_double(backend).await;
    let elsewhere = Store::fresh(backend).await;
    let (here, there) = (opened(&store).await, open(&store, &elsewhere).await.unwrap());
    let first = new_events(&[(1, 0, 2)]);
    let command = first.command.id;
    done(&here, first).await;
    until(async || there.head().await.unwrap().position == Position::new(2)).await;
    assert!(there.command(command).await.unwrap().is_some());
    let mut again = new_events(&[(2, 0, 1)]);
    again.command.id = command;
    assert!(matches!(append(there.as_ref(), again).await, Err(AppendError::CommandExists(_))));
}

async fn a_replica_of_another_log_is_refused(backend: Backend) {
    let (store, other) = (on_double(backend).await, on_double(backend).await);
    done(&opened(&store).await, new_events(&[(1, 0, 2)])).await;
    done(&opened(&other).await, new_events(&[(1, 0, 1)])).await;
    let wrong = refused(&store, &other.replica).await;
    assert!(matches!(wrong, EventStoreError::OtherStream { .. }), "{wrong}");
    // The same name on another server: ahead of it, or different.
    let elsewhere = EventStoreAddress::new(&other.url, &store.stream).unwrap();
    let Err(ahead) = open_at(&elsewhere, &store.replica).await else { panic!("it must not open") };
    assert!(
        matches!(&ahead, EventStoreError::OtherLog { reason, .. } if reason.contains("ends at 0")),
        "{ahead}"
    );
    for written in double(&other).written(&other.stream).into_iter().cycle().take(3) {
        double(&other).write(&store.stream, written);
    }
    let Err(different) = open_at(&elsewhere, &store.replica).await else { panic!("it must not open") };
    assert!(matches!(different, EventStoreError::OtherLog { .. }), "{different}");
    done(&opened(&store).await, new_events(&[(1, 2, 1)])).await;
}

async fn a_log_of_the_database_itself_does_not_become_a_replica(backend: Backend) {
    let store = on_double(backend).await;
    let own = Store::fresh(backend).await;
    let log = own.open(ManualClock::new()).await;
    done(&log, new_events(&[(1, 0, 1)])).await;
    assert!(matches!(refused(&store, &own).await, EventStoreError::OtherLog { .. }));
    assert_eq!(log.replica_of().await.unwrap(), None);
    done(&log, new_events(&[(1, 1, 1)])).await;
    // A replica says what it is to whoever opens it by itself.
    done(&opened(&store).await, new_events(&[(1, 0, 1)])).await;
    let alone = store.replica.open(ManualClock::new()).await;
    assert_eq!(alone.replica_of().await.unwrap(), Some(store.stream.clone()));
}

async fn whoever_opened_an_empty_database_as_the_log_itself_appends_nothing_to_the_replica(backend: Backend) {
    let store = on_double(backend).await;
    let alone = store.replica.open(ManualClock::new()).await;
    let log = opened(&store).await;
    let refused = append(alone.as_ref(), new_events(&[(1, 0, 1)])).await;
    assert!(matches!(refused, Err(AppendError::Fenced { .. })), "{refused:?}");
    done(&log, new_events(&[(1, 0, 1)])).await;
    // Whoever opens the replica a second time fences nobody off.
    done(&opened(&store).await, new_events(&[(1, 1, 1)])).await;
    done(&log, new_events(&[(1, 2, 1)])).await;
}

async fn a_refusal_is_decided_on_what_the_stream_has_and_not_on_a_replica_that_lags(backend: Backend) {
    let store = on_double(backend).await;
    let elsewhere = Store::fresh(backend).await;
    let (here, there) = (opened(&store).await, open(&store, &elsewhere).await.unwrap());
    for revision in 0..20 {
        done(&there, new_events(&[(1, revision, 1)])).await;
        let decided_on = |at| vec![DecidedOn { stream: stream(1), at: Revision::new(at) }];
        let stale = Append { decided_on: decided_on(revision), ..new_events(&[]) };
        let refused = append(here.as_ref(), stale).await;
        assert!(matches!(refused, Err(AppendError::WrongExpectedRevision { .. })), "{refused:?}");
        done(&here, Append { decided_on: decided_on(revision + 1), ..new_events(&[]) }).await;
    }
}

async fn a_stream_that_lost_its_end_is_noticed_while_the_log_is_open(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 3)])).await;
    let written = double(&store).written(&store.stream);
    // As from a backup: without its end, then with another one.
    double(&store).rewind(&store.stream, 2);
    until(async || !log.follows()).await;
    let refused = append(log.as_ref(), new_events(&[(1, 3, 1)])).await;
    assert!(
        matches!(&refused, Err(AppendError::Rejected(reason)) if reason.contains("position 3")),
        "{refused:?}"
    );
    for (end, is_the_same) in [(&written[2], true), (&written[0], false), (&written[2], true)] {
        double(&store).rewind(&store.stream, 2);
        double(&store).write(&store.stream, end.clone());
        until(async || log.follows() == is_the_same).await;
    }
    done(&log, new_events(&[(1, 3, 1)])).await;
    assert_eq!(faults(&log).await, []);
}

async fn verification_names_a_replica_that_differs(backend: Backend) {
    let store = on_double(backend).await;
    let log = opened(&store).await;
    done(&log, new_events(&[(1, 0, 3), (2, 0, 2)])).await;
    assert_eq!(faults(&log).await, []);
    store.replica.without_guards("UPDATE events SET payload = '{\"pooled\":{}}' WHERE position = 4").await;
    let found = faults(&log).await;
    let [LogFault::Replica { position, reason }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*position, Position::new(4));
    assert!(reason.contains("payload") && !reason.contains("metadata"), "{reason}");
    log.close().await;
    let missing = "DELETE FROM events WHERE position = 5";
    store.replica.execute(missing).await.unwrap();
    assert!(matches!(refused(&store, &store.replica).await, EventStoreError::OtherLog { .. }));
}

async fn a_stream_that_removes_events_by_itself_is_no_log(backend: Backend) {
    let store = on_double(backend).await;
    let metadata = HashMap::from([("type".to_owned(), "$metadata".to_owned())]);
    let data = br#"{"$maxCount":1000}"#.to_vec();
    let limited = Written { id: Uuid::from_u128(1), metadata, custom_metadata: Vec::new(), data };
    double(&store).write(&format!("$${}", store.stream), limited);
    let refused = refused(&store, &store.replica).await;
    assert!(matches!(refused, EventStoreError::Limited { limit: "$maxCount", .. }), "{refused}");
}

async fn a_command_that_was_refused_here_and_done_elsewhere_is_what_the_stream_says(backend: Backend) {
    let store = on_double(backend).await;
    let elsewhere = Store::fresh(backend).await;
    let (here, there) = (opened(&store).await, open(&store, &elsewhere).await.unwrap());
    let does = new_events(&[(1, 0, 1)]);
    let mut refusal = Append::of(does.command.clone());
    refusal.command.result = r#"{"refused":{}}"#.to_owned();
    let command = does.command.id;
    done(&here, refusal).await;
    let appended = done(&there, does).await;
    until(async || here.head().await.unwrap().position == appended.position).await;
    assert_eq!(here.command(command).await.unwrap(), there.command(command).await.unwrap());
    done(&here, new_events(&[(1, 1, 1)])).await;
}
