//! Given, when, then.

use super::{
    ContactPoint, Customer, CustomerCommand as Command, CustomerError as Error, CustomerEvent as Event,
    StarBasis, StarTier,
};
use crate::clue::{CustomerStanding, Source};
use crate::personal::Personal;
use crate::testing::{at, fold, given, id, read, then};
use crate::values::{Contact, ContactKind, Instant};

fn name(text: &str) -> Personal<String> {
    Personal::Clear(text.to_owned())
}

fn source() -> Source {
    Source { channel: read("website"), key: None, campaign: None }
}

fn register(name: Option<Personal<String>>) -> Command {
    Command::Register { line: read("used-car-sales"), source: source(), name }
}

fn registered() -> Vec<Event> {
    vec![Event::Registered { line: read("used-car-sales"), source: source(), name: Some(name("李伟")) }]
}

fn and(events: &[Event]) -> Vec<Event> {
    [&registered(), events].concat()
}

fn phone() -> Contact {
    Contact::parse(ContactKind::Phone, "138 0013 8000", read("CN")).unwrap()
}

fn add(point: u128, existing: Option<u128>) -> Command {
    Command::AddContactPoint { contact_point_id: id(point), contact: phone(), existing: existing.map(id) }
}

fn added(point: u128) -> Event {
    Event::ContactPointAdded {
        contact_point_id: id(point),
        kind: ContactKind::Phone,
        value: name("+8613800138000"),
    }
}

fn verify(point: u128) -> Command {
    Command::VerifyContactPoint { contact_point_id: id(point) }
}

fn remove(point: u128) -> Command {
    Command::RemoveContactPoint { contact_point_id: id(point) }
}

fn link(other: u128, other_standing: CustomerStanding) -> Command {
    Command::Link { own: id(1), other: id(other), other_standing }
}

fn tier(stars: u8) -> StarTier {
    stars.try_into().unwrap()
}

fn grant(stars: u8, expires_at: Option<Instant>) -> Command {
    Command::GrantStar {
        line: read("used-car-sales"),
        tier: tier(stars),
        basis: StarBasis::Person,
        expires_at,
        now: at(0),
    }
}

fn granted(stars: u8, expires_at: Option<Instant>) -> Event {
    Event::StarGranted {
        line: read("used-car-sales"),
        tier: tier(stars),
        basis: StarBasis::Person,
        expires_at,
    }
}

fn expire(minute: i64) -> Command {
    Command::ExpireStar { line: read("used-car-sales"), now: at(minute) }
}

fn consent(purpose: &str) -> Command {
    Command::GiveConsent { purpose: read(purpose) }
}

fn withdraw(purpose: &str) -> Command {
    Command::WithdrawConsent { purpose: read(purpose) }
}

fn erase() -> Command {
    Command::Erase { ground: read("customer-asked") }
}

/// Every command but registration.
fn later_commands() -> Vec<Command> {
    vec![
        Command::Rename { name: name("李伟") },
        add(1, None),
        verify(1),
        remove(1),
        link(2, CustomerStanding::Registered),
        Command::Unlink { other: id(2) },
        grant(3, None),
        expire(1),
        Command::RevokeStar { line: read("used-car-sales") },
        consent("marketing"),
        withdraw("marketing"),
        Command::SetDoNotCall { do_not_call: true },
        erase(),
    ]
}

#[test]
fn a_customer_is_registered_with_or_without_a_name() {
    given::<Customer>(&[]).when(register(Some(name("李伟")))).then_expect_events(registered());
    let nameless = Event::Registered { line: read("used-car-sales"), source: source(), name: None };
    given::<Customer>(&[]).when(register(None)).then_expect_events(vec![nameless]);
}

#[test]
fn a_customer_is_registered_once() {
    given::<Customer>(&registered())
        .when(register(Some(name("李伟"))))
        .then_expect_error(Error::AlreadyRegistered);
}

#[test]
fn nothing_can_be_asked_of_a_customer_who_is_not_there() {
    for command in later_commands() {
        given::<Customer>(&[]).when(command).then_expect_error(Error::NotFound);
    }
}

#[test]
fn a_name_has_1_to_200_characters() {
    for (text, refusal) in [(" \t", Error::NameEmpty), (&*"王".repeat(201), Error::NameTooLong)] {
        given::<Customer>(&[]).when(register(Some(name(text)))).then_expect_error(refusal.clone());
        let rename = Command::Rename { name: name(text) };
        given::<Customer>(&registered()).when(rename).then_expect_error(refusal);
    }
    let longest = name(&"王".repeat(200));
    given::<Customer>(&registered())
        .when(Command::Rename { name: longest.clone() })
        .then_expect_events(vec![Event::Renamed { name: longest }]);
}

#[test]
fn a_contact_point_is_added_in_its_normal_form() {
    given::<Customer>(&registered()).when(add(1, None)).then_expect_events(vec![added(1)]);
}

#[test]
fn a_contact_that_the_customer_has_already_is_not_added_again() {
    given::<Customer>(&and(&[added(1)])).when(add(2, Some(1))).then_expect_events(vec![]);
    given::<Customer>(&and(&[added(1)])).when(add(1, Some(1))).then_expect_events(vec![]);
}

#[test]
fn a_contact_point_id_is_used_once() {
    given::<Customer>(&and(&[added(1)]))
        .when(add(1, None))
        .then_expect_error(Error::ContactPointExists { contact_point: id(1) });
}

#[test]
fn a_customer_has_at_most_50_contact_points() {
    let points: Vec<_> = (1..=50).map(added).collect();
    given::<Customer>(&and(&points)).when(add(51, None)).then_expect_error(Error::TooManyContactPoints);
    given::<Customer>(&and(&points[1..])).when(add(51, None)).then_expect_events(vec![added(51)]);
}

#[test]
fn a_contact_point_is_verified_once() {
    let verified = Event::ContactPointVerified { contact_point_id: id(1) };
    given::<Customer>(&and(&[added(1)])).when(verify(1)).then_expect_events(vec![verified.clone()]);
    given::<Customer>(&and(&[added(1), verified.clone()])).when(verify(1)).then_expect_events(vec![]);
    let customer = fold::<Customer>(&and(&[added(1), verified]));
    let point = ContactPoint { kind: ContactKind::Phone, verified: true };
    assert_eq!(customer.contact_points(), &[(id(1), point)].into());
}

#[test]
fn a_removed_contact_point_is_gone() {
    let removed = Event::ContactPointRemoved { contact_point_id: id(1) };
    given::<Customer>(&and(&[added(1)])).when(remove(1)).then_expect_events(vec![removed.clone()]);
    for command in [remove(1), verify(1)] {
        given::<Customer>(&and(&[added(1), removed.clone()]))
            .when(command)
            .then_expect_error(Error::ContactPointUnknown { contact_point: id(1) });
    }
}

#[test]
fn linking_names_another_registered_customer_and_says_nothing_twice() {
    let linked = Event::Linked { other: id(2) };
    let registered_other = || link(2, CustomerStanding::Registered);
    given::<Customer>(&registered()).when(registered_other()).then_expect_events(vec![linked.clone()]);
    given::<Customer>(&and(&[linked])).when(registered_other()).then_expect_events(vec![]);
    given::<Customer>(&registered())
        .when(link(1, CustomerStanding::Registered))
        .then_expect_error(Error::LinkToSelf);
    for standing in [CustomerStanding::Unknown, CustomerStanding::Erased] {
        given::<Customer>(&registered())
            .when(link(2, standing))
            .then_expect_error(Error::LinkTargetUnknown { other: id(2) });
    }
}

#[test]
fn unlinking_restores_what_was() {
    let unlink = || Command::Unlink { other: id(2) };
    let linked = and(&[Event::Linked { other: id(2) }]);
    given::<Customer>(&linked).when(unlink()).then_expect_events(vec![Event::Unlinked { other: id(2) }]);
    let unlinked = then::<Customer>(&linked, unlink());
    assert_eq!(fold::<Customer>(&unlinked), fold::<Customer>(&registered()));
    given::<Customer>(&unlinked).when(unlink()).then_expect_error(Error::NotLinked { other: id(2) });
}

#[test]
fn stars_are_granted_until_a_time_to_come_and_say_nothing_twice() {
    given::<Customer>(&registered()).when(grant(4, None)).then_expect_events(vec![granted(4, None)]);
    given::<Customer>(&registered())
        .when(grant(4, Some(at(1))))
        .then_expect_events(vec![granted(4, Some(at(1)))]);
    given::<Customer>(&registered()).when(grant(4, Some(at(0)))).then_expect_error(Error::StarExpiryInPast);
    let starred = and(&[granted(4, Some(at(9)))]);
    given::<Customer>(&starred).when(grant(4, Some(at(9)))).then_expect_events(vec![]);
    given::<Customer>(&starred).when(grant(5, None)).then_expect_events(vec![granted(5, None)]);
}

#[test]
fn stars_expire_at_their_end_and_not_before() {
    let starred = and(&[granted(4, Some(at(9)))]);
    let expired = Event::StarExpired { line: read("used-car-sales") };
    given::<Customer>(&starred).when(expire(9)).then_expect_events(vec![expired.clone()]);
    given::<Customer>(&starred).when(expire(8)).then_expect_error(Error::StarNotDue { until: Some(at(9)) });
    given::<Customer>(&and(&[granted(4, None)]))
        .when(expire(8))
        .then_expect_error(Error::StarNotDue { until: None });
    let gone = Error::NoStar { line: read("used-car-sales") };
    given::<Customer>(&starred).and(vec![expired]).when(expire(9)).then_expect_error(gone);
}

#[test]
fn stars_are_revoked_once() {
    let revoke = || Command::RevokeStar { line: read("used-car-sales") };
    let starred = and(&[granted(4, None)]);
    let revoked = Event::StarRevoked { line: read("used-car-sales") };
    given::<Customer>(&starred).when(revoke()).then_expect_events(vec![revoked.clone()]);
    given::<Customer>(&starred)
        .and(vec![revoked])
        .when(revoke())
        .then_expect_error(Error::NoStar { line: read("used-car-sales") });
}

#[test]
fn consent_says_nothing_twice() {
    let given_consent = Event::ConsentGiven { purpose: read("marketing") };
    let withdrawn = Event::ConsentWithdrawn { purpose: read("marketing") };
    given::<Customer>(&registered())
        .when(consent("marketing"))
        .then_expect_events(vec![given_consent.clone()]);
    let agreed = and(&[given_consent]);
    given::<Customer>(&agreed).when(consent("marketing")).then_expect_events(vec![]);
    given::<Customer>(&agreed).when(withdraw("marketing")).then_expect_events(vec![withdrawn.clone()]);
    given::<Customer>(&agreed).when(withdraw("research")).then_expect_events(vec![]);
    given::<Customer>(&agreed).and(vec![withdrawn]).when(withdraw("marketing")).then_expect_events(vec![]);
}

#[test]
fn whether_calls_are_wanted_says_nothing_twice() {
    let set = |do_not_call| Command::SetDoNotCall { do_not_call };
    let event = |do_not_call| Event::DoNotCallSet { do_not_call };
    given::<Customer>(&registered()).when(set(true)).then_expect_events(vec![event(true)]);
    given::<Customer>(&registered()).when(set(false)).then_expect_events(vec![]);
    given::<Customer>(&and(&[event(true)])).when(set(true)).then_expect_events(vec![]);
    given::<Customer>(&and(&[event(true)])).when(set(false)).then_expect_events(vec![event(false)]);
}

#[test]
fn an_erased_customer_takes_no_further_command() {
    let erased = Event::Erased { ground: read("customer-asked") };
    given::<Customer>(&and(&[added(1)])).when(erase()).then_expect_events(vec![erased.clone()]);
    let commands = later_commands().into_iter().chain([register(None)]);
    for command in commands {
        given::<Customer>(&and(&[added(1), erased.clone()])).when(command).then_expect_error(Error::Erased);
    }
}

#[test]
fn an_erased_customer_leaves_nothing_but_the_fact() {
    let past = and(&[added(1), Event::Linked { other: id(2) }, granted(4, None)]);
    let erased = fold::<Customer>(&then::<Customer>(&past, erase()));
    assert_eq!(erased.standing(), CustomerStanding::Erased);
    assert!(erased.contact_points().is_empty() && erased.links().is_empty());
    assert_eq!(erased, fold::<Customer>(&then::<Customer>(&registered(), erase())));
}

#[test]
fn a_tier_is_1_to_5_stars() {
    assert!(StarTier::try_from(0).is_err() && StarTier::try_from(6).is_err());
    assert!((1..=5).all(|stars| u8::from(tier(stars)) == stars));
}
