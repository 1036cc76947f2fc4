//! Leases, acknowledgements and positions of consumers, on each database.

use std::sync::Arc;
use std::time::Duration;

use domain::envelope::{Position, StreamId};
use domain::values::Code;

use super::{Consumer, ConsumerError, Consumers, Lately, LeaseId};
use crate::tests::{World, on_each_database, operator};

const TTL: Duration = Duration::from_secs(60);

fn consumers(world: &World) -> Consumers {
    Consumers::new(world.db.clone(), world.log.clone(), world.clock.clone())
}

fn name() -> Code {
    Code::new("warehouse").unwrap()
}

fn at(position: i64) -> Position {
    Position::new(position)
}

/// A consumer on a log of nine events.
async fn made(world: &World) -> Consumers {
    for _ in 0..9 {
        world.append_raw(1, StreamId::stored("team", "a"), None, None, "team.resumed", "1", "{}");
    }
    let consumers = consumers(world);
    consumers.create(&name(), operator(1), &["clue.*".to_owned()], at(2)).await.unwrap();
    consumers
}

async fn acknowledge(
    consumers: &Consumers,
    lease: LeaseId,
    position: i64,
) -> Result<Consumer, ConsumerError> {
    consumers.acknowledge(&name(), lease, at(position), Some(TTL)).await
}

#[tokio::test]
async fn a_consumer_is_made_once_and_stays_as_it_was_made() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let types = ["clue.*".to_owned()];
        let again = consumers.create(&name(), operator(1), &types, at(0)).await.unwrap();
        assert_eq!(again.position, at(2), "the second call does not move it");
        for (owner, types) in [(operator(2), &types[..]), (operator(1), &[])] {
            let refused = consumers.create(&name(), owner, types, at(0)).await;
            assert_eq!(refused, Err(ConsumerError::Exists));
        }
        let beyond = consumers.create(&Code::new("far").unwrap(), operator(1), &[], at(10)).await;
        assert_eq!(beyond, Err(ConsumerError::BeyondHead { head: at(9) }));
        let listed = consumers.list().await.unwrap();
        assert_eq!((listed.len(), listed[0].events), (1, 7));
        assert_eq!(listed[0].consumer, again);
        consumers.delete(&name(), None).await.unwrap();
        assert_eq!(consumers.delete(&name(), None).await, Err(ConsumerError::Unknown));
        assert_eq!(consumers.get(&name()).await, Err(ConsumerError::Unknown));
    })
    .await;
}

#[tokio::test]
async fn one_reader_at_a_time_has_it_until_its_lease_ends() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (first, _) = consumers.take(&name(), TTL).await.unwrap();
        let held = consumers.take(&name(), TTL).await;
        assert!(matches!(held, Err(ConsumerError::Leased { .. })), "{held:?}");
        consumers.deliver(&name(), first, at(5), TTL).await.unwrap();
        world.clock.advance(TTL);
        let (second, consumer) = consumers.take(&name(), TTL).await.unwrap();
        assert_eq!((consumer.position, consumer.delivered), (at(2), at(2)), "it all comes again");
        assert_eq!(acknowledge(&consumers, first, 4).await, Err(ConsumerError::LeaseLost));
        let late = consumers.deliver(&name(), first, at(6), TTL).await;
        assert_eq!(late, Err(ConsumerError::LeaseLost));
        consumers.deliver(&name(), second, at(6), TTL).await.unwrap();
        assert_eq!(acknowledge(&consumers, second, 6).await.unwrap().position, at(6));
    })
    .await;
}

#[tokio::test]
async fn of_readers_that_come_at_once_one_gets_it() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let takes = (0..8).map(|_| {
            let consumers = consumers.clone();
            tokio::spawn(async move { consumers.take(&name(), TTL).await.is_ok() })
        });
        let mut taken = 0;
        for take in takes.collect::<Vec<_>>() {
            taken += usize::from(take.await.unwrap());
        }
        assert_eq!(taken, 1);
    })
    .await;
}

#[tokio::test]
async fn an_expired_lease_that_nobody_took_still_acknowledges() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (lease, _) = consumers.take(&name(), TTL).await.unwrap();
        consumers.deliver(&name(), lease, at(5), TTL).await.unwrap();
        world.clock.advance(TTL * 2);
        let consumer = acknowledge(&consumers, lease, 5).await.unwrap();
        assert!(consumer.leased_until.is_some(), "and has it again");
    })
    .await;
}

#[tokio::test]
async fn a_lease_of_a_clock_that_was_ahead_keeps_nobody_out() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let day = Duration::from_secs(86_400);
        world.clock.advance(day);
        let (lost, _) = consumers.take(&name(), TTL).await.unwrap();
        world.clock.0.fetch_sub(i64::try_from(day.as_micros()).unwrap(), std::sync::atomic::Ordering::SeqCst);
        assert_eq!(consumers.get(&name()).await.unwrap().leased_until, None);
        let (lease, _) = consumers.take(&name(), TTL).await.unwrap();
        assert_eq!(acknowledge(&consumers, lost, 2).await, Err(ConsumerError::LeaseLost));
        assert!(acknowledge(&consumers, lease, 2).await.unwrap().leased_until.is_some());
    })
    .await;
}

/// A clock that moves on whenever somebody looks.
struct Hurried(std::sync::atomic::AtomicI64);

impl crate::Clock for Hurried {
    fn now(&self) -> domain::Instant {
        let step = i64::try_from(TTL.as_micros()).unwrap() / 2 + 1;
        domain::Instant::from_micros(self.0.fetch_add(step, std::sync::atomic::Ordering::SeqCst))
    }
}

#[tokio::test]
async fn whoever_did_not_take_it_is_told_so_also_when_the_lease_ends_meanwhile() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        consumers.take(&name(), TTL).await.unwrap();
        world.clock.advance(TTL / 2 + Duration::from_millis(1));
        let now = world.clock.0.load(std::sync::atomic::Ordering::SeqCst);
        let hurried = Arc::new(Hurried(now.into()));
        let late = Consumers::new(world.db.clone(), world.log.clone(), hurried);
        let refused = late.take(&name(), TTL).await;
        assert!(matches!(refused, Err(ConsumerError::Leased { .. })), "{refused:?}");
        late.take(&name(), TTL).await.expect("the next time it is free");
    })
    .await;
}

#[tokio::test]
async fn an_acknowledgement_never_shortens_a_lease() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (lease, consumer) = consumers.take(&name(), TTL * 10).await.unwrap();
        consumers.deliver(&name(), lease, at(5), TTL).await.unwrap();
        let after = acknowledge(&consumers, lease, 3).await.unwrap();
        assert_eq!(after.leased_until, consumer.leased_until);
        world.clock.advance(TTL * 9 + TTL / 2);
        let renewed = acknowledge(&consumers, lease, 4).await.unwrap();
        assert!(renewed.leased_until > consumer.leased_until);
    })
    .await;
}

#[tokio::test]
async fn an_open_connection_alone_keeps_a_lease_only_while_nothing_is_owed_or_for_a_while() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (lease, _) = consumers.take(&name(), TTL).await.unwrap();
        consumers.deliver(&name(), lease, at(5), TTL).await.unwrap();
        let name = &name();
        let keep = |took| consumers.keep(name, lease, TTL, Lately { took, within: TTL * 3 });
        acknowledge(&consumers, lease, 4).await.unwrap();
        world.clock.advance(TTL * 2);
        assert!(keep(false).await.unwrap(), "it acknowledged lately");
        world.clock.advance(TTL * 2);
        assert!(keep(true).await.unwrap(), "it took something lately");
        assert!(!keep(false).await.unwrap(), "it owes what is behind 4");
        acknowledge(&consumers, lease, 5).await.unwrap();
        world.clock.advance(TTL * 9);
        assert!(keep(false).await.unwrap(), "it owes nothing");
        world.clock.advance(TTL);
        consumers.take(name, TTL).await.unwrap();
        assert_eq!(keep(true).await, Err(ConsumerError::LeaseLost));
    })
    .await;
}

#[tokio::test]
async fn types_mean_the_same_however_they_are_written() {
    on_each_database(|world| async move {
        let consumers = consumers(&world);
        let create = |types: &[&str]| {
            let (consumers, types) =
                (consumers.clone(), types.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
            async move { consumers.create(&name(), operator(1), &types, at(0)).await }
        };
        let made = create(&["clue.won,clue.lost"]).await.unwrap();
        assert_eq!(made.types, ["clue.lost", "clue.won"]);
        for again in [&["clue.lost", "clue.won"][..], &["clue.won, clue.lost", "clue.won"]] {
            assert_eq!(create(again).await.as_ref(), Ok(&made), "{again:?}");
        }
        assert_eq!(create(&["clue.won"]).await, Err(ConsumerError::Exists));
    })
    .await;
}

#[tokio::test]
async fn only_the_owner_that_is_named_takes_a_consumer_away_or_sets_it() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (mine, another) = (Some(operator(1)), Some(operator(2)));
        assert_eq!(consumers.seek(&name(), another, at(1)).await, Err(ConsumerError::OfAnother));
        assert_eq!(consumers.delete(&name(), another).await, Err(ConsumerError::OfAnother));
        assert_eq!(consumers.seek(&name(), mine, at(1)).await.unwrap().position, at(1));
        assert_eq!(consumers.lag(&name()).await.unwrap().events, 8);
        consumers.delete(&name(), mine).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn acknowledgements_go_forward_and_not_beyond_what_was_delivered() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (lease, _) = consumers.take(&name(), TTL).await.unwrap();
        consumers.deliver(&name(), lease, at(6), TTL).await.unwrap();
        consumers.deliver(&name(), lease, at(3), TTL).await.unwrap();
        assert_eq!(acknowledge(&consumers, lease, 5).await.unwrap().position, at(5));
        assert_eq!(acknowledge(&consumers, lease, 5).await.unwrap().position, at(5), "twice is once");
        let back = acknowledge(&consumers, lease, 4).await;
        assert_eq!(back, Err(ConsumerError::Backwards { position: at(5) }));
        let beyond = acknowledge(&consumers, lease, 7).await;
        assert_eq!(beyond, Err(ConsumerError::Undelivered { delivered: at(6) }));
        assert_eq!(consumers.get(&name()).await.unwrap().position, at(5), "nothing changed");
        let released = consumers.acknowledge(&name(), lease, at(6), None).await.unwrap();
        assert_eq!((released.position, released.leased_until), (at(6), None));
        assert_eq!(acknowledge(&consumers, lease, 6).await, Err(ConsumerError::LeaseLost));
        consumers.take(&name(), TTL).await.expect("it is free at once");
    })
    .await;
}

#[tokio::test]
async fn setting_the_position_goes_either_way_and_fences_the_reader_off() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (lease, _) = consumers.take(&name(), TTL).await.unwrap();
        consumers.deliver(&name(), lease, at(9), TTL).await.unwrap();
        assert_eq!(consumers.seek(&name(), None, at(1)).await.unwrap().position, at(1));
        assert_eq!(acknowledge(&consumers, lease, 9).await, Err(ConsumerError::LeaseLost));
        assert_eq!(consumers.seek(&name(), None, at(9)).await.unwrap().position, at(9));
        assert_eq!(
            consumers.seek(&name(), None, at(10)).await,
            Err(ConsumerError::BeyondHead { head: at(9) })
        );
        let nobody = Code::new("nobody").unwrap();
        assert_eq!(consumers.seek(&nobody, None, at(1)).await, Err(ConsumerError::Unknown));
    })
    .await;
}

#[tokio::test]
async fn positions_outlive_the_program() {
    on_each_database(|world| async move {
        let consumers = made(&world).await;
        let (lease, _) = consumers.take(&name(), TTL).await.unwrap();
        consumers.deliver(&name(), lease, at(8), TTL).await.unwrap();
        let before = acknowledge(&consumers, lease, 7).await.unwrap();
        let db = crate::Database::connect(&world.url).await.unwrap();
        let again = Consumers::new(db.clone(), world.log.clone(), Arc::clone(&world.clock) as _);
        assert_eq!(again.get(&name()).await.unwrap(), before);
        db.close().await;
    })
    .await;
}
