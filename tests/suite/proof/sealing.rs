//! Signing: what is signed, what is refused, and that a kill at any moment does no harm.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use commands::proof::{
    Directory, Lock, Place, PlaceError, ProveError, Prover, SealError, Sealed, Sealer, audit, live_pages,
};
use domain::Position;
use domain::proof::{Checkpoint, verify_consistency, verify_inclusion};
use tests::stores::{Backend, Store};

use super::Signed;

on_every_backend! {
    what_is_appended_is_signed_and_nothing_is_signed_twice,
    what_is_signed_before_the_first_page_is_read_is_not_missing,
    a_log_that_lost_events_is_not_signed_any_more,
    a_log_whose_signed_events_were_changed_is_not_signed_any_more,
    a_hole_is_not_signed,
}

async fn what_is_appended_is_signed_and_nothing_is_signed_twice(store: Store) {
    let mut signed = Signed::new(store).await;
    let mut sealer = signed.sealer();
    assert_eq!(sealer.seal().await.unwrap(), Sealed::Already(0));
    signed.append(300).await;
    let Sealed::Signed(first) = sealer.seal().await.unwrap() else { panic!("there is something to sign") };
    assert_eq!(sealer.seal().await.unwrap(), Sealed::Already(300));
    signed.append(7).await;
    let Sealed::Signed(second) = sealer.seal_all().await.unwrap() else { panic!("there is more to sign") };
    assert_eq!((first.size, second.size), (300, 307));
    let report = signed.audit().await;
    assert_eq!((report.faults.len(), report.checkpoints, report.equal, report.beyond), (0, 2, 307, 0));
    signed.append(5).await;
    assert_eq!(signed.audit().await.beyond, 5, "what is not signed yet is said to be so");
    let newest = std::fs::read_to_string(signed.path().join("checkpoint")).unwrap();
    assert_eq!(Checkpoint::open(&newest, signed.signer.verifier()).unwrap(), second);
    // The partial tile of 300 stays as long as its full one is not there.
    assert!(signed.path().join("tile/0/001.p/44").exists());
    signed.append(300).await;
    sealer.seal().await.unwrap();
    assert!(!signed.path().join("tile/0/001.p").exists() && signed.path().join("tile/0/001").exists());
}

async fn what_is_signed_before_the_first_page_is_read_is_not_missing(store: Store) {
    let mut signed = Signed::with(store, &[20]).await;
    let pages = live_pages(signed.log.clone());
    signed.append(30).await;
    signed.sealer().seal().await.unwrap();
    let report = audit(&*signed.place(), signed.signer.verifier(), pages, &mut |_, _| {}).await.unwrap();
    assert_eq!((report.faults, report.equal), (vec![], 50));
}

async fn a_log_that_lost_events_is_not_signed_any_more(store: Store) {
    let signed = Signed::with(store, &[20]).await;
    signed.tamper(&["DELETE FROM events WHERE position > 15"]).await;
    let refused = signed.sealer().seal().await.unwrap_err();
    assert!(matches!(refused, SealError::Changed { position } if position == Position::new(16)), "{refused}");
}

async fn a_log_whose_signed_events_were_changed_is_not_signed_any_more(store: Store) {
    let mut signed = Signed::with(store, &[20]).await;
    let mut running = signed.sealer();
    running.seal().await.unwrap();
    signed.append(5).await;
    signed.tamper(&["UPDATE events SET payload = '{\"pooled\":{}}' WHERE position = 20"]).await;
    for mut sealer in [running, signed.sealer()] {
        let refused = sealer.seal().await.unwrap_err();
        assert!(matches!(refused, SealError::Changed { position } if position == Position::new(20)));
    }
    assert_eq!(std::fs::read_dir(signed.path().join("checkpoints/00000000000000")).unwrap().count(), 1);
}

async fn a_hole_is_not_signed(store: Store) {
    let mut signed = Signed::with(store, &[20]).await;
    signed.append(10).await;
    signed.tamper(&["DELETE FROM events WHERE position = 25"]).await;
    let refused = signed.sealer().seal().await.unwrap_err();
    assert!(matches!(refused, SealError::Log(_)), "{refused}");
    assert!(signed.faults().await.is_empty(), "what was signed is still good");
}

#[tokio::test]
async fn a_restored_older_backup_is_refused_with_the_reason() {
    let mut signed = Signed::new(Store::fresh(Backend::Sqlite).await).await;
    signed.append(10).await;
    let later = Signed::with(Store::fresh(Backend::Sqlite).await, &[20]).await;
    let mut sealer = Sealer::new(signed.log.clone(), later.place(), later.signer.clone());
    let refused = sealer.seal().await.unwrap_err();
    assert!(matches!(refused, SealError::Shorter { signed: 20, .. }), "{refused}");
    // It goes on with other events: now it is as long, and another log.
    signed.append(15).await;
    assert!(matches!(sealer.seal().await.unwrap_err(), SealError::Changed { .. }));
}

/// A place at which only so many things are done before the process is killed; of the last write, half.
struct Killed {
    place: Directory,
    left: AtomicI64,
}

impl Killed {
    fn step(&self) -> Result<(), PlaceError> {
        let killed = || PlaceError::Unavailable { name: "here".into(), reason: "killed".into() };
        if self.left.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(killed()) }
    }
}

#[async_trait]
impl Place for Killed {
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, PlaceError> {
        self.place.read(name).await
    }

    async fn put(&self, mut files: Vec<(String, Vec<u8>)>) -> Result<(), PlaceError> {
        if let Err(killed) = self.step() {
            files.truncate(files.len() / 2);
            self.place.put(files).await?;
            return Err(killed);
        }
        self.place.put(files).await
    }

    async fn add(&self, name: &str, content: Vec<u8>) -> Result<(), PlaceError> {
        self.step()?;
        self.place.add(name, content).await
    }

    async fn names(&self, folder: &str) -> Result<Vec<String>, PlaceError> {
        self.place.names(folder).await
    }

    async fn remove(&self, folder: &str) -> Result<(), PlaceError> {
        self.step()?;
        self.place.remove(folder).await
    }

    async fn lock(&self) -> Result<Option<Box<dyn Lock>>, PlaceError> {
        self.place.lock().await
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_a_place_from_which_signing_goes_on() {
    let mut signed = Signed::new(Store::fresh(Backend::Sqlite).await).await;
    let mut outcomes = BTreeSet::new();
    for steps in 0..12 {
        signed.append(130).await;
        let place = Killed { place: Directory::new(signed.path()), left: AtomicI64::new(steps % 6) };
        let mut killed = Sealer::new(signed.log.clone(), Arc::new(place), signed.signer.clone());
        outcomes.insert(killed.seal().await.is_ok());
        signed.append(3).await;
        let whole = signed.sealer().seal().await.unwrap();
        assert!(matches!(whole, Sealed::Signed(_)), "{whole:?}");
        let report = signed.audit().await;
        assert_eq!((report.faults, report.beyond), (vec![], 0), "killed after {steps} steps");
    }
    assert_eq!(outcomes.len(), 2, "some kills come before the signature, and some behind it");
}

#[tokio::test]
async fn signing_goes_on_from_the_last_tiles_without_the_ones_before() {
    let mut signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[600]).await;
    std::fs::remove_file(signed.path().join("tile/0/000")).unwrap();
    signed.tamper(&["DELETE FROM events WHERE position < 500"]).await;
    signed.append(10).await;
    assert!(matches!(signed.sealer().seal().await.unwrap(), Sealed::Signed(_)));
}

#[tokio::test]
async fn a_damaged_last_tile_or_checkpoint_is_not_built_upon() {
    for name in ["tile/0/000.p/20", "checkpoint", "checkpoints/00000000000000/00000000000000000020"] {
        let mut signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[20]).await;
        signed.append(5).await;
        let mut content = std::fs::read(signed.path().join(name)).unwrap();
        content[25] ^= 1;
        std::fs::write(signed.path().join(name), content).unwrap();
        let refused = signed.sealer().seal().await.unwrap_err();
        assert!(matches!(refused, SealError::Damaged(_)), "{name}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_place_take_turns_and_sign_one_history() {
    let mut signed = Signed::new(Store::fresh(Backend::Sqlite).await).await;
    let mut sealers: Vec<Sealer> = (0..3).map(|_| signed.sealer()).collect();
    for _ in 0..10 {
        signed.append(30).await;
        let tries = sealers.iter_mut().map(Sealer::seal);
        for sealed in futures::future::join_all(tries).await {
            sealed.unwrap();
        }
    }
    signed.sealer().seal().await.unwrap();
    let report = signed.audit().await;
    assert_eq!((report.faults, report.equal), (vec![], 300));
    let lock = signed.place().lock().await.unwrap().unwrap();
    signed.append(1).await;
    assert_eq!(sealers[0].seal().await.unwrap(), Sealed::Busy);
    drop(lock);
    assert!(matches!(sealers[0].seal().await.unwrap(), Sealed::Signed(_)));
}

#[tokio::test]
async fn proofs_verify_against_what_was_signed_and_against_nothing_else() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[5, 300, 777]).await;
    let prover = Prover::new(signed.place(), signed.signer.verifier().clone());
    let events = signed.log.read_stored(Position::ZERO, 1_000).await.unwrap();
    for size in [5_u64, 256, 300, 600, 777] {
        for position in [1, 2, 5, 200, 256, 257, 300, 600, 777] {
            let asked = prover.inclusion(Position::new(position), Some(size)).await;
            if position.unsigned_abs() > size {
                assert!(matches!(asked, Err(ProveError::Sizes)), "{position} in {size}");
                continue;
            }
            let (proof, index) = (asked.unwrap(), position.unsigned_abs() - 1);
            let event = &events[usize::try_from(index).unwrap()];
            verify_inclusion(event.leaf(), index, size, &proof.path, proof.root).unwrap();
            assert_eq!(proof.checkpoint.is_some(), [5, 300, 777].contains(&size));
        }
        let proof = prover.consistency(5, Some(size)).await.unwrap();
        verify_consistency(5, proof.from_root, size, proof.to_root, &proof.path).unwrap();
    }
    let newest = prover.newest().await.unwrap();
    let proof = prover.inclusion(Position::new(1), None).await.unwrap();
    assert_eq!((proof.size, proof.root, proof.checkpoint), (777, newest.checkpoint.root, Some(newest.note)));
    for refused in [
        prover.inclusion(Position::new(778), None).await.map(|_| ()),
        prover.consistency(5, Some(778)).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(ProveError::NotYet { asked: 778, signed: 777 })));
    }
    assert!(matches!(prover.consistency(6, Some(5)).await, Err(ProveError::Sizes)));
    assert!(matches!(prover.inclusion(Position::ZERO, None).await, Err(ProveError::Sizes)));
    let tile = signed.path().join("tile/0/001");
    let mut content = std::fs::read(&tile).unwrap();
    content[0] ^= 1;
    std::fs::write(&tile, content).unwrap();
    let damaged = prover.inclusion(Position::new(257), None).await;
    assert!(matches!(damaged, Err(ProveError::Damaged(_))), "a wrong proof is not given");
}

#[tokio::test]
async fn a_copy_of_the_newest_checkpoint_that_a_kill_prevented_is_written_when_nothing_is_new_either() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[5, 300]).await;
    let copy = signed.path().join("checkpoint");
    let newest = std::fs::read(&copy).unwrap();
    let earlier =
        std::fs::read(signed.path().join("checkpoints/00000000000000/00000000000000000005")).unwrap();
    for behind in [Some(earlier), None] {
        match behind {
            Some(earlier) => std::fs::write(&copy, earlier).unwrap(),
            None => std::fs::remove_file(&copy).unwrap(),
        }
        assert_eq!(signed.sealer().seal().await.unwrap(), Sealed::Already(300));
        assert_eq!(std::fs::read(&copy).unwrap(), newest);
    }
}

#[tokio::test]
async fn a_tile_that_no_checkpoint_covers_is_not_given() {
    let mut signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[250]).await;
    signed.append(50).await;
    let earlier = std::fs::read(signed.path().join("checkpoint")).unwrap();
    signed.sealer().seal().await.unwrap();
    std::fs::write(signed.path().join("checkpoint"), earlier).unwrap();
    let prover = Prover::new(signed.place(), signed.signer.verifier().clone());
    let tile = |path: &str| prover.tile(path.parse().unwrap());
    assert_eq!(tile("tile/0/000").await.unwrap(), None);
    std::fs::remove_file(signed.path().join("checkpoint")).unwrap();
    assert!(tile("tile/0/000").await.unwrap().is_some());
}

#[tokio::test]
async fn a_checkpoint_of_another_history_is_not_given_with_a_proof() {
    let signed = Signed::with(Store::fresh(Backend::Sqlite).await, &[5, 300]).await;
    let forged = Checkpoint::sign(5, domain::proof::Hash::of_nothing(), &signed.signer);
    let file = signed.path().join("checkpoints/00000000000000/00000000000000000005");
    std::fs::write(file, forged).unwrap();
    let prover = Prover::new(signed.place(), signed.signer.verifier().clone());
    let asked = prover.inclusion(Position::new(2), Some(5)).await;
    assert!(matches!(asked, Err(ProveError::Damaged(_))), "{asked:?}");
    assert!(prover.inclusion(Position::new(2), None).await.is_ok());
}

#[tokio::test]
async fn a_log_that_was_never_signed_has_no_proofs() {
    let signed = Signed::new(Store::fresh(Backend::Sqlite).await).await;
    let prover = Prover::new(signed.place(), signed.signer.verifier().clone());
    assert!(matches!(prover.newest().await, Err(ProveError::NothingSigned)));
}
