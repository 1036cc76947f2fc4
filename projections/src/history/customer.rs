//! What the events of a customer say, value by value. As with clues, no event is left out by a wildcard.

use domain::customer::{CustomerEvent, StarBasis};
use domain::values::Instant;

use super::value::{Stated, Stating, ValueKind};

/// Values of these names end with an erasure: a customer who was erased has none of them.
pub(super) const END_WITH_ERASURE: [&str; 3] = ["consents.", "links.", "stars."];

fn parts<const N: usize>(of: &str, values: [(&str, Option<Stated>); N]) -> Stating {
    values.into_iter().map(|(part, value)| (format!("{of}.{part}"), value)).collect()
}

fn one(field: impl ToString, value: Option<Stated>) -> Stating {
    vec![(field.to_string(), value)]
}

/// What an event of a customer states, when it occurred at an instant.
pub(super) fn customer_states(fact: &CustomerEvent, at: Instant) -> Stating {
    match fact {
        CustomerEvent::Registered { line, source, name } => vec![
            ("line".to_owned(), Some(Stated::word(line))),
            ("sourceChannel".to_owned(), Some(Stated::word(&source.channel))),
            ("sourceKey".to_owned(), source.key.as_ref().map(Stated::word)),
            ("campaign".to_owned(), source.campaign.as_ref().map(Stated::word)),
            ("registeredAt".to_owned(), Some(Stated::Instant(at))),
            ("doNotCall".to_owned(), Some(Stated::Flag(false))),
            ("name".to_owned(), name.as_ref().map(|name| Stated::personal(ValueKind::Name, name))),
        ],
        CustomerEvent::Renamed { name } => one("name", Some(Stated::personal(ValueKind::Name, name))),
        CustomerEvent::ContactPointAdded { contact_point_id, kind, value } => parts(
            &format!("contacts.{contact_point_id}"),
            [
                ("kind", Some(Stated::word(kind.as_str()))),
                ("value", Some(Stated::personal((*kind).into(), value))),
                ("verified", Some(Stated::Flag(false))),
                ("addedAt", Some(Stated::Instant(at))),
            ],
        ),
        CustomerEvent::ContactPointVerified { contact_point_id } => {
            one(format!("contacts.{contact_point_id}.verified"), Some(Stated::Flag(true)))
        }
        CustomerEvent::ContactPointRemoved { contact_point_id } => parts(
            &format!("contacts.{contact_point_id}"),
            [("kind", None), ("value", None), ("verified", None), ("addedAt", None)],
        ),
        CustomerEvent::Linked { other } => one(format!("links.{other}"), Some(Stated::Instant(at))),
        CustomerEvent::Unlinked { other } => one(format!("links.{other}"), None),
        CustomerEvent::StarGranted { line, tier, basis, expires_at } => parts(
            &format!("stars.{line}"),
            [
                ("tier", Some(Stated::number(u8::from(*tier)))),
                ("basis", Some(Stated::word(basis_word(*basis)))),
                ("grantedAt", Some(Stated::Instant(at))),
                ("expiresAt", expires_at.map(Stated::Instant)),
            ],
        ),
        CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line } => parts(
            &format!("stars.{line}"),
            [("tier", None), ("basis", None), ("grantedAt", None), ("expiresAt", None)],
        ),
        CustomerEvent::ConsentGiven { purpose } => {
            one(format!("consents.{purpose}"), Some(Stated::Instant(at)))
        }
        CustomerEvent::ConsentWithdrawn { purpose } => one(format!("consents.{purpose}"), None),
        CustomerEvent::DoNotCallSet { do_not_call } => one("doNotCall", Some(Stated::Flag(*do_not_call))),
        CustomerEvent::Erased { ground } => vec![
            ("erasedAt".to_owned(), Some(Stated::Instant(at))),
            ("erasureGround".to_owned(), Some(Stated::word(ground))),
        ],
    }
}

const fn basis_word(basis: StarBasis) -> &'static str {
    match basis {
        StarBasis::Person => "person",
        StarBasis::Score => "score",
    }
}

/// What a star rests on, by its word.
pub(super) fn basis(word: &str) -> Option<StarBasis> {
    [StarBasis::Person, StarBasis::Score].into_iter().find(|basis| basis_word(*basis) == word)
}
