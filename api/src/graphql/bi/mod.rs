//! BI facts: how clues go through the stages of a line. Pseudonyms only, no personal data.

mod query;
mod types;

pub use query::BiQueries;
