//! Backup while the log is in use, restore onto either database, keys apart.

use std::path::Path;

use commands::backup::{BackupError, backup, restore};
use commands::use_cases::clue::ClaimClue;
use commands::vault::Vault;
use domain::customer::CustomerEvent;
use domain::envelope::Position;
use domain::operator::Role;
use domain::personal::Personal;
use domain::ports::{EventReader, Unsealer};
use domain::{Event, RecordedEvent};
use tests::clock::ManualClock;
use tests::given::World;
use tests::stores::{Backend, Store, key_material};

on_every_backend! {
    a_restored_log_is_the_same_on_either_database_and_goes_on,
    a_damaged_backup_changes_nothing,
    a_log_that_holds_events_is_not_overwritten,
}

async fn save(store: &Store, folder: &Path) -> Result<(), BackupError> {
    backup(&place(store).as_place(), &folder.join("log.jsonl"), &folder.join("keys.jsonl")).await.map(drop)
}

async fn load(store: &Store, folder: &Path) -> Result<(), BackupError> {
    restore(&place(store).as_place(), &folder.join("log.jsonl"), &folder.join("keys.jsonl")).await.map(drop)
}

fn place(store: &Store) -> tests::stores::OwnedPlace {
    store.place()
}

async fn events(log: &dyn EventReader) -> Vec<RecordedEvent> {
    log.read(Position::ZERO, 10_000).await.unwrap()
}

async fn a_restored_log_is_the_same_on_either_database_and_goes_on(store: Store) {
    let world = World::new(store.service(ManualClock::new()).await).await;
    let (clue_id, customer_id) = world.pooled_clue("13800138000").await;
    let agent = world.hire(&[Role::Agent]).await;
    let claim = world.operator(agent);
    world.done(&claim, &ClaimClue { clue_id }).await;
    let folder = tempfile::tempdir().unwrap();
    save(&store, folder.path()).await.unwrap();
    let log_file = std::fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
    assert!(!log_file.contains("wrapped") && !log_file.contains("Li Wei"));
    let before = events(world.service.log().as_ref()).await;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let target = Store::fresh(backend).await;
        load(&target, folder.path()).await.unwrap();
        let service = target.service(ManualClock::new()).await;
        assert_eq!(events(service.log().as_ref()).await, before);
        assert!(service.execute(&claim, &ClaimClue { clue_id }).await.unwrap().repeated);
        let again = World { service, clock: world.clock.clone(), line: world.line.clone(), team: world.team };
        assert_eq!(again.pooled_clue("+86 138 0013 8000").await.1, customer_id, "contacts are still unique");
        let vault = Vault::new(again.service.log().clone(), key_material(), ManualClock::new());
        let keys = vault.keys(&[customer_id.into()]).await.unwrap();
        let named = before.iter().any(|event| {
            event.metadata.subject == Some(customer_id.into())
                && matches!(event.decode_clear(keys.as_ref()).unwrap(),
                    Event::Customer(CustomerEvent::Registered { name: Some(Personal::Clear(name)), .. })
                    if name == "Li Wei")
        });
        assert!(named, "data keys came along");
    }
}

async fn a_damaged_backup_changes_nothing(store: Store) {
    let world = World::new(store.service(ManualClock::new()).await).await;
    world.pooled_clue("13800138000").await;
    let folder = tempfile::tempdir().unwrap();
    save(&store, folder.path()).await.unwrap();
    let file = folder.path().join("log.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n");
    let changed = whole.replace("website", "walk-in");
    let newer = whole.replacen("\"format\":1", "\"format\":9", 1);
    for damaged in [cut.as_str(), changed.as_str(), newer.as_str(), "", "not a backup\n"] {
        std::fs::write(&file, damaged).unwrap();
        let target =
            Store::fresh(if matches!(store, Store::Sqlite(_)) { Backend::Sqlite } else { Backend::Postgres })
                .await;
        assert!(
            matches!(load(&target, folder.path()).await, Err(BackupError::Damaged { .. })),
            "{damaged:.40}"
        );
        assert_eq!(target.count("SELECT position FROM log_head").await.unwrap(), 0);
        assert_eq!(target.count("SELECT count(*) FROM events").await.unwrap(), 0);
    }
}

async fn a_log_that_holds_events_is_not_overwritten(store: Store) {
    let world = World::new(store.service(ManualClock::new()).await).await;
    let folder = tempfile::tempdir().unwrap();
    save(&store, folder.path()).await.unwrap();
    assert!(matches!(load(&store, folder.path()).await, Err(BackupError::NotEmpty)));
    assert!(matches!(save(&store, folder.path()).await, Err(BackupError::File { .. })), "files are kept");
    world.pooled_clue("13800138000").await;
}
