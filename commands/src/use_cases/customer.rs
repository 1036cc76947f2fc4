//! Customers: identity, contact points, stars, consent, erasure.

use domain::business_line::BusinessLine;
use domain::clue::{Clue, Source};
use domain::customer::{Customer, CustomerCommand as Command, StarBasis, StarTier};
use domain::ids::{ClueId, ContactPointId, CustomerId};
use domain::personal::Personal;
use domain::values::{Code, Contact, ContactKind, Country, Instant, LineKey};
use serde::Serialize;

use crate::event_log::{KeyHolder, UniqueKey};
use crate::service::{About, Done, Permission, Refused, Stop, UnitOfWork, UseCase};

/// A contact as somebody wrote it.
#[derive(Clone, Debug, Serialize)]
pub struct ContactInput {
    /// What kind it is.
    pub kind: ContactKind,
    /// As written; normalised with the line's country.
    pub text: Personal<String>,
}

/// Makes a customer known.
#[derive(Clone, Debug, Serialize)]
pub struct RegisterCustomer {
    /// The business line that met the customer.
    pub line: LineKey,
    /// Where the customer came from.
    pub source: Source,
    /// What the customer is called.
    pub name: Option<Personal<String>>,
    /// Where the customer can be reached.
    pub contacts: Vec<ContactInput>,
}

impl UseCase for RegisterCustomer {
    const NAME: &'static str = "register_customer";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Capture(&self.line)).await?;
        let line = work.load::<BusinessLine>(&self.line).await?;
        let Some(country) = line.country() else {
            return Err(Stop::refused("line_not_found", "there is no such business line", Some("line")));
        };
        let contacts = read_contacts(&self.contacts, country)?;
        let keys: Vec<UniqueKey> = contacts.iter().map(|contact| contact_key(work, contact)).collect();
        let taken = work.holders(&keys).await?;
        if let Some(index) = taken.iter().position(Option::is_some) {
            return Err(contact_taken(index));
        }
        if let Some(key) = source_key("customer", &self.line, &self.source)
            && let Some(Some(holder)) = work.holders(std::slice::from_ref(&key)).await?.pop()
        {
            return Err(Stop::Declined(source_known(&holder.owner).into()));
        }
        let id = register(work, &self.line, &self.source, self.name.clone()).await?;
        for contact in contacts {
            add_contact(work, id, contact).await?;
        }
        work.primary::<Customer>(&id).await?;
        Ok(Done::plain().id("customer_id", id))
    }
}

/// One change of a customer's record.
#[derive(Clone, Debug, Serialize)]
pub enum CustomerChange {
    /// Call the customer otherwise.
    Rename(Personal<String>),
    /// Record where the customer can be reached.
    AddContactPoint {
        /// The line whose country reads phone numbers without a prefix.
        line: LineKey,
        /// The contact.
        contact: ContactInput,
    },
    /// Record that the contact point is the customer's.
    VerifyContactPoint(ContactPointId),
    /// Record that the customer cannot be reached there; another customer may have it then.
    RemoveContactPoint(ContactPointId),
    /// Record that another record is of the same person.
    Link(CustomerId),
    /// Record that another record is not of the same person.
    Unlink(CustomerId),
    /// Hold the customer likely to buy.
    GrantStar {
        /// In which line.
        line: LineKey,
        /// How likely.
        tier: StarTier,
        /// What that rests on.
        basis: StarBasis,
        /// Until when.
        expires_at: Option<Instant>,
    },
    /// Record that the stars lasted until now.
    ExpireStar(LineKey),
    /// Take the stars back.
    RevokeStar(LineKey),
    /// Record that the customer agrees to a use of the data.
    GiveConsent(Code),
    /// Record that the customer agrees no more.
    WithdrawConsent(Code),
    /// Record whether the customer wants calls.
    SetDoNotCall(bool),
}

/// Changes a customer's record.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeCustomer {
    /// Whose record.
    pub customer_id: CustomerId,
    /// The clue in the course of which it changes; agents and team leads need one of theirs.
    pub clue_id: Option<ClueId>,
    /// What to change.
    pub change: CustomerChange,
}

impl UseCase for ChangeCustomer {
    const NAME: &'static str = "change_customer";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let id = self.customer_id;
        self.authorize(work).await?;
        work.primary::<Customer>(&id).await?;
        let now = work.now();
        let command = match self.change.clone() {
            CustomerChange::Rename(name) => Command::Rename { name },
            CustomerChange::AddContactPoint { line, contact } => {
                let point = add_read_contact(work, id, &line, &contact).await?;
                return Ok(Done::plain().id("customer_id", id).id("contact_point_id", point));
            }
            CustomerChange::VerifyContactPoint(contact_point_id) => {
                Command::VerifyContactPoint { contact_point_id }
            }
            CustomerChange::RemoveContactPoint(contact_point_id) => {
                work.release(contact_holder(id, contact_point_id));
                Command::RemoveContactPoint { contact_point_id }
            }
            CustomerChange::Link(other) => return link(work, id, other).await,
            CustomerChange::Unlink(other) => {
                decide(work, other, Command::Unlink { other: id }).await?;
                Command::Unlink { other }
            }
            CustomerChange::GrantStar { line, tier, basis, expires_at } => {
                Command::GrantStar { line, tier, basis, expires_at, now }
            }
            CustomerChange::ExpireStar(line) => Command::ExpireStar { line, now },
            CustomerChange::RevokeStar(line) => Command::RevokeStar { line },
            CustomerChange::GiveConsent(purpose) => Command::GiveConsent { purpose },
            CustomerChange::WithdrawConsent(purpose) => Command::WithdrawConsent { purpose },
            CustomerChange::SetDoNotCall(do_not_call) => Command::SetDoNotCall { do_not_call },
        };
        decide(work, id, command).await?;
        Ok(Done::plain().id("customer_id", id))
    }
}

impl ChangeCustomer {
    async fn authorize(&self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        let Some(clue_id) = self.clue_id else { return work.authorize(Permission::Serve(None)).await };
        let clue = work.load::<Clue>(&clue_id).await?;
        work.authorize(Permission::Serve(Some(&clue))).await?;
        if clue.customer_id() == Some(self.customer_id) {
            return Ok(());
        }
        Err(Stop::refused("clue_of_other_customer", "the clue is another customer's", Some("clueId")))
    }
}

/// Destroys a person's data key and records that. History keeps its shape and proofs; nobody can
/// read who it was about.
#[derive(Clone, Debug, Serialize)]
pub struct EraseCustomer {
    /// Whom.
    pub customer_id: CustomerId,
    /// On what ground, for example `request-of-the-person`.
    pub ground: Code,
}

impl UseCase for EraseCustomer {
    const NAME: &'static str = "erase_customer";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Erase).await?;
        let id = self.customer_id;
        let customer = work.primary::<Customer>(&id).await?;
        let links: Vec<CustomerId> = customer.links().iter().copied().collect();
        for other in links {
            decide(work, other, Command::Unlink { other: id }).await?;
        }
        decide(work, id, Command::Erase { ground: self.ground.clone() }).await?;
        work.forget(id.into(), owner(id));
        Ok(Done::plain().id("customer_id", id))
    }
}

/// How a customer is named as owner of unique keys.
pub(super) fn owner(id: CustomerId) -> String {
    format!("customer:{id}")
}

/// The customer that an owner of unique keys names.
pub(super) fn customer_of(owner: &str) -> Option<CustomerId> {
    owner.strip_prefix("customer:")?.parse().ok()
}

/// How a contact point is named as holder of its unique key.
fn contact_holder(id: CustomerId, point: ContactPointId) -> KeyHolder {
    KeyHolder { owner: owner(id), item: point.to_string() }
}

/// The key that makes a source's record unique; `None` when the source gave it none.
pub(super) fn source_key(kind: &str, line: &LineKey, source: &Source) -> Option<UniqueKey> {
    let key = source.key.as_ref()?;
    Some(UniqueKey { scope: format!("{kind}-source:{line}:{}", source.channel), key: key.to_string() })
}

/// The refusal that tells a second capture of a source's record from the first.
pub(super) fn source_known(owner: &str) -> Refused {
    let message = format!("this source record is known already as {owner}");
    Refused::new("source_already_known", &message, Some("source.key"))
}

fn contact_taken(index: usize) -> Stop {
    Stop::refused(
        "contact_taken",
        "the contact belongs to another customer",
        Some(&format!("contacts.{index}")),
    )
}

pub(super) fn contact_key(work: &UnitOfWork<'_>, contact: &Contact) -> UniqueKey {
    work.index().unique_key(contact.kind(), contact.value())
}

/// Brings contacts into normal form.
pub(super) fn read_contacts(inputs: &[ContactInput], country: Country) -> Result<Vec<Contact>, Stop> {
    let mut contacts: Vec<Contact> = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        let text = input.text.clear().map_or("", String::as_str);
        let contact = Contact::parse(input.kind, text, country).map_err(|error| {
            let field = format!("contacts.{index}");
            Stop::refused("contact_invalid", &error.to_string(), Some(&field))
        })?;
        if !contacts.contains(&contact) {
            contacts.push(contact);
        }
    }
    Ok(contacts)
}

fn about(id: CustomerId) -> About {
    About { subject: Some(id.into()), ..About::default() }
}

async fn decide(work: &mut UnitOfWork<'_>, id: CustomerId, command: Command) -> Result<usize, Stop> {
    work.decide::<Customer>(&id, &about(id), command).await
}

/// Stages a new customer.
pub(super) async fn register(
    work: &mut UnitOfWork<'_>,
    line: &LineKey,
    source: &Source,
    name: Option<Personal<String>>,
) -> Result<CustomerId, Stop> {
    let id: CustomerId = work.fresh();
    work.begin::<Customer>(&id);
    work.new_subject(id.into())?;
    if let Some(key) = source_key("customer", line, source) {
        work.claim(key, KeyHolder { owner: owner(id), item: String::new() });
    }
    let about = About { line: Some(line.clone()), ..about(id) };
    let command = Command::Register { line: line.clone(), source: source.clone(), name };
    work.decide::<Customer>(&id, &about, command).await?;
    Ok(id)
}

/// Stages a contact point of a customer, with its claim to be the only one of that value.
pub(super) async fn add_contact(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    contact: Contact,
) -> Result<ContactPointId, Stop> {
    let contact_point_id: ContactPointId = work.fresh();
    let key = contact_key(work, &contact);
    decide(work, id, Command::AddContactPoint { contact_point_id, contact, existing: None }).await?;
    work.claim(key, contact_holder(id, contact_point_id));
    Ok(contact_point_id)
}

async fn add_read_contact(
    work: &mut UnitOfWork<'_>,
    id: CustomerId,
    line: &LineKey,
    input: &ContactInput,
) -> Result<ContactPointId, Stop> {
    let Some(country) = work.load::<BusinessLine>(line).await?.country() else {
        return Err(Stop::refused("line_not_found", "there is no such business line", Some("line")));
    };
    let mut contacts = read_contacts(std::slice::from_ref(input), country)?;
    let Some(contact) = contacts.pop() else { return Err(contact_taken(0)) };
    let key = contact_key(work, &contact);
    let holder = work.holders(std::slice::from_ref(&key)).await?.pop().flatten();
    let held = holder.map(|holder| (customer_of(&holder.owner), holder.item.parse::<ContactPointId>()));
    match held {
        None => add_contact(work, id, contact).await,
        Some((Some(customer), Ok(existing))) if customer == id => {
            let command =
                Command::AddContactPoint { contact_point_id: existing, contact, existing: Some(existing) };
            decide(work, id, command).await?;
            Ok(existing)
        }
        Some(_) => Err(contact_taken(0)),
    }
}

async fn link(work: &mut UnitOfWork<'_>, own: CustomerId, other: CustomerId) -> Result<Done, Stop> {
    let standing = work.load::<Customer>(&other).await?.standing();
    decide(work, own, Command::Link { own, other, other_standing: standing }).await?;
    let standing = work.load::<Customer>(&own).await?.standing();
    decide(work, other, Command::Link { own: other, other: own, other_standing: standing }).await?;
    Ok(Done::plain().id("customer_id", own))
}
