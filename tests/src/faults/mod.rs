//! One-machine Jepsen: the real program under faults, and what must be true afterwards.
//!
//! Guarantees: a run is decided by its seed as far as it can be: which faults, in which order, behind
//! how many acknowledged commands, at which pass of a fail point, and what each client draws. The
//! operating system decides how processes interleave; a seed that failed shows the same faults again,
//! and mostly the same failure. A failure names its seed and its schedule.
//!
//! Deliberately absent: several machines, network partitions between replicas, wrong bytes from disks.

mod binary;
pub mod check;
mod clients;
pub mod command;
pub mod database;
mod disk;
mod followers;
pub mod points;
pub mod primary;
mod process;
mod proxy;
mod rounds;
mod run;
mod schedule;
pub mod site;

use std::time::Duration;

pub use run::{Failure, Plan, run};
pub use schedule::{Extent, Fault, Round, schedule};

/// How long anything may take that surely comes.
pub const PATIENCE: Duration = Duration::from_secs(120);
