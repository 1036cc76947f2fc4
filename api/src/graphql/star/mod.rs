//! Star customers: who is likely to buy, and why the score says so.

mod query;
mod types;

pub use query::StarQueries;
