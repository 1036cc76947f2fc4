//! Tables of customers.

use domain::clue::{FollowUpChannel, FollowUpOutcome, Lifecycle};
use domain::customer::StarBasis;
use domain::envelope::{Actor, Position};
use domain::ids::{ClueId, ContactPointId, CustomerId, EventId, OperatorId, TeamId};
use domain::values::{Code, ContactKind, Currency, Instant, LineKey};

use crate::sql::record;

record! {
    /// A customer.
    CustomerRow in CUSTOMERS = "customers", key (customer_id: CustomerId), group customer_id: CustomerId {
        /// Which customer.
        customer_id: CustomerId,
        /// The line that met the customer first.
        line: LineKey,
        /// What the customer is called.
        name: Option<String>,
        /// The channel that the customer came through.
        source_channel: Code,
        /// The campaign that brought the customer.
        campaign: Option<String>,
        /// When the customer became known.
        registered_at: Instant,
        /// Whether calls are unwanted.
        do_not_call: bool,
        /// When the customer was erased.
        erased_at: Option<Instant>,
        /// On what ground.
        erasure_ground: Option<Code>,
        /// Position of the last event in it.
        position: Position,
    }
}

record! {
    /// A contact point.
    ContactRow in CUSTOMER_CONTACT = "customer_contact",
    key (customer_id: CustomerId, contact_point_id: ContactPointId), group customer_id: CustomerId {
        /// Whose.
        customer_id: CustomerId,
        /// Which.
        contact_point_id: ContactPointId,
        /// What kind.
        kind: ContactKind,
        /// Its normal form; null once erased.
        value: Option<String>,
        /// Whether somebody made sure of it.
        verified: bool,
        /// When it became known.
        added_at: Instant,
    }
}

record! {
    /// Keyed hashes of a phone number.
    PhoneRow in CUSTOMER_PHONE = "customer_phone",
    key (customer_id: CustomerId, contact_point_id: ContactPointId), group customer_id: CustomerId {
        /// Whose.
        customer_id: CustomerId,
        /// Which contact point.
        contact_point_id: ContactPointId,
        /// Of the whole number.
        exact: String,
        /// Of its last eight digits.
        last8: String,
        /// Of its last four digits.
        last4: String,
    }
}

record! {
    /// A consent.
    ConsentRow in CUSTOMER_CONSENT = "customer_consent",
    key (customer_id: CustomerId, purpose: Code), group customer_id: CustomerId {
        /// Whose.
        customer_id: CustomerId,
        /// To what.
        purpose: Code,
        /// Since when.
        given_at: Instant,
    }
}

record! {
    /// Stars in a line.
    StarRow in CUSTOMER_STAR = "customer_star",
    key (customer_id: CustomerId, line: LineKey), group customer_id: CustomerId {
        /// Whose.
        customer_id: CustomerId,
        /// In which line.
        line: LineKey,
        /// How many.
        tier: i64,
        /// What they rest on.
        basis: StarBasis,
        /// Since when.
        granted_at: Instant,
        /// Until when.
        expires_at: Option<Instant>,
    }
}

record! {
    /// Another record of the same person.
    LinkRow in CUSTOMER_LINK = "customer_link",
    key (customer_id: CustomerId, other_id: CustomerId), group customer_id: CustomerId {
        /// Whose.
        customer_id: CustomerId,
        /// The other record.
        other_id: CustomerId,
        /// Since when.
        linked_at: Instant,
    }
}

record! {
    /// A customer's clue, as far as it decides who sees the customer.
    CustomerClueRow in CUSTOMER_CLUE = "customer_clue", key (clue_id: ClueId), group customer_id: CustomerId {
        /// Which clue.
        clue_id: ClueId,
        /// Whose.
        customer_id: CustomerId,
        /// Its line.
        line: LineKey,
        /// Where it is in its life.
        lifecycle: Lifecycle,
        /// Who works it.
        owner_id: Option<OperatorId>,
        /// The owner's team.
        team_id: Option<TeamId>,
        /// When it came in.
        captured_at: Instant,
    }
}

record! {
    /// Something that happened with a customer.
    TimelineRow in CUSTOMER_TIMELINE = "customer_timeline", key (position: Position), group customer_id: CustomerId {
        /// Its event's position.
        position: Position,
        /// With whom.
        customer_id: CustomerId,
        /// Its event.
        event_id: EventId,
        /// The event's stored type, for example `clue.follow_up_logged`.
        kind: String,
        /// Business time.
        occurred_at: Instant,
        /// When the log took it.
        recorded_at: Instant,
        /// Who did it.
        actor: Actor,
        /// For whom.
        on_behalf_of: Option<OperatorId>,
        /// In which line.
        line: Option<LineKey>,
        /// With which clue.
        clue_id: Option<ClueId>,
        /// The follow-up, viewing, contact point or other customer that it is about.
        subject_ref: Option<String>,
        /// The operator whom it concerns.
        operator_id: Option<OperatorId>,
        /// Another operator: the former owner, the approver, the winner.
        other_operator_id: Option<OperatorId>,
        /// The stage before.
        from_word: Option<String>,
        /// The stage after, a reason, a purpose, a contact's kind.
        to_word: Option<String>,
        /// When it is to be, or was.
        at: Option<Instant>,
        /// When the next contact is planned.
        next_at: Option<Instant>,
        /// How long the talk was.
        duration_seconds: Option<i64>,
        /// How the contact was.
        channel: Option<FollowUpChannel>,
        /// What came of it.
        outcome: Option<FollowUpOutcome>,
        /// For how much; for stars, how many.
        amount_minor: Option<i64>,
        /// In which currency.
        currency: Option<Currency>,
        /// What was written.
        note: Option<String>,
        /// Whether something was written and is gone.
        note_redacted: bool,
    }
}
