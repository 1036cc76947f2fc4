//! The clue list: every clue as lists, boards and searches show it.
//!
//! Guarantees: every order that it offers is an index under every usual filter (owner, team, line,
//! all), so that a page costs the same whatever the size of the table; a search by name or phone is
//! driven from its own index, never from a scan; whoever sees no personal data cannot search by it.
//!
//! Deliberately absent: the list as of a past instant ([`crate::history`] has it), and exact totals:
//! counting is bounded.

mod filter;
mod fold;
mod projector;
mod query;
mod rows;
mod since;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use filter::{ClueFilter, ClueOrder, FieldFilter, FieldMatch, PhoneFilter, Span};
pub(crate) use filter::{Narrow, Part, push_field_match, scopes};
pub(crate) use fold::{captured_row, fold_row};
pub use projector::ClueList;
pub use query::{ClueCount, ClueItem, ClueListQuery, FieldItem, FieldShown};
pub(crate) use query::{FEW, MAX_NAME_PART, phone_column, sort_key};
pub(crate) use rows::CLUE_LIST;
pub use rows::{ClueRow, DepartureRow, NEVER};
pub use since::Since;
