//! Proves the log: signs checkpoints of it outside the database, answers with proofs, and audits.
//!
//! Guarantees:
//! - a checkpoint is signed only over what the log holds, only behind the last one, and only when the
//!   tree that was signed last is the beginning of the new one; what is in doubt is refused loudly;
//! - tiles are durable before the checkpoint that needs them; a kill at any moment leaves a place from
//!   which sealing goes on without computing everything anew;
//! - processes that share a place take turns;
//! - a proof reads a few tiles, whatever the length of the log, and is checked before it is given;
//! - an audit takes nothing on trust but the verifier key, needs constant memory, and names the events
//!   and the files that are not what was signed.
//!
//! Deliberately absent: any part in appending, tables of its own (the tree's truth is the log, its
//! tiles are files), and keeping somebody who holds the signing key, the place and the database from
//! writing another history: copies of checkpoints elsewhere do that.

mod audit;
mod directory;
mod history;
mod leaves;
mod place;
mod prover;
mod sealer;
mod tiles;

pub use audit::{AuditError, AuditFault, AuditReport, Page, audit, live_pages, printable};
pub use directory::Directory;
pub use leaves::{Leaves, leaves};
pub use place::{Lock, Place, PlaceError};
pub use prover::{Consistency, Inclusion, ProveError, Prover, Signed};
pub use sealer::{SealError, Sealed, Sealer};
