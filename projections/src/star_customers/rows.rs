//! Tables of star customers.

use domain::business_line::Signal;
use domain::envelope::Position;
use domain::ids::{ClueId, CustomerId, EventId};
use domain::values::{Instant, LineKey};

use crate::sql::record;

record! {
    /// A customer's score in a line.
    ScoreRow in STAR_CUSTOMERS = "star_customers",
    key (customer_id: CustomerId, line: LineKey), group customer_id: CustomerId {
        /// Which customer.
        customer_id: CustomerId,
        /// In which line.
        line: LineKey,
        /// The forward-decayed sum.
        score: i64,
        /// Stars; zero for none.
        tier: i64,
        /// How many signals there were.
        signals: i64,
        /// Position of the last event in it.
        position: Position,
    }
}

record! {
    /// One of the strongest signals.
    ReasonRow in STAR_REASON = "star_reason",
    key (customer_id: CustomerId, line: LineKey, rank: i64), group customer_id: CustomerId {
        /// Which customer.
        customer_id: CustomerId,
        /// In which line.
        line: LineKey,
        /// 1 is the strongest.
        rank: i64,
        /// What happened.
        signal: Signal,
        /// Points at the moment that it happened.
        points: i64,
        /// What it weighs for all time, by its forward-decayed size.
        weight: i64,
        /// When it happened.
        at: Instant,
        /// With which clue.
        clue_id: Option<ClueId>,
        /// The event that shows it.
        event_id: EventId,
        /// Its position.
        position: Position,
    }
}

record! {
    /// A signal, kept so that a new policy can score the past.
    SignalRow in STAR_SIGNAL = "star_signal", key (position: Position), group customer_id: CustomerId {
        /// Its event's position.
        position: Position,
        /// Of which customer.
        customer_id: CustomerId,
        /// In which line.
        line: LineKey,
        /// What happened.
        signal: Signal,
        /// When.
        at: Instant,
        /// With which clue.
        clue_id: Option<ClueId>,
        /// Its event.
        event_id: EventId,
    }
}

record! {
    /// The points of a signal under the policy in force.
    PolicyRow in STAR_POLICY = "star_policy", key (line: LineKey, signal: Signal), group line: LineKey {
        /// Of which line.
        line: LineKey,
        /// Which signal.
        signal: Signal,
        /// Points.
        points: i64,
        /// The half-life of all signals of the line.
        half_life_hours: u32,
        /// Version of the policy.
        version: u32,
    }
}
