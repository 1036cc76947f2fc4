//! Who may have proofs of the log: one answer for HTTP and GraphQL.
//!
//! Leaves and roots tell nothing of what is in an event, but a proof is an auditor's tool.

use std::collections::BTreeSet;
use std::sync::Arc;

use commands::proof::{Consistency, Directory, Inclusion, ProveError, Prover, Signed};
use domain::Position;
use domain::operator::Role;
use domain::proof::Tile;

use crate::config::Config;
use crate::keys::Keys;

/// Proofs for those who may have them. Cheap to clone.
#[derive(Clone)]
pub struct Proofs {
    prover: Option<Prover>,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofsError {
    /// The caller may not have it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The installation has no key to sign with.
    #[error("this log is not signed: there is no key for it")]
    NoKey,
    /// See there.
    #[error(transparent)]
    Prove(#[from] ProveError),
}

impl ProofsError {
    /// The stable word that clients switch on; `None` when it is our own fault.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Forbidden(_) => Some("forbidden"),
            Self::NoKey | Self::Prove(ProveError::NothingSigned) => Some("log_not_signed"),
            Self::Prove(ProveError::NotYet { .. }) => Some("not_signed_yet"),
            Self::Prove(ProveError::Sizes) => Some("bad_input"),
            Self::Prove(ProveError::Place(_) | ProveError::Damaged(_)) => None,
        }
    }
}

impl Proofs {
    /// Proofs from the checkpoints that are configured.
    #[must_use]
    pub fn new(config: &Config, keys: &Keys) -> Self {
        let place = Arc::new(Directory::new(&config.checkpoints_dir));
        Self { prover: keys.log().map(|signer| Prover::new(place, signer.verifier().clone())) }
    }

    /// The newest checkpoint, for BI and auditors.
    ///
    /// # Errors
    /// See [`ProofsError`].
    pub async fn checkpoint(&self, roles: &BTreeSet<Role>) -> Result<Signed, ProofsError> {
        if !roles.contains(&Role::Bi) && !roles.contains(&Role::Auditor) {
            let message = "checkpoints are for operators with the role bi or auditor";
            return Err(ProofsError::Forbidden(message));
        }
        self.newest().await
    }

    /// The newest checkpoint, for whoever has the files anyway.
    ///
    /// # Errors
    /// See [`ProofsError`].
    pub async fn newest(&self) -> Result<Signed, ProofsError> {
        Ok(self.prover()?.newest().await?)
    }

    /// The content of a tile, for auditors.
    ///
    /// # Errors
    /// See [`ProofsError`].
    pub async fn tile(&self, roles: &BTreeSet<Role>, tile: Tile) -> Result<Option<Vec<u8>>, ProofsError> {
        Ok(self.auditors(roles)?.tile(tile).await?)
    }

    /// The proof that an event is in the log, for auditors.
    ///
    /// # Errors
    /// See [`ProofsError`].
    pub async fn inclusion(
        &self,
        roles: &BTreeSet<Role>,
        position: Position,
        size: Option<u64>,
    ) -> Result<Inclusion, ProofsError> {
        Ok(self.auditors(roles)?.inclusion(position, size).await?)
    }

    /// The proof that one tree is the beginning of another, for auditors.
    ///
    /// # Errors
    /// See [`ProofsError`].
    pub async fn consistency(
        &self,
        roles: &BTreeSet<Role>,
        from: u64,
        to: Option<u64>,
    ) -> Result<Consistency, ProofsError> {
        Ok(self.auditors(roles)?.consistency(from, to).await?)
    }

    /// Whether proofs are for somebody with these roles.
    ///
    /// # Errors
    /// [`ProofsError::Forbidden`].
    pub fn check(&self, roles: &BTreeSet<Role>) -> Result<(), ProofsError> {
        if roles.contains(&Role::Auditor) {
            return Ok(());
        }
        Err(ProofsError::Forbidden("proofs are for operators with the role auditor"))
    }

    fn auditors(&self, roles: &BTreeSet<Role>) -> Result<&Prover, ProofsError> {
        self.check(roles)?;
        self.prover()
    }

    fn prover(&self) -> Result<&Prover, ProofsError> {
        self.prover.as_ref().ok_or(ProofsError::NoKey)
    }
}
