//! Seals open only where they were made, under the key they were made with.

use domain::StreamId;
use domain::ids::{EventId, SubjectId};
use domain::ports::{BlindIndex, KeyRing, SealContext, UnsealError};
use domain::values::ContactKind;
use serde_json::json;
use uuid::Uuid;

use super::keys::{DataKey, KeyMaterial, MasterKey, Pepper};
use super::seal::{Ring, seal};
use super::{PepperedIndex, WrappedKey};

fn subject(number: u128) -> SubjectId {
    SubjectId::new(Uuid::from_u128(number))
}

#[test]
fn a_sealed_value_opens_where_it_was_sealed_and_nowhere_else() {
    let (key, _) = DataKey::generate();
    let (stream, other_stream) = (StreamId::stored("customer", "1"), StreamId::stored("customer", "2"));
    let place = SealContext {
        subject: subject(1),
        stream: &stream,
        event_id: EventId::new(Uuid::from_u128(9)),
        path: "/registered/name",
    };
    let sealed = seal(&key, &place, "\"李伟\"").unwrap().0;
    assert!(!sealed.contains('李'));
    let ring = Ring::new(vec![(subject(1), key)]);
    assert_eq!(ring.open(&place, &sealed), Ok(Some(json!("李伟"))));
    for moved in [
        SealContext { stream: &other_stream, ..place },
        SealContext { event_id: EventId::new(Uuid::from_u128(8)), ..place },
        SealContext { path: "/renamed/name", ..place },
    ] {
        assert_eq!(ring.open(&moved, &sealed), Err(UnsealError::Tampered { path: moved.path.to_owned() }));
    }
    assert_eq!(Ring::new(vec![]).open(&place, &sealed), Ok(None), "no key, nothing to read");
}

#[test]
fn a_data_key_unwraps_only_for_its_subject_and_under_its_master_key() {
    let master = MasterKey::new(3, &[7; 32]);
    let (_, bytes) = DataKey::generate();
    let wrapped = master.wrap(subject(1), &bytes).unwrap();
    let pepper = Pepper { version: 1, secret: [1; 32] };
    let material = KeyMaterial { master: vec![master], pepper: pepper.clone() };
    let stored = WrappedKey { subject: subject(1), wrapped, master_version: 3 };
    assert!(material.unwrap(&stored).is_ok());
    assert!(material.unwrap(&WrappedKey { subject: subject(2), ..stored.clone() }).is_err());
    let other = KeyMaterial { master: vec![MasterKey::new(3, &[8; 32])], pepper };
    assert!(other.unwrap(&stored).is_err());
}

#[test]
fn equal_contacts_hash_alike_and_the_pepper_matters() {
    let index = PepperedIndex::new(&Pepper { version: 1, secret: [1; 32] });
    let other = PepperedIndex::new(&Pepper { version: 1, secret: [2; 32] });
    let hash = |index: &PepperedIndex| index.contact(ContactKind::Phone, "+8613800138000");
    assert_eq!(hash(&index), hash(&index));
    assert_ne!(hash(&index), hash(&other));
    assert_ne!(index.contact(ContactKind::Wechat, "+8613800138000"), hash(&index));
    assert_ne!(index.suffix("8000"), index.suffix("08000"));
}
