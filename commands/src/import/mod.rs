//! Import of clues from delimited files.
//!
//! Guarantees: every row is accepted, already known, or rejected with line, column and reason, its
//! bytes kept as they were; rows go through the same command as everybody else's clues; a row is
//! known by its source's own key, so a second run appends nothing; rows that share a key or a
//! contact are done in the order of the file, so a run that was killed and started again ends with
//! the same state as one that was not (only the order in which rows without a common contact add
//! theirs to one customer is left open); memory is bounded, whatever the file; a store that does not
//! answer fails the run, never a row.
//!
//! Deliberately absent: changing clues that are known; dates that begin with day or month, and
//! UTF-16; keys for records that their source gives none; files that come through a pipe, because a
//! file is looked at before it is read.

mod convert;
mod detect;
mod error;
mod in_flight;
mod map;
mod patience;
mod plan;
mod record;
mod rejected;
mod run;
mod scan;
mod source;
mod summary;
#[cfg(test)]
mod tests;
mod values;

pub use detect::Layout;
pub use error::ImportError;
pub use map::{Map, MapError};
pub use patience::Patience;
pub use run::{Options, import};
pub use scan::{Dialect, Encoding};
pub use summary::{Progress, Summary};
