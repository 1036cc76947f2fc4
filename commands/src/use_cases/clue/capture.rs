//! Taking a clue in, with its customer.

use std::collections::BTreeMap;

use domain::business_line::{BusinessLine, FieldValue};
use domain::clue::{Clue, ClueCommand as Command, CustomerStanding, Need, Source};
use domain::customer::Customer;
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::personal::Personal;
use domain::values::{Contact, FieldKey, LineKey, Money};
use serde::Serialize;

use super::super::customer::{
    ContactInput, add_contact, contact_key, customer_of, read_contacts, register, source_key, source_known,
};
use super::{about, assignee};
use crate::event_log::{KeyHolder, UniqueKey};
use crate::service::{About, Done, Permission, Stop, UnitOfWork, UseCase};

/// Whose clue it is.
#[derive(Clone, Debug, Serialize)]
pub enum CapturedCustomer {
    /// A customer who is known by id.
    Known(CustomerId),
    /// A person as the source describes one. Somebody with one of the contacts is that customer;
    /// otherwise a new customer is registered. Nobody is ever found by name.
    Described {
        /// What the person is called.
        name: Option<Personal<String>>,
        /// Where the person can be reached.
        contacts: Vec<ContactInput>,
    },
}

/// What becomes of the clue at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Route {
    /// It waits to be pooled or assigned.
    Wait,
    /// It goes to the pool.
    Pool,
    /// It goes to an operator.
    Assign(OperatorId),
    /// Its deal was done before it came in.
    Won {
        /// For how much.
        amount: Option<Money>,
    },
}

/// Takes a clue in.
#[derive(Clone, Debug, Serialize)]
pub struct CaptureClue {
    /// The business line that works it.
    pub line: LineKey,
    /// Where it came from. With a source key it is taken in once for ever.
    pub source: Source,
    /// Whose clue it is.
    pub customer: CapturedCustomer,
    /// The customer's need, when stated.
    pub need: Option<Need>,
    /// Values of custom fields.
    pub fields: BTreeMap<FieldKey, FieldValue>,
    /// What becomes of it at once.
    pub route: Route,
}

impl UseCase for CaptureClue {
    const NAME: &'static str = "capture_clue";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        work.authorize(Permission::Capture(&self.line)).await?;
        let line = work.load::<BusinessLine>(&self.line).await?;
        let Some(country) = line.country() else {
            return Err(Stop::refused("line_not_found", "there is no such business line", Some("line")));
        };
        let contacts = match &self.customer {
            CapturedCustomer::Known(_) => Vec::new(),
            CapturedCustomer::Described { contacts, .. } => read_contacts(contacts, country)?,
        };
        let source = self.source_record();
        let person = source_key("customer", &self.line, &self.source);
        let found = look_up(work, source.as_ref(), person.as_ref(), &contacts).await?;
        if let Some(holder) = found.clue {
            return Err(Stop::Declined(source_known(&holder.owner).into()));
        }
        let customer_id = self.customer(work, &contacts, found).await?;
        let customer = work.load::<Customer>(&customer_id).await?.standing();
        let clue_id: ClueId = work.fresh();
        work.begin::<Clue>(&clue_id);
        if let Some(key) = source {
            work.claim(key, KeyHolder { owner: format!("clue:{clue_id}"), item: String::new() });
        }
        self.capture(work, clue_id, customer_id, customer).await?;
        work.primary::<Clue>(&clue_id).await?;
        Ok(Done::plain().id("clue_id", clue_id).id("customer_id", customer_id))
    }
}

/// What a source record's keys are known as.
struct Found {
    clue: Option<KeyHolder>,
    person: Option<CustomerId>,
    /// For each contact, who has it.
    customers: Vec<Option<CustomerId>>,
}

impl Found {
    /// The customer whom the record is about: by contact, by the source's own key.
    fn customer(&self) -> Option<CustomerId> {
        self.customers.iter().flatten().next().copied().or(self.person)
    }

    /// Who is erased by the time that they are looked at gives up everything that they were found by.
    async fn leave_out_erased(&mut self, work: &mut UnitOfWork<'_>) -> Result<(), Stop> {
        while let Some(id) = self.customer()
            && work.load::<Customer>(&id).await?.standing() == CustomerStanding::Erased
        {
            for found in self.customers.iter_mut().chain([&mut self.person]) {
                found.take_if(|found| *found == id);
            }
        }
        Ok(())
    }
}

async fn look_up(
    work: &UnitOfWork<'_>,
    source: Option<&UniqueKey>,
    person: Option<&UniqueKey>,
    contacts: &[Contact],
) -> Result<Found, Stop> {
    let mut keys: Vec<UniqueKey> = source.into_iter().chain(person).cloned().collect();
    let own = keys.len();
    keys.extend(contacts.iter().map(|contact| contact_key(work, contact)));
    let mut holders = work.holders(&keys).await?;
    let customers = holders.split_off(own).into_iter();
    let customers = customers.map(|holder| customer_of(&holder?.owner)).collect();
    let mut own = holders.into_iter();
    let clue = own.next().flatten();
    let person = own.next().flatten().and_then(|holder| customer_of(&holder.owner));
    Ok(Found { clue, person, customers })
}

impl CaptureClue {
    /// The key that makes the source's record unique, when the source gave it one.
    pub(crate) fn source_record(&self) -> Option<UniqueKey> {
        source_key("clue", &self.line, &self.source)
    }

    /// The customer: by id, by contact, by the source's own key, or a new one. Contacts that nobody
    /// has are added; a contact of yet another customer stays where it is.
    async fn customer(
        &self,
        work: &mut UnitOfWork<'_>,
        contacts: &[Contact],
        mut found: Found,
    ) -> Result<CustomerId, Stop> {
        let name = match &self.customer {
            CapturedCustomer::Known(id) => return Ok(*id),
            CapturedCustomer::Described { name, .. } => name.clone(),
        };
        found.leave_out_erased(work).await?;
        let id = match found.customer() {
            Some(id) => id,
            None => register(work, &self.line, &self.source, name).await?,
        };
        for (contact, holder) in contacts.iter().zip(&found.customers) {
            if holder.is_none() {
                add_contact(work, id, contact.clone()).await?;
            }
        }
        Ok(id)
    }

    async fn capture(
        &self,
        work: &mut UnitOfWork<'_>,
        clue_id: ClueId,
        customer_id: CustomerId,
        customer: CustomerStanding,
    ) -> Result<(), Stop> {
        let line = work.load::<BusinessLine>(&self.line).await?;
        let at = work.occurred_at();
        let captured =
            About { subject: Some(customer_id.into()), line: Some(self.line.clone()), policy_version: None };
        let command = Command::Capture {
            customer_id,
            customer,
            line_key: self.line.clone(),
            line: line.clone(),
            source: self.source.clone(),
            need: self.need.clone(),
            fields: self.fields.clone(),
            at,
        };
        work.decide::<Clue>(&clue_id, &captured, command).await?;
        let command = match self.route {
            Route::Wait => return Ok(()),
            Route::Pool => Command::Pool,
            Route::Assign(operator) => {
                Command::Assign { to: assignee(work, operator, &self.line).await?, at }
            }
            Route::Won { amount } => Command::Win { amount, line: line.clone() },
        };
        let clue = work.load::<Clue>(&clue_id).await?;
        work.decide::<Clue>(&clue_id, &about(&clue, &line, None), command).await?;
        Ok(())
    }
}
