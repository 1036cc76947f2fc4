//! Folds customers.

use std::sync::Arc;

use domain::Event;
use domain::customer::CustomerEvent;
use domain::envelope::RecordedEvent;
use domain::ids::CustomerId;
use domain::personal::Personal;
use domain::ports::BlindIndex;
use domain::values::ContactKind;

use super::rows::*;
use super::{clues, timeline};
use crate::read::phone_hashes;
use crate::runner::{Batch, Folding, Poison, Projector, concerns_a_line, subject_key};
use crate::sql::{Records, TableBatch, TableDef};

/// The read model `customer`.
#[derive(Clone)]
pub struct Customers {
    index: Arc<dyn BlindIndex>,
}

impl Customers {
    /// Its name.
    pub const NAME: &'static str = "customer";

    /// With the keyed hashes by which phones are found.
    #[must_use]
    pub fn new(index: Arc<dyn BlindIndex>) -> Self {
        Self { index }
    }
}

impl Projector for Customers {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn version(&self) -> i64 {
        1
    }

    fn tables(&self) -> &'static [&'static TableDef] {
        &[
            CUSTOMERS,
            CUSTOMER_CONTACT,
            CUSTOMER_PHONE,
            CUSTOMER_CONSENT,
            CUSTOMER_STAR,
            CUSTOMER_LINK,
            CUSTOMER_CLUE,
            CUSTOMER_TIMELINE,
        ]
    }

    fn reads_personal(&self) -> bool {
        true
    }

    fn key(&self, event: &RecordedEvent) -> Option<String> {
        let kind = event.stream.aggregate_type();
        matches!(kind, "clue" | "clue_attempts" | "customer").then(|| subject_key(event))
    }

    fn shared(&self, event: &RecordedEvent) -> bool {
        concerns_a_line(event)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::new(CustomerBatch {
            index: Arc::clone(&self.index),
            customers: Records::default(),
            contacts: Records::default(),
            phones: Records::default(),
            consents: Records::default(),
            stars: Records::default(),
            links: Records::default(),
            clues: Records::default(),
            timeline: Records::default(),
        })
    }
}

struct CustomerBatch {
    index: Arc<dyn BlindIndex>,
    customers: Records<CustomerRow>,
    contacts: Records<ContactRow>,
    phones: Records<PhoneRow>,
    consents: Records<ConsentRow>,
    stars: Records<StarRow>,
    links: Records<LinkRow>,
    clues: Records<CustomerClueRow>,
    timeline: Records<TimelineRow>,
}

impl Batch for CustomerBatch {
    fn want(&mut self, event: &Folding<'_>) {
        let Some(customer) = event.customer() else { return };
        match event.event {
            Event::Clue(_) => self.clues.want(&customer),
            Event::Customer(fact) => self.want_customer(&customer, fact),
            _ => {}
        }
    }

    fn fold(&mut self, event: &Folding<'_>) -> Result<(), Poison> {
        match event.event {
            Event::Clue(fact) => clues::fold(&mut self.clues, event, fact)?,
            Event::Customer(fact) => self.fold_customer(event, fact)?,
            Event::ClueAttempts(_) => {}
            _ => return Ok(()),
        }
        self.timeline.put(timeline::row(event)?);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn TableBatch> {
        vec![
            &mut self.customers,
            &mut self.contacts,
            &mut self.phones,
            &mut self.consents,
            &mut self.stars,
            &mut self.links,
            &mut self.clues,
            &mut self.timeline,
        ]
    }
}

impl CustomerBatch {
    fn want_customer(&mut self, customer: &CustomerId, fact: &CustomerEvent) {
        self.customers.want(customer);
        match fact {
            CustomerEvent::ContactPointAdded { .. }
            | CustomerEvent::ContactPointVerified { .. }
            | CustomerEvent::ContactPointRemoved { .. } => {
                self.contacts.want(customer);
                self.phones.want(customer);
            }
            CustomerEvent::Linked { .. } | CustomerEvent::Unlinked { .. } => self.links.want(customer),
            CustomerEvent::StarGranted { .. }
            | CustomerEvent::StarExpired { .. }
            | CustomerEvent::StarRevoked { .. } => self.stars.want(customer),
            CustomerEvent::ConsentGiven { .. } | CustomerEvent::ConsentWithdrawn { .. } => {
                self.consents.want(customer);
            }
            CustomerEvent::Erased { .. } => {
                self.contacts.want(customer);
                self.phones.want(customer);
                self.consents.want(customer);
                self.stars.want(customer);
                self.links.want(customer);
                self.timeline.want(customer);
            }
            _ => {}
        }
    }

    fn fold_customer(&mut self, event: &Folding<'_>, fact: &CustomerEvent) -> Result<(), Poison> {
        let customer_id = event.known_customer()?;
        if let CustomerEvent::Registered { line, source, name } = fact {
            self.customers.put(CustomerRow {
                customer_id,
                line: line.clone(),
                name: name.as_ref().and_then(Personal::clear).cloned(),
                source_channel: source.channel.clone(),
                campaign: source.campaign.as_ref().map(ToString::to_string),
                registered_at: event.at(),
                do_not_call: false,
                erased_at: None,
                erasure_ground: None,
                position: event.position(),
            });
            return Ok(());
        }
        let row = self.customers.get_mut(&customer_id, &(customer_id,));
        let row = row.ok_or(Poison("the customer was never registered"))?;
        row.position = event.position();
        match fact {
            CustomerEvent::Renamed { name } => row.name = name.clear().cloned(),
            CustomerEvent::DoNotCallSet { do_not_call } => row.do_not_call = *do_not_call,
            CustomerEvent::Erased { ground } => {
                row.name = None;
                row.erased_at = Some(event.at());
                row.erasure_ground = Some(ground.clone());
                self.erase(customer_id);
            }
            _ => self.fold_parts(event, customer_id, fact),
        }
        Ok(())
    }

    fn fold_parts(&mut self, event: &Folding<'_>, customer_id: CustomerId, fact: &CustomerEvent) {
        match fact {
            CustomerEvent::ContactPointAdded { contact_point_id, kind, value } => {
                let value = value.clear().cloned();
                if let (ContactKind::Phone, Some(value)) = (kind, &value) {
                    let [exact, last8, last4] = phone_hashes(self.index.as_ref(), value);
                    let contact_point_id = *contact_point_id;
                    self.phones.put(PhoneRow { customer_id, contact_point_id, exact, last8, last4 });
                }
                self.contacts.put(ContactRow {
                    customer_id,
                    contact_point_id: *contact_point_id,
                    kind: *kind,
                    value,
                    verified: false,
                    added_at: event.at(),
                });
            }
            CustomerEvent::ContactPointVerified { contact_point_id } => {
                let key = (customer_id, *contact_point_id);
                if let Some(contact) = self.contacts.get_mut(&customer_id, &key) {
                    contact.verified = true;
                }
            }
            CustomerEvent::ContactPointRemoved { contact_point_id } => {
                self.contacts.remove(&customer_id, &(customer_id, *contact_point_id));
                self.phones.remove(&customer_id, &(customer_id, *contact_point_id));
            }
            CustomerEvent::Linked { other } => {
                self.links.put(LinkRow { customer_id, other_id: *other, linked_at: event.at() });
            }
            CustomerEvent::Unlinked { other } => {
                self.links.remove(&customer_id, &(customer_id, *other));
            }
            CustomerEvent::StarGranted { line, tier, basis, expires_at } => self.stars.put(StarRow {
                customer_id,
                line: line.clone(),
                tier: i64::from(u8::from(*tier)),
                basis: *basis,
                granted_at: event.at(),
                expires_at: *expires_at,
            }),
            CustomerEvent::StarExpired { line } | CustomerEvent::StarRevoked { line } => {
                self.stars.remove(&customer_id, &(customer_id, line.clone()));
            }
            CustomerEvent::ConsentGiven { purpose } => {
                self.consents.put(ConsentRow { customer_id, purpose: purpose.clone(), given_at: event.at() });
            }
            CustomerEvent::ConsentWithdrawn { purpose } => {
                self.consents.remove(&customer_id, &(customer_id, purpose.clone()));
            }
            _ => {}
        }
    }

    /// The same rows are left as after a replay of events whose personal fields are redacted.
    fn erase(&mut self, customer_id: CustomerId) {
        self.phones.remove_where(&customer_id, |_| true);
        self.consents.remove_where(&customer_id, |_| true);
        self.stars.remove_where(&customer_id, |_| true);
        self.links.remove_where(&customer_id, |_| true);
        for contact in self.contacts.of_mut(&customer_id) {
            contact.value = None;
        }
        for row in self.timeline.of_mut(&customer_id) {
            row.note_redacted |= row.note.take().is_some();
        }
    }
}
