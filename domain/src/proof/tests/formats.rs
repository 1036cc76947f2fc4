//! Leaves, paths, keys, notes and checkpoints, byte for byte.

use std::fmt::Write as _;

use ed25519_dalek::SigningKey;
use serde_json::json;

use super::super::{
    Checkpoint, CheckpointError, Hash, KeyError, NoteError, NoteSigner, StoredEvent, Tile, VerifierKey,
};
use super::root;
use crate::envelope::{Position, Revision};
use crate::values::Instant;

/// Leaves of version 1. The file is never edited: another encoding is another version.
const GOLDEN: &str = include_str!("leaf.v1.json");

fn event(position: i64) -> StoredEvent {
    StoredEvent {
        position: Position::new(position),
        aggregate_type: "clue".into(),
        aggregate_id: "019cafe0-dea2-7615-87fa-355301663174".into(),
        sequence: Revision::new(3),
        event_type: "clue.pooled".into(),
        event_version: "1".into(),
        recorded_at: Instant::from_micros(1_777_636_800_000_000),
        payload: r#"{"pooled": {}}"#.into(),
        metadata: r#"{"event_id":"019cafe0-dea2-7615-87fa-355301663175"}"#.into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn leaves_are_those_of_the_golden_vectors() {
    let mut empty = event(1);
    (empty.payload, empty.metadata, empty.aggregate_id) = ("".into(), "".into(), "".into());
    let mut text = event(i64::MAX);
    (text.payload, text.recorded_at) = ("{\"won\":\"李伟 \\n\"}".into(), Instant::from_micros(-1));
    let vectors: Vec<_> = [event(42), empty, text]
        .iter()
        .map(|event| json!({ "encoding": hex(&event.encoding()), "leaf": hex(event.leaf().bytes()) }))
        .collect();
    let golden: Vec<serde_json::Value> = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(vectors, golden, "{}", serde_json::to_string_pretty(&vectors).unwrap());
}

#[test]
fn a_leaf_is_the_hash_of_its_encoding_and_covers_every_part() {
    let good = event(7);
    let whole = Hash::leaf(|sink| sink(&good.encoding()));
    assert_eq!(good.leaf(), whole);
    let mut others = vec![event(8); 1];
    for change in [
        |e: &mut StoredEvent| e.aggregate_type = "team".into(),
        |e: &mut StoredEvent| e.aggregate_id = "x".into(),
        |e: &mut StoredEvent| e.sequence = Revision::new(4),
        |e: &mut StoredEvent| e.event_type = "clue.won".into(),
        |e: &mut StoredEvent| e.event_version = "2".into(),
        |e: &mut StoredEvent| e.recorded_at = Instant::from_micros(1),
        |e: &mut StoredEvent| e.payload = r#"{"pooled":{}}"#.into(),
        |e: &mut StoredEvent| e.metadata = "{}".into(),
        // What moves from one text to the next is still another event.
        |e: &mut StoredEvent| {
            (e.aggregate_type, e.aggregate_id) = ("clue0".into(), e.aggregate_id[1..].into())
        },
    ] {
        let mut other = good.clone();
        change(&mut other);
        others.push(other);
    }
    for other in others {
        assert_ne!(other.leaf(), whole, "{other:?}");
    }
    assert_eq!(event(8).leaf_at(Position::new(7)), whole);
}

/// The example of the note package of Go's checksum database.
#[test]
fn a_note_of_another_program_is_read() {
    let key: VerifierKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let note = format!(
        "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    );
    assert_eq!(key.open(&note), Ok(text));
    assert_eq!(key.open(&note.replace("answer", "Answer")), Err(NoteError::Signature));
}

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::new("example.com/log", SigningKey::from_bytes(&[seed; 32])).unwrap()
}

#[test]
fn a_verifier_key_is_read_as_it_was_printed_and_a_mistyped_one_is_refused() {
    let key = signer(1).verifier().to_string();
    assert_eq!(key.parse::<VerifierKey>().as_ref(), Ok(signer(1).verifier()));
    assert_eq!(key.replace("example", "exampel").parse::<VerifierKey>(), Err(KeyError::Id));
    for bad in ["", "a", "a+b", "a+00000000+AAAA", "a+00000000+!"] {
        assert_eq!(bad.parse::<VerifierKey>(), Err(KeyError::Form), "{bad}");
    }
    for bad in ["", "two words", "a+b", "line\n"] {
        let refused = NoteSigner::new(bad, SigningKey::from_bytes(&[1; 32])).map(|_| ());
        assert_eq!(refused, Err(KeyError::Name), "{bad:?}");
    }
}

#[test]
fn a_checkpoint_is_read_as_it_was_signed_and_nothing_else_is() {
    let (signer, size, root) = (signer(1), 20_852_163, root(&[]));
    let note = Checkpoint::sign(size, root, &signer);
    assert!(
        note.starts_with(
            "example.com/log\n20852163\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} "
        )
    );
    let key = signer.verifier();
    let read = Checkpoint::open(&note, key).unwrap();
    assert_eq!((read.size, read.root), (size, root));
    // A witness adds its line; ours still counts.
    let witness = NoteSigner::new("witness", SigningKey::from_bytes(&[9; 32])).unwrap();
    let line = witness.sign(&read.text());
    let line = line.rsplit_once("\n\n").unwrap().1;
    assert_eq!(Checkpoint::open(&format!("{note}{line}"), key).unwrap(), read);
    let forged = Checkpoint::sign(size, root, &self::signer(2));
    assert_eq!(Checkpoint::open(&forged, key), Err(NoteError::Unsigned.into()));
    let altered = note.replace("20852163", "20852164");
    assert_eq!(Checkpoint::open(&altered, key), Err(NoteError::Signature.into()));
    for bad in
        ["", "\n", "\n\n", &note[..note.len() - 1], "a\n\nb\n", "a\n\n\u{2014} b\n", "a\n\n\u{2014} b c\n"]
    {
        assert!(matches!(Checkpoint::open(bad, key), Err(CheckpointError::Note(NoteError::Form))), "{bad:?}");
    }
    for text in
        ["example.com/log\n1\n", "example.com/log\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"]
    {
        assert_eq!(Checkpoint::open(&signer.sign(text), key), Err(CheckpointError::Form));
    }
    let other = signer.sign(&read.text().replace("example.com/log", "example.com/other"));
    assert!(matches!(Checkpoint::open(&other, key), Err(CheckpointError::Origin(_))));
}

#[test]
fn tiles_have_the_paths_of_the_specification() {
    let path = |level, index, width| Tile { level, index, width }.path();
    assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(1, 0, 17), "tile/1/000.p/17");
    assert_eq!(Tile { level: 0, index: 273, width: 112 }.partials(), "tile/0/273.p");
    // The example of 70,000 entries.
    let of = |level, index| Tile::of(level, index, 70_000).map(|tile| tile.width);
    assert_eq!([of(0, 272), of(0, 273), of(0, 274)], [Some(256), Some(112), None]);
    assert_eq!([of(1, 0), of(1, 1), of(2, 0), of(3, 0)], [Some(256), Some(17), Some(1), None]);
    for bad in [
        "tile/0/1",
        "tile/0/0001",
        "tile/00/001",
        "tile/64/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x000/001",
        "tile/0/../secret",
        "tile/entries/001",
        "checkpoint",
    ] {
        assert!(bad.parse::<Tile>().is_err(), "{bad}");
    }
}
