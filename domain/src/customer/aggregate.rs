//! State of a customer and its decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::command::CustomerCommand as Command;
use super::error::CustomerError as Error;
use super::event::CustomerEvent as Event;
use super::star::{StarBasis, StarTier};
use crate::aggregate::{Aggregate, delegate_to_cqrs_es};
use crate::clue::CustomerStanding;
use crate::ids::{ContactPointId, CustomerId};
use crate::personal::Personal;
use crate::values::{Code, ContactKind, Instant, LineKey};

/// More contact points than any person has.
const MAX_CONTACT_POINTS: usize = 50;
/// Longest name, in characters.
const MAX_NAME: usize = 200;

/// A way to reach the customer, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactPoint {
    /// What kind it is.
    pub kind: ContactKind,
    /// Whether somebody made sure of it.
    pub verified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Star {
    tier: StarTier,
    basis: StarBasis,
    expires_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Standing {
    #[default]
    Unknown,
    Registered,
    Erased,
}

/// A customer as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    standing: Standing,
    contact_points: BTreeMap<ContactPointId, ContactPoint>,
    links: BTreeSet<CustomerId>,
    stars: BTreeMap<LineKey, Star>,
    consents: BTreeSet<Code>,
    do_not_call: bool,
}

delegate_to_cqrs_es!(Customer, "customer", Command, Event, Error);

impl Aggregate for Customer {
    type Id = CustomerId;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match (&command, self.standing) {
            (_, Standing::Erased) => return Err(Error::Erased),
            (Command::Register { .. }, Standing::Registered) => return Err(Error::AlreadyRegistered),
            (Command::Register { .. }, Standing::Unknown) => {}
            (_, Standing::Unknown) => return Err(Error::NotFound),
            _ => {}
        }
        match command {
            Command::Register { line, source, name } => {
                name.as_ref().map_or(Ok(()), check_name)?;
                Ok(vec![Event::Registered { line, source, name }])
            }
            Command::Rename { name } => {
                check_name(&name)?;
                Ok(vec![Event::Renamed { name }])
            }
            Command::AddContactPoint { contact_point_id, contact, existing } => {
                if existing.is_some_and(|id| self.contact_points.contains_key(&id)) {
                    return Ok(vec![]);
                }
                if self.contact_points.contains_key(&contact_point_id) {
                    return Err(Error::ContactPointExists { contact_point: contact_point_id });
                }
                if self.contact_points.len() >= MAX_CONTACT_POINTS {
                    return Err(Error::TooManyContactPoints);
                }
                Ok(vec![Event::ContactPointAdded {
                    contact_point_id,
                    kind: contact.kind(),
                    value: Personal::Clear(contact.value().to_owned()),
                }])
            }
            Command::VerifyContactPoint { contact_point_id } => {
                if self.contact_point(contact_point_id)?.verified {
                    return Ok(vec![]);
                }
                Ok(vec![Event::ContactPointVerified { contact_point_id }])
            }
            Command::RemoveContactPoint { contact_point_id } => {
                self.contact_point(contact_point_id)?;
                Ok(vec![Event::ContactPointRemoved { contact_point_id }])
            }
            Command::Link { own, other, other_standing } => self.link(own, other, other_standing),
            Command::Unlink { other } if self.links.contains(&other) => Ok(vec![Event::Unlinked { other }]),
            Command::Unlink { other } => Err(Error::NotLinked { other }),
            Command::GrantStar { line, tier, basis, expires_at, now } => {
                self.grant_star(line, Star { tier, basis, expires_at }, now)
            }
            Command::ExpireStar { line, now } => self.expire_star(line, now),
            Command::RevokeStar { line } if self.stars.contains_key(&line) => {
                Ok(vec![Event::StarRevoked { line }])
            }
            Command::RevokeStar { line } => Err(Error::NoStar { line }),
            Command::GiveConsent { purpose } if self.consents.contains(&purpose) => Ok(vec![]),
            Command::GiveConsent { purpose } => Ok(vec![Event::ConsentGiven { purpose }]),
            Command::WithdrawConsent { purpose } if self.consents.contains(&purpose) => {
                Ok(vec![Event::ConsentWithdrawn { purpose }])
            }
            Command::WithdrawConsent { .. } => Ok(vec![]),
            Command::SetDoNotCall { do_not_call } if self.do_not_call == do_not_call => Ok(vec![]),
            Command::SetDoNotCall { do_not_call } => Ok(vec![Event::DoNotCallSet { do_not_call }]),
            Command::Erase { ground } => Ok(vec![Event::Erased { ground }]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered { .. } => self.standing = Standing::Registered,
            Event::Renamed { .. } => {}
            Event::ContactPointAdded { contact_point_id, kind, .. } => {
                let point = ContactPoint { kind: *kind, verified: false };
                self.contact_points.insert(*contact_point_id, point);
            }
            Event::ContactPointVerified { contact_point_id } => {
                if let Some(point) = self.contact_points.get_mut(contact_point_id) {
                    point.verified = true;
                }
            }
            Event::ContactPointRemoved { contact_point_id } => {
                self.contact_points.remove(contact_point_id);
            }
            Event::Linked { other } => {
                self.links.insert(*other);
            }
            Event::Unlinked { other } => {
                self.links.remove(other);
            }
            Event::StarGranted { line, tier, basis, expires_at } => {
                let star = Star { tier: *tier, basis: *basis, expires_at: *expires_at };
                self.stars.insert(line.clone(), star);
            }
            Event::StarExpired { line } | Event::StarRevoked { line } => {
                self.stars.remove(line);
            }
            Event::ConsentGiven { purpose } => {
                self.consents.insert(purpose.clone());
            }
            Event::ConsentWithdrawn { purpose } => {
                self.consents.remove(purpose);
            }
            Event::DoNotCallSet { do_not_call } => self.do_not_call = *do_not_call,
            Event::Erased { .. } => {
                *self = Self { standing: Standing::Erased, ..Self::default() };
            }
        }
    }
}

impl Customer {
    /// What others may know of this customer's existence.
    #[must_use]
    pub const fn standing(&self) -> CustomerStanding {
        match self.standing {
            Standing::Unknown => CustomerStanding::Unknown,
            Standing::Registered => CustomerStanding::Registered,
            Standing::Erased => CustomerStanding::Erased,
        }
    }

    /// The contact points, without their values.
    #[must_use]
    pub const fn contact_points(&self) -> &BTreeMap<ContactPointId, ContactPoint> {
        &self.contact_points
    }

    /// Records of the same person.
    #[must_use]
    pub const fn links(&self) -> &BTreeSet<CustomerId> {
        &self.links
    }

    fn contact_point(&self, id: ContactPointId) -> Result<&ContactPoint, Error> {
        self.contact_points.get(&id).ok_or(Error::ContactPointUnknown { contact_point: id })
    }

    fn link(
        &self,
        own: CustomerId,
        other: CustomerId,
        other_standing: CustomerStanding,
    ) -> Result<Vec<Event>, Error> {
        if own == other {
            return Err(Error::LinkToSelf);
        }
        if other_standing != CustomerStanding::Registered {
            return Err(Error::LinkTargetUnknown { other });
        }
        if self.links.contains(&other) { Ok(vec![]) } else { Ok(vec![Event::Linked { other }]) }
    }

    fn grant_star(&self, line: LineKey, star: Star, now: Instant) -> Result<Vec<Event>, Error> {
        if star.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::StarExpiryInPast);
        }
        if self.stars.get(&line) == Some(&star) {
            return Ok(vec![]);
        }
        let Star { tier, basis, expires_at } = star;
        Ok(vec![Event::StarGranted { line, tier, basis, expires_at }])
    }

    fn expire_star(&self, line: LineKey, now: Instant) -> Result<Vec<Event>, Error> {
        match self.stars.get(&line) {
            None => Err(Error::NoStar { line }),
            Some(star) if star.expires_at.is_some_and(|end| end <= now) => {
                Ok(vec![Event::StarExpired { line }])
            }
            Some(star) => Err(Error::StarNotDue { until: star.expires_at }),
        }
    }
}

fn check_name(name: &Personal<String>) -> Result<(), Error> {
    match name.clear().map(|name| name.trim()) {
        Some("") => Err(Error::NameEmpty),
        Some(name) if name.chars().count() > MAX_NAME => Err(Error::NameTooLong),
        _ => Ok(()),
    }
}
