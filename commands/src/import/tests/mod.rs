//! What the parts promise that no run through a store shows.

mod detecting;
mod mapping;
mod scanning;
