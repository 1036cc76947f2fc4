//! What can happen to a customer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::star::{StarBasis, StarTier};
use crate::clue::Source;
use crate::codec::event_contract;
use crate::ids::{ContactPointId, CustomerId};
use crate::personal::Personal;
use crate::values::{Code, ContactKind, Instant, LineKey};

/// Events of a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CustomerEvent {
    /// The customer became known.
    Registered {
        /// The business line that met the customer first.
        line: LineKey,
        /// Where the customer came from.
        source: Source,
        /// What the customer is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Personal<String>>,
    },
    /// The customer is called otherwise.
    Renamed {
        /// The new name.
        name: Personal<String>,
    },
    /// The customer can be reached here.
    ContactPointAdded {
        /// Its identity; random, it says nothing of the value.
        contact_point_id: ContactPointId,
        /// What kind it is.
        kind: ContactKind,
        /// Its normal form.
        value: Personal<String>,
    },
    /// Somebody made sure that the contact point is the customer's.
    ContactPointVerified {
        /// Which.
        contact_point_id: ContactPointId,
    },
    /// The customer cannot be reached here any more.
    ContactPointRemoved {
        /// Which.
        contact_point_id: ContactPointId,
    },
    /// Two records are of one person.
    Linked {
        /// The other record.
        other: CustomerId,
    },
    /// Two records are of one person no more.
    Unlinked {
        /// The other record.
        other: CustomerId,
    },
    /// The customer is held likely to buy.
    StarGranted {
        /// In which line.
        line: LineKey,
        /// How likely.
        tier: StarTier,
        /// What that rests on.
        basis: StarBasis,
        /// Until when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Instant>,
    },
    /// The stars lasted until now.
    StarExpired {
        /// In which line.
        line: LineKey,
    },
    /// The stars were taken back.
    StarRevoked {
        /// In which line.
        line: LineKey,
    },
    /// The customer agrees to a use of the data.
    ConsentGiven {
        /// To what.
        purpose: Code,
    },
    /// The customer agrees no more.
    ConsentWithdrawn {
        /// To what.
        purpose: Code,
    },
    /// The customer does, or does not, want calls.
    DoNotCallSet {
        /// Whether calls are unwanted.
        do_not_call: bool,
    },
    /// The customer's data key was destroyed: nobody can read who this was.
    Erased {
        /// On what ground.
        ground: Code,
    },
}

event_contract!(CustomerEvent {
    Registered => "customer.registered" v 1,
    Renamed => "customer.renamed" v 1,
    ContactPointAdded => "customer.contact_point_added" v 1,
    ContactPointVerified => "customer.contact_point_verified" v 1,
    ContactPointRemoved => "customer.contact_point_removed" v 1,
    Linked => "customer.linked" v 1,
    Unlinked => "customer.unlinked" v 1,
    StarGranted => "customer.star_granted" v 1,
    StarExpired => "customer.star_expired" v 1,
    StarRevoked => "customer.star_revoked" v 1,
    ConsentGiven => "customer.consent_given" v 1,
    ConsentWithdrawn => "customer.consent_withdrawn" v 1,
    DoNotCallSet => "customer.do_not_call_set" v 1,
    Erased => "customer.erased" v 1,
});
