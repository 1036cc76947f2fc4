//! The runner's promises, on real databases with a log in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::envelope::{Position, RecordedEvent, StreamId};
use domain::ports::{BlindIndex, ReadError};

use super::*;
use crate::clue_pool::CluePool;
use crate::read_models;
use crate::sql::TableDef;
use crate::tests::*;

fn config(batch: usize) -> Config {
    Config { batch, ..Config::default() }
}

fn all() -> Vec<Arc<dyn Projector>> {
    let index: Arc<dyn BlindIndex> = Arc::new(FakeIndex);
    read_models(&index)
}

#[tokio::test]
async fn rows_do_not_depend_on_how_the_log_is_cut_into_batches() {
    let mut dumps = Vec::new();
    for batch in [1, 3, 1_000] {
        let dump = Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = Arc::clone(&dump);
        on_each_database(move |world| {
            let kept = Arc::clone(&kept);
            async move {
                world.busy();
                let projections = world.with(config(batch), all());
                projections.catch_up().await.unwrap();
                assert_eq!(projections.parked(None, 10).await.unwrap(), []);
                let rows = world.dump_all().await;
                projections.catch_up().await.unwrap();
                assert_eq!(world.dump_all().await, rows, "catching up again changes nothing");
                kept.lock().unwrap().push(rows);
            }
        })
        .await;
        dumps.append(&mut dump.lock().unwrap().clone());
    }
    assert!(dumps[0].len() > 100);
    for dump in &dumps[1..] {
        assert_eq!(*dump, dumps[0]);
    }
}

#[tokio::test]
async fn a_crash_between_batches_loses_and_repeats_nothing() {
    on_each_database(|world| async move {
        world.busy();
        world.catch_up().await;
        let whole = world.dump_all().await;
        let tables: Vec<&TableDef> = all().iter().flat_map(|m| m.tables().iter().copied()).collect();
        for table in &tables {
            world.db.run(&format!("DELETE FROM {}", table.name)).await.unwrap();
        }
        world.db.run("DELETE FROM checkpoints").await.unwrap();
        world.db.run("DELETE FROM leases").await.unwrap();
        let mut crashes = 0;
        loop {
            // Every model of a crashed process comes back under another owner, after its lease.
            world.clock.advance(Duration::from_secs(60));
            world.log.reads_left.store(5, Ordering::SeqCst);
            match world.with(config(2), all()).catch_up().await {
                Ok(()) => break,
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
            crashes += 1;
            assert!(crashes < 500);
        }
        assert!(crashes > 2);
        world.log.reads_left.store(-1, Ordering::SeqCst);
        assert_eq!(world.dump_all().await, whole);
    })
    .await;
}

#[tokio::test]
async fn a_second_process_stands_by_and_a_fenced_one_cannot_commit() {
    on_each_database(|world| async move {
        world.busy();
        let model = || vec![Arc::new(CluePool) as Arc<dyn Projector>];
        let (first, second) = (world.with(config(2), model()), world.with(config(2), model()));
        let start = |p: &Projections| {
            let (inner, model) = (Arc::clone(&p.inner), Arc::clone(&p.inner.models[0]));
            async move { worker::Worker::start(&inner, &model).await }
        };
        let mut sleepy = start(&first).await.unwrap().unwrap();
        sleepy.step().await.unwrap();
        assert!(start(&second).await.unwrap().is_none(), "the lease is held");

        world.clock.advance(Duration::from_secs(11));
        let mut successor = start(&second).await.unwrap().unwrap();
        successor.step().await.unwrap();
        assert_eq!(sleepy.step().await, Err(RunError::Fenced));
        // Even one that does not look at its lease fails, for its epoch is old.
        world.clock.0.fetch_sub(11_000_000, Ordering::SeqCst);
        assert_eq!(sleepy.step().await, Err(RunError::Fenced));
        successor.catch_up().await.unwrap();

        let raced = world.dump(all()[3].tables()).await;
        let report = second.verify("clue_pool", &|_| {}).await.unwrap();
        assert!(report.is_equal() && !raced.is_empty(), "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn a_lease_of_a_clock_that_was_wrong_keeps_nobody_waiting() {
    on_each_database(|world| async move {
        world.busy();
        let model = || vec![Arc::new(CluePool) as Arc<dyn Projector>];
        let start = |p: &Projections| {
            let (inner, model) = (Arc::clone(&p.inner), Arc::clone(&p.inner.models[0]));
            async move { worker::Worker::start(&inner, &model).await }
        };
        let (first, second, third) =
            (world.with(config(2), model()), world.with(config(2), model()), world.with(config(2), model()));
        // An hour ahead, and then right again: the one that took the lease goes on with a new end of it.
        world.clock.advance(Duration::from_secs(3_600));
        let mut ahead = start(&first).await.unwrap().unwrap();
        world.clock.0.fetch_sub(3_600_000_000, Ordering::SeqCst);
        ahead.step().await.unwrap();
        assert!(start(&second).await.unwrap().is_none(), "the lease is held");

        // Taken an hour ahead and never let go.
        world.clock.advance(Duration::from_secs(3_600));
        let mut ahead = start(&second).await.unwrap().unwrap();
        world.clock.0.fetch_sub(3_600_000_000, Ordering::SeqCst);
        let mut successor = start(&third).await.unwrap().expect("nobody waits an hour for a lease");
        successor.catch_up().await.unwrap();
        assert_eq!(ahead.step().await, Err(RunError::Fenced));
    })
    .await;
}

/// A read model that cannot fold one event until it is mended.
struct Brittle {
    model: Arc<dyn Projector>,
    breaks_at: Arc<AtomicI64>,
}

struct BrittleBatch(Box<dyn Batch>, i64);

impl Batch for BrittleBatch {
    fn want(&mut self, event: &Folding<'_>) {
        self.0.want(event);
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        // Half folded before it breaks: the batch must not keep the half.
        self.0.fold(event)?;
        if event.position().get() == self.1 { Err(Poison("brittle")) } else { Ok(()) }
    }

    fn tables(&mut self) -> Vec<&mut dyn crate::sql::TableBatch> {
        self.0.tables()
    }
}

#[async_trait]
impl Projector for Brittle {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        self.model.tables()
    }

    fn reads_personal(&self) -> bool {
        self.model.reads_personal()
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        self.model.key(event)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::new(BrittleBatch(self.model.batch(), self.breaks_at.load(Ordering::SeqCst)))
    }
}

#[tokio::test]
async fn a_poison_event_parks_its_key_alone_and_a_retry_folds_it_in_order() {
    on_each_database(|world| async move {
        world.busy();
        let breaks_at = Arc::new(AtomicI64::new(0));
        let events = world.log.events.lock().unwrap().clone();
        let poison = events.iter().find(|e| &*e.event_type == "clue.assigned").unwrap();
        breaks_at.store(poison.position.get(), Ordering::SeqCst);
        let key = poison.metadata.subject.unwrap().to_string();
        let concerned =
            |e: &&RecordedEvent| CluePool.key(e) == Some(key.clone()) && e.position >= poison.position;
        let waiting: Vec<Position> = events.iter().filter(concerned).map(|e| e.position).collect();

        let model = Arc::new(Brittle { model: Arc::new(CluePool), breaks_at: Arc::clone(&breaks_at) });
        let projections = world.with(config(4), vec![model]);
        projections.catch_up().await.unwrap();
        let parked = projections.parked(Some("clue_pool"), 100).await.unwrap();
        assert_eq!(parked.iter().map(|e| e.position).collect::<Vec<_>>(), waiting);
        assert!(parked.iter().all(|e| e.key == key && e.attempts == 1));
        assert_eq!(parked[0].reason, "brittle");
        let clue = clue(1);
        assert_eq!(world.number(&format!("SELECT pooled FROM clue_pool WHERE clue_id = '{clue}'")).await, 0);
        assert_eq!(world.number("SELECT count(*) FROM clue_pool WHERE pooled = 1").await, 4);

        assert_eq!(projections.retry_parked("clue_pool", &key).await.unwrap(), waiting.len());
        assert_eq!(projections.parked(None, 1).await.unwrap()[0].attempts, 2);
        breaks_at.store(0, Ordering::SeqCst);
        assert_eq!(projections.retry_parked("clue_pool", &key).await.unwrap(), 0);
        assert_eq!(projections.parked(None, 1).await.unwrap(), []);
        let report = projections.verify("clue_pool", &|_| {}).await.unwrap();
        assert!(report.is_equal(), "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn a_malformed_event_parks_and_one_of_a_newer_program_stops_the_model() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "王", "+8613800138001");
        world.capture(1, 1, "sales");
        let stream = || StreamId::of::<domain::clue::Clue>(&clue(1));
        let subject = Some(customer(1).into());
        world.append_raw(50, stream(), subject, Some("sales"), "clue.pooled", "1", "{\"pooled\":{\"x\":1}}");
        world.capture(2, 2, "sales");
        let newer = world.append_raw(60, stream(), subject, Some("sales"), "clue.pooled", "2", "{}");
        world.capture(3, 3, "sales");

        let projections = world.with(config(100), vec![Arc::new(CluePool)]);
        let stopped = projections.catch_up().await.unwrap_err();
        assert!(matches!(stopped, RunError::Newer(_)) && !stopped.is_transient(), "{stopped}");
        let lag = &projections.lag().await.unwrap()[0];
        assert_eq!((lag.position.next(), lag.events), (newer, 2));
        assert_eq!(projections.parked(None, 10).await.unwrap().len(), 1);
        assert_eq!(world.number("SELECT count(*) FROM clue_pool").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_hole_in_the_log_stops_the_model() {
    on_each_database(|world| async move {
        world.busy();
        world.log.events.lock().unwrap().remove(10);
        let projections = world.with(config(100), vec![Arc::new(CluePool)]);
        let stopped = projections.catch_up().await.unwrap_err();
        assert!(matches!(stopped, RunError::Read(ReadError::Hole { .. })), "{stopped}");
        assert_eq!(world.number("SELECT position FROM checkpoints WHERE name = 'clue_pool'").await, 0);
    })
    .await;
}

#[tokio::test]
async fn waiting_ends_when_the_model_has_the_event_and_says_how_far_it_is_otherwise() {
    on_each_database(|world| async move {
        world.busy();
        let head = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        let (stop, stopped) = watch::channel(false);
        let projections = world.projections();
        let stale = projections.wait_for(&["clue_list"], head, Duration::from_millis(20)).await;
        assert_eq!(stale, Err(WaitError::Stale { at: Position::ZERO, wanted: head }));

        let running = projections.clone();
        let task = tokio::spawn(async move { running.run(stopped).await });
        let models = projections.names();
        projections.wait_for(&models, head, Duration::from_secs(20)).await.unwrap();
        // Another process sees it too, by the checkpoints.
        world.projections().wait_for(&models, head, Duration::from_secs(20)).await.unwrap();
        world.capture(99, 1, "sales");
        projections.wait_for(&models, head.next(), Duration::from_secs(20)).await.unwrap();
        assert!(projections.states().iter().all(|s| s.state == State::Following));
        let lag = projections.lag().await.unwrap();
        assert!(lag.iter().all(|lag| lag.head == head.next()));
        stop.send_replace(true);
        task.await.unwrap();
        assert_eq!(world.number("SELECT count(*) FROM leases WHERE expires_at > 0").await, 0);
    })
    .await;
}

#[tokio::test]
async fn watchers_hear_of_rows_after_their_commit_with_old_and_new_owners() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "王", "+8613800138001");
        world.capture(1, 1, "sales");
        world.assign(1, 1, "sales", 1, Some(1));
        let projections = world.catch_up().await;
        let mut changes = projections.changes();
        let seconds = at(world.seconds.load(Ordering::SeqCst) + 1);
        let (from, to) = (operator(1), operator(2));
        let event = domain::clue::ClueEvent::Transferred { from, to, team_id: None, at: seconds };
        let position = world.on_clue(1, 1, "sales", event);
        projections.catch_up().await.unwrap();
        let heard = loop {
            let heard = changes.recv().await.unwrap();
            if heard.model == "clue_list" {
                break heard;
            }
        };
        assert_eq!(heard.position, position);
        assert_eq!(heard.clues[0].clue_id, clue(1));
        assert_eq!(heard.clues[0].left, Some(position));
        assert_eq!(heard.clues[0].owners, [Some(to), Some(from)]);
        assert_eq!(heard.clues[0].teams, [None, Some(team(1))]);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_the_database_refuses_parks_alone() {
    on_each_database(|world| async move {
        world.define_line("sales");
        for n in 1..=9 {
            // PostgreSQL takes no NUL in text; SQLite does.
            let name = if n == 5 { "王\0" } else { "王" };
            world.register(n, "sales", name, &format!("+861380013800{n}"));
            world.capture(n, n, "sales");
        }
        let projections = world.with(config(100), all());
        projections.catch_up().await.unwrap();
        let parked = projections.parked(Some("customer"), 100).await.unwrap();
        let refused = usize::from(world.db.is_postgres());
        // The registration, and what followed of this customer.
        assert_eq!(parked.len(), refused * 3);
        assert!(parked.iter().all(|event| event.key == customer(5).to_string()));
        let kept = 9 - i64::try_from(refused).unwrap();
        assert_eq!(world.number("SELECT count(*) FROM customers").await, kept);
        assert_eq!(world.number("SELECT count(*) FROM clue_pool").await, 9);
        for name in projections.names() {
            let report = projections.rebuild(name, &|_| {}).await.unwrap();
            assert!(report.is_equal(), "{report:?}");
        }
        assert_eq!(projections.parked(Some("customer"), 100).await.unwrap().len(), refused * 3);
    })
    .await;
}

#[tokio::test]
async fn a_long_log_is_loaded_beside_before_the_first_row_serves() {
    on_each_database(|world| async move {
        world.busy();
        let settings = || Config { bulk: 10, ..Config::default() };
        world.with(settings(), all()).catch_up().await.unwrap();
        assert_eq!(world.number("SELECT count(*) FROM clue_list__old").await, 0);
        let loaded = world.dump_all().await;
        let projections = world.with(settings(), all());
        world.clock.advance(Duration::from_secs(60));
        for name in projections.names() {
            assert!(projections.verify(name, &|_| {}).await.unwrap().is_equal(), "{name}");
        }
        projections.catch_up().await.unwrap();
        assert_eq!(world.dump_all().await, loaded);
    })
    .await;
}

#[tokio::test]
async fn an_erasure_that_must_wait_takes_the_rows_away_all_the_same() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "金丝雀", "+8613800138001");
        world.register(2, "sales", "王", "+8613800138002");
        let poison = world.capture(1, 1, "sales");
        let breaks_at = Arc::new(AtomicI64::new(poison.get()));
        let index: Arc<dyn BlindIndex> = Arc::new(FakeIndex);
        let model = Arc::new(crate::customer::Customers::new(index));
        let brittle = Arc::new(Brittle { model, breaks_at: Arc::clone(&breaks_at) });
        let projections = world.with(config(10), vec![brittle]);
        projections.catch_up().await.unwrap();
        assert_eq!(world.number("SELECT count(*) FROM customers").await, 2);
        world.erase(1);
        projections.catch_up().await.unwrap();
        assert_eq!(projections.parked(None, 10).await.unwrap().len(), 2);
        assert_eq!(world.number("SELECT count(*) FROM customers").await, 1);
        assert_eq!(world.number("SELECT count(*) FROM customer_contact").await, 1);
        breaks_at.store(0, Ordering::SeqCst);
        let report = projections.rebuild("customer", &|_| {}).await.unwrap();
        assert!(!report.is_equal() && report.swapped);
        assert_eq!(world.number("SELECT count(*) FROM customers WHERE erased_at IS NOT NULL").await, 1);
        assert_eq!(projections.parked(None, 10).await.unwrap(), []);
    })
    .await;
}
