//! GraphQL over HTTP, over real sockets.

mod answers;
mod health;
pub mod world;
