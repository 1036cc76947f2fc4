//! The command line by itself, audits of files without a server, parked events.

mod offline;

use std::sync::Arc;

use clap::CommandFactory;
use commands::clock::{Clock, SystemClock};
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::app::{App, Location};
use crate::config::DatabaseUrl;
use crate::keys::Keys;

#[test]
fn the_command_line_is_well_formed_and_takes_no_secret() {
    let command = Cli::command();
    command.clone().debug_assert();
    let names = command.get_arguments().filter_map(|argument| argument.get_long());
    let secret = |name: &str| ["password", "secret", "pepper", "master"].iter().any(|s| name.contains(s));
    assert!(!names.into_iter().any(secret));
}

#[tokio::test]
async fn what_is_parked_is_listed_and_folded_again_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let database_url = DatabaseUrl::new(&format!("sqlite://{}", file("cluestream.db").display())).unwrap();
    let config = Config { database_url, ..Config::default() };
    crate::app::migrate(&Location::of(&config.database_url).unwrap()).await.unwrap();
    let app = App::open(&config, &Keys::generate().unwrap(), Arc::new(SystemClock)).await.unwrap();
    let line =
        commands::line_file::parse(include_str!("../../../../docs/lines/used-car-sales.toml")).unwrap();
    crate::demo::hire(&app.commands, &[line], SystemClock.now()).await.unwrap();
    app.projections.catch_up().await.unwrap();
    assert_eq!(parked::list(&app.projections, None).await.unwrap().len(), 1);

    // Whoever works here changes no list of clues: folding these events again changes nothing.
    let views = SqliteConnectOptions::new().filename(file("cluestream-views.db"));
    let mut views = views.connect().await.unwrap();
    for (position, key) in [(2, "one"), (3, "other"), (4, "one")] {
        sqlx::query("INSERT INTO parked_events VALUES ('clue_pool', ?, ?, 'bad\x1b[2J', 1, 0)")
            .bind(position)
            .bind(key)
            .execute(&mut views)
            .await
            .unwrap();
    }
    let lines = parked::list(&app.projections, Some("clue_pool")).await.unwrap();
    assert_eq!(lines.len(), 4);
    assert!(lines[1].starts_with("clue_pool\t2\tone\t1\t"), "{lines:?}");
    assert!(lines[1].ends_with("bad\\u{1b}[2J"), "no reason reaches the terminal as it is: {lines:?}");
    assert_eq!(parked::list(&app.projections, Some("customer")).await.unwrap().len(), 1);

    let told = parked::retry(&app.projections, None).await.unwrap();
    assert_eq!(told, ["clue_pool\tone\t0 left", "clue_pool\tother\t0 left"]);
    assert_eq!(parked::list(&app.projections, None).await.unwrap().len(), 1);
    app.close().await;
}
