//! Why a command to a customer is refused.

use crate::aggregate::{Refusal, refusals};
use crate::ids::{ContactPointId, CustomerId};
use crate::values::{Instant, LineKey};

refusals! {
    /// Refusals of a customer.
    CustomerError {
        /// No such customer was registered.
        NotFound = "customer_not_found", "there is no such customer";
        /// A customer of that id was registered.
        AlreadyRegistered = "customer_already_registered", "this customer was registered already";
        /// The person was erased.
        Erased = "customer_erased", "the customer was erased";
        /// Nothing is left of the name.
        NameEmpty = "name_empty", "a name is not empty";
        /// Longer than any name.
        NameTooLong = "name_too_long", "a name has at most 200 characters";
        /// A contact point of that id was added.
        ContactPointExists { contact_point: ContactPointId } = "contact_point_exists", "this contact point was added already";
        /// No such contact point.
        ContactPointUnknown { contact_point: ContactPointId } = "contact_point_not_found", "the customer has no such contact point";
        /// More contact points than any person has.
        TooManyContactPoints = "too_many_contact_points", "a customer has at most 50 contact points";
        /// A record is linked to others.
        LinkToSelf = "link_to_self", "a customer is not linked to itself";
        /// No such other customer, or one that was erased.
        LinkTargetUnknown { other: CustomerId } = "link_target_not_found", "there is no such customer to link to";
        /// Not linked.
        NotLinked { other: CustomerId } = "not_linked", "the two customers are not linked";
        /// No stars in that line.
        NoStar { line: LineKey } = "no_star", "the customer has no stars in business line {line}";
        /// Stars end in the future.
        StarExpiryInPast = "star_expiry_in_past", "stars end at a time to come";
        /// The stars last longer.
        StarNotDue { until: Option<Instant> } = "star_not_due", "the stars have not lasted until their end";
    }
}

impl Refusal for CustomerError {
    fn code(&self) -> &'static str {
        self.code()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::NameEmpty | Self::NameTooLong => Some("name".to_owned()),
            Self::StarExpiryInPast => Some("expiresAt".to_owned()),
            _ => None,
        }
    }
}
