//! What can be asked of a customer.

use super::star::{StarBasis, StarTier};
use crate::clue::{CustomerStanding, Source};
use crate::ids::{ContactPointId, CustomerId};
use crate::personal::Personal;
use crate::values::{Code, Contact, Instant, LineKey};

/// Commands to a customer.
#[derive(Clone, Debug, PartialEq)]
pub enum CustomerCommand {
    /// Make the customer known.
    Register {
        /// The business line that met the customer.
        line: LineKey,
        /// Where the customer came from.
        source: Source,
        /// What the customer is called.
        name: Option<Personal<String>>,
    },
    /// Call the customer otherwise.
    Rename {
        /// The new name.
        name: Personal<String>,
    },
    /// Record where the customer can be reached.
    AddContactPoint {
        /// Its identity.
        contact_point_id: ContactPointId,
        /// The contact.
        contact: Contact,
        /// The customer's own contact point of this value, when there is one.
        existing: Option<ContactPointId>,
    },
    /// Record that the contact point is the customer's.
    VerifyContactPoint {
        /// Which.
        contact_point_id: ContactPointId,
    },
    /// Record that the customer cannot be reached there.
    RemoveContactPoint {
        /// Which.
        contact_point_id: ContactPointId,
    },
    /// Record that another record is of the same person.
    Link {
        /// This record.
        own: CustomerId,
        /// The other record.
        other: CustomerId,
        /// What is known of the other record.
        other_standing: CustomerStanding,
    },
    /// Record that another record is not of the same person.
    Unlink {
        /// The other record.
        other: CustomerId,
    },
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
        /// The present.
        now: Instant,
    },
    /// Record that the stars lasted until now.
    ExpireStar {
        /// In which line.
        line: LineKey,
        /// The present.
        now: Instant,
    },
    /// Take the stars back.
    RevokeStar {
        /// In which line.
        line: LineKey,
    },
    /// Record that the customer agrees to a use of the data.
    GiveConsent {
        /// To what.
        purpose: Code,
    },
    /// Record that the customer agrees no more.
    WithdrawConsent {
        /// To what.
        purpose: Code,
    },
    /// Record whether the customer wants calls.
    SetDoNotCall {
        /// Whether calls are unwanted.
        do_not_call: bool,
    },
    /// Record that the customer's data key was destroyed.
    Erase {
        /// On what ground.
        ground: Code,
    },
}
