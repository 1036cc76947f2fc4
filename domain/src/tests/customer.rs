//! Customers.

use proptest::prelude::*;

use super::{Walk, each_event_says_something, reaches_every_event};
use crate::clue::{CustomerStanding, Source};
use crate::customer::{Customer, CustomerCommand as Command, CustomerEvent as Event, StarBasis, StarTier};
use crate::personal::Personal;
use crate::testing::{at, id, read};
use crate::values::{Code, Contact, ContactKind, LineKey};

fn name() -> impl Strategy<Value = Personal<String>> {
    prop_oneof![Just(""), Just("王芳"), Just("李伟")].prop_map(|name| Personal::Clear(name.to_owned()))
}

fn line() -> impl Strategy<Value = LineKey> {
    prop_oneof![Just("used-car-sales"), Just("after-sale")].prop_map(read)
}

fn purpose() -> impl Strategy<Value = Code> {
    prop_oneof![Just("marketing"), Just("research")].prop_map(read)
}

fn standing() -> impl Strategy<Value = CustomerStanding> {
    prop_oneof![
        4 => Just(CustomerStanding::Registered),
        1 => Just(CustomerStanding::Unknown),
        1 => Just(CustomerStanding::Erased),
    ]
}

fn contact() -> Contact {
    Contact::parse(ContactKind::Wechat, "wei_88", read("CN")).unwrap()
}

fn stars() -> impl Strategy<Value = Command> {
    let tier = (1..=5_u8).prop_map(|stars| StarTier::try_from(stars).unwrap());
    let basis = prop_oneof![Just(StarBasis::Person), Just(StarBasis::Score)];
    let ends = prop::option::of(-5..20_i64);
    prop_oneof![
        (line(), tier, basis, ends, 0..10_i64).prop_map(|(line, tier, basis, ends, now)| {
            Command::GrantStar { line, tier, basis, expires_at: ends.map(at), now: at(now) }
        }),
        (line(), 0..30_i64).prop_map(|(line, now)| Command::ExpireStar { line, now: at(now) }),
        line().prop_map(|line| Command::RevokeStar { line }),
    ]
}

fn contacts() -> impl Strategy<Value = Command> {
    prop_oneof![
        (0..4_u128, prop::option::of(0..4_u128)).prop_map(|(point, existing)| Command::AddContactPoint {
            contact_point_id: id(point),
            contact: contact(),
            existing: existing.map(id)
        }),
        (0..4_u128).prop_map(|point| Command::VerifyContactPoint { contact_point_id: id(point) }),
        (0..4_u128).prop_map(|point| Command::RemoveContactPoint { contact_point_id: id(point) }),
    ]
}

fn register() -> impl Strategy<Value = Command> {
    (line(), prop::option::of(name())).prop_map(|(line, name)| Command::Register {
        line,
        source: Source { channel: read("website"), key: None, campaign: None },
        name,
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => register(),
        2 => name().prop_map(|name| Command::Rename { name }),
        6 => contacts(),
        4 => stars(),
        2 => (1..4_u128, standing()).prop_map(|(other, other_standing)| {
            Command::Link { own: id(1), other: id(other), other_standing }
        }),
        1 => (1..4_u128).prop_map(|other| Command::Unlink { other: id(other) }),
        1 => purpose().prop_map(|purpose| Command::GiveConsent { purpose }),
        1 => purpose().prop_map(|purpose| Command::WithdrawConsent { purpose }),
        1 => any::<bool>().prop_map(|do_not_call| Command::SetDoNotCall { do_not_call }),
    ]
}

/// Erasure ends everything, so it comes in the last fifth when it comes.
fn commands() -> impl Strategy<Value = Vec<Command>> {
    let erase = Just(Command::Erase { ground: read("customer-asked") });
    let tail = prop_oneof![9 => command(), 1 => erase];
    (prop::collection::vec(command(), 1..40), prop::collection::vec(tail, 0..10))
        .prop_map(|(head, tail)| [head, tail].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_customer_is_registered_first_and_erased_last(commands in commands()) {
        let walk = Walk::<Customer>::take(&commands, |history, step| {
            each_event_says_something(&step, &["customer.renamed"]);
            assert_eq!(step.events.len(), 1, "one command, one fact");
            assert_eq!(history.is_empty(), matches!(step.events, [Event::Registered { .. }]));
            assert_ne!(step.before.standing(), CustomerStanding::Erased);
            let erases = matches!(step.events, [Event::Erased { .. }]);
            assert_eq!(step.after.standing() == CustomerStanding::Erased, erases);
        });
        prop_assert!(!walk.state.links().contains(&id(1)), "no customer is linked to itself");
        if walk.state.standing() != CustomerStanding::Registered {
            prop_assert!(walk.state.contact_points().is_empty() && walk.state.links().is_empty());
        }
    }

    #[test]
    fn a_contact_point_in_use_is_added_once(commands in commands()) {
        Walk::<Customer>::take(&commands, |_, step| match step.events {
            [Event::ContactPointAdded { contact_point_id, .. }] => {
                assert!(!step.before.contact_points().contains_key(contact_point_id));
                assert!(!step.after.contact_points()[contact_point_id].verified);
            }
            [Event::ContactPointVerified { contact_point_id }] => {
                assert!(!step.before.contact_points()[contact_point_id].verified);
                assert!(step.after.contact_points()[contact_point_id].verified);
            }
            [Event::ContactPointRemoved { contact_point_id }] => {
                assert!(!step.after.contact_points().contains_key(contact_point_id));
            }
            [Event::Erased { .. }] => {}
            _ => assert_eq!(step.before.contact_points(), step.after.contact_points()),
        });
    }
}

#[test]
fn these_commands_lead_to_every_event() {
    reaches_every_event::<Customer>(&commands());
}
