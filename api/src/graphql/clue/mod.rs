//! Clues: the list, the pool, one clue, everything that can be done with it, and its changes live.

mod field;
mod filter;
mod input;
mod mutation;
mod pool;
mod query;
mod subscription;
mod types;
mod work;

pub use field::{
    ChoiceValue, DateValue, FieldEntryNode, FieldValue, FlagValue, InstantValue, MoneyValue, NumberValue,
    TextValue,
};
pub use input::SourceInput;
pub use mutation::ClueMutation;
pub use pool::{PoolQueries, PooledClueNode};
pub use query::ClueQuery;
pub use subscription::ClueSubscription;
pub use types::ClueNode;
pub use work::ClueWorkMutation;
