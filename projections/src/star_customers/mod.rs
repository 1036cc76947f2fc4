//! Star customers (星级客户): who is likely to buy, and why.
//!
//! The score of a customer in a line is the sum of the points of the customer's signals, each
//! halved once a half-life since it happened. Points and half-life are the line's score policy.
//! It is stored *forward-decayed* (Cormode, Shkapenyuk, Srivastava, Xu: "Forward Decay: A Practical
//! Time Decay Model for Streaming Systems", ICDE 2009): see [`Score`].
//!
//! Guarantees: no clock takes part, and yet `ORDER BY score` is right at every moment, because time
//! multiplies all scores of a line by one factor; a new policy scores the past too, from the stored
//! signals, so that the scores of a line always follow one policy; stars themselves change by
//! customer events alone, never because a score moved.
//!
//! Deliberately absent: learning. Weights are data that people publish.

mod policy;
mod projector;
mod query;
mod rows;
mod score;
#[cfg(test)]
mod tests;

pub use projector::StarCustomers;
pub use query::{ReasonItem, ScoreItem, StarOrder, StarQuery};
pub use score::Score;
