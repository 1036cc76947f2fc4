//! The whole program on EventStoreDB: commands, read models, readiness, and a database that is a
//! replica.

use api::app::{AppError, Role};
use api::config::{Config, DatabaseUrl, EventStoreUrl};
use commands::event_log::verify;
use sqlx::ConnectOptions;
use tests::given::World;
use tests::served::{Served, app_error};
use tests::stores::{Backend, Store};

use super::{double, on_double};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_serves_a_log_in_eventstoredb_and_is_not_ready_without_it() {
    let store = on_double(Backend::Postgres).await;
    let Store::Postgres(database) = &*store.replica else { panic!("that is what was asked for") };
    let config = Config {
        database_url: DatabaseUrl::new(database.to_url_lossy().as_str()).unwrap(),
        event_store_url: Some(EventStoreUrl::new(&store.url).unwrap()),
        event_store_stream: store.stream.clone(),
        ..Config::default()
    };
    let served = Served::with(config.clone(), &[Role::Api, Role::Projections]).await;
    let world = World::new(served.app.commands.clone()).await;
    for n in 0..5 {
        world.pooled_clue(&format!("1380013800{n}")).await;
    }
    served.caught_up().await;
    served.until_ready(true).await;
    let clues = store.replica.count("SELECT count(*) FROM clue_list").await.unwrap();
    assert_eq!(clues, 5);
    double(&store).take_down(0);
    served.until_ready(false).await;
    double(&store).bring_up(0);
    served.until_ready(true).await;
    world.pooled_clue("13900139000").await;
    let report = verify(&served.app.log, &mut |_, _| {}).await.unwrap();
    assert_eq!(report.faults, []);
    assert_eq!(report.events, i64::try_from(double(&store).written(&store.stream).len()).unwrap());
    served.end().await;
    let alone = Config { event_store_url: None, ..config.clone() };
    assert!(matches!(app_error(&alone).await, AppError::Replica(stream) if stream == store.stream));
    let elsewhere = Config { event_store_stream: "another".to_owned(), ..config };
    assert!(matches!(app_error(&elsewhere).await, AppError::EventStore(_)));
}
