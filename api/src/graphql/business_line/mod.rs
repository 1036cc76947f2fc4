//! Business lines: stages, custom fields and policies, which are data.

mod mutation;
mod query;
mod types;

pub use mutation::BusinessLineMutation;
pub use query::BusinessLineQuery;
pub use types::BusinessLineNode;
