//! A clue (线索): a person's intent to buy or sell a car, worked to a deal or a loss.
//!
//! Guarantees: the lifecycle (captured, pooled, owned, in loss review, won, lost, invalid) is code
//! and takes no other path than the state machine below; a live clue in work has exactly one owner
//! and a pooled one none; the first response is recorded once; of many claims exactly one wins.
//!
//! ```text
//! captured -> pooled | owned | won            (won: the deal was done before the clue came in)
//! pooled   -> owned (assign, claim)
//! owned    -> pooled (release) | owned (transfer) | won | loss review | lost (no review demanded)
//! loss review -> owned (rejected) | lost (approved)
//! captured | pooled | owned -> invalid
//! lost | invalid -> pooled (reopen)
//! ```
//!
//! Deliberately absent: the customer's identity, which is in the customer's events alone, and
//! refused claims, which are in [`crate::clue_attempts`] so that they conflict with nothing.

mod aggregate;
mod capture;
mod command;
mod error;
mod event;
mod lifecycle;
mod need;
#[cfg(test)]
mod tests;
mod viewing;

pub use aggregate::{Clue, Owner};
pub use command::{Assignee, AssigneeStanding, ClueCommand, CustomerStanding};
pub use error::ClueError;
pub use event::{ClueEvent, FollowUp, FollowUpChannel, FollowUpOutcome, Source};
pub use lifecycle::Lifecycle;
pub use need::{Intent, Need, NeedError};
pub use viewing::ViewingState;
