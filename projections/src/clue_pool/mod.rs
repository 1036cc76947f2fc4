//! The pool (公海): clues that nobody owns, best customers first, then those that waited longest.
//!
//! Guarantees: the one order is one index; a row holds no name and no number, so that nothing is
//! there to be masked. Deliberately absent: whether a claim will succeed. The claim itself decides;
//! the former owner's cooldown is given as the facts it follows from.

mod projector;
mod query;
#[cfg(test)]
mod tests;

pub use projector::{CluePool, PoolRow};
pub use query::{PoolFilter, PoolItem, PoolQuery};
