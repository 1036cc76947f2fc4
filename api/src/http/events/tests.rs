//! Replays over real sockets, from a log in memory.

mod access;
mod columns;
mod consumers;
mod endings;
mod following;
mod lines;
mod world;
