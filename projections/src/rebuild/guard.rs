//! The lease under which a copy is built, compared, swapped or dropped.
//!
//! Guarantees: it is kept up for as long as the work takes, whatever the work waits for; and who lost it
//! neither writes into a copy nor swaps one, whatever its clock says, for every transaction that touches
//! a copy ends with [`Guard::fence`].

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::runner::{Inner, Lease, Model, RunError, lease as leases};
use crate::sql::{SqlError, Tx};

/// Renews a lease until it is dropped, or another has taken it.
pub(super) struct Keeper(JoinHandle<()>);

impl Keeper {
    pub fn start(inner: &Arc<Inner>, lease: &Lease) -> Self {
        let (inner, mut lease, ttl) = (Arc::clone(inner), lease.clone(), inner.config.lease);
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(ttl / 3).await;
                match leases::renew(&inner.db, &mut lease, inner.clock.now(), ttl).await {
                    Ok(true) => {}
                    // The next transaction that touches the copy says so.
                    Ok(false) => return,
                    Err(error) => tracing::debug!(name = lease.name, %error, "the lease is not renewed yet"),
                }
            }
        }))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A lease that is kept up.
pub(super) struct Guard {
    inner: Arc<Inner>,
    lease: Lease,
    keeper: Keeper,
}

impl Guard {
    /// Takes the lease of a kind of work on a read model.
    pub async fn take(inner: &Arc<Inner>, model: &Model, kind: &str) -> Result<Arc<Self>, RunError> {
        let name = lease_name(model, kind);
        // An owner of its own: the same process must not run two of a kind at once either.
        let owner = uuid::Uuid::now_v7().to_string();
        let (now, ttl) = (inner.clock.now(), inner.config.lease);
        let taken = leases::acquire_plain(&inner.db, &name, &owner, now, ttl).await?;
        let lease = taken.ok_or(RunError::Held(name))?;
        let keeper = Keeper::start(inner, &lease);
        Ok(Arc::new(Self { inner: Arc::clone(inner), lease, keeper }))
    }

    /// Fails when another has the lease now. Says nothing of the next moment: see [`Self::fence`].
    pub async fn check(&self) -> Result<(), RunError> {
        if leases::is_ours(&self.inner.db, &self.lease).await? { Ok(()) } else { Err(RunError::Fenced) }
    }

    /// The last statement of a transaction that touches a copy: until it has ended nobody takes the
    /// lease, and when somebody has, it must not be committed.
    pub async fn fence(&self, tx: &mut Tx) -> Result<(), RunError> {
        let (now, ttl) = (self.inner.clock.now(), self.inner.config.lease);
        if leases::renew_in(tx, &self.lease, now, ttl).await? { Ok(()) } else { Err(RunError::Fenced) }
    }

    /// Lets the lease go.
    pub async fn release(&self) -> Result<(), SqlError> {
        self.keeper.0.abort();
        leases::release(&self.inner.db, &self.lease).await
    }
}

/// The name of the lease of a kind of work on a read model.
pub(super) fn lease_name(model: &Model, kind: &str) -> String {
    format!("{kind}:{}", model.name())
}
