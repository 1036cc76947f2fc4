//! A replay's hold on a named consumer: nothing goes to a reader that lost its lease.
//!
//! A lease is for a reader, not for a connection. What the reader takes renews it; a heartbeat, which
//! nobody need have read, does so only for a while.

use std::time::Duration;

use domain::Position;
use domain::values::Code;
use projections::{ConsumerError, Consumers, Lately, LeaseId};
use tokio::time::Instant;

/// For how long, at least, heartbeats alone keep the lease of a reader that owes an acknowledgement.
const PATIENCE: Duration = Duration::from_secs(600);

/// The lease under which a replay delivers.
pub(super) struct Hold {
    consumers: Consumers,
    name: Code,
    lease: LeaseId,
    ttl: Duration,
    /// When the lease was renewed.
    renewed: Instant,
    /// When the reader took something.
    took: Instant,
}

impl Hold {
    /// On a lease that was taken or renewed just now.
    pub fn new(consumers: Consumers, name: Code, lease: LeaseId, ttl: Duration) -> Self {
        let now = Instant::now();
        Self { consumers, name, lease, ttl, renewed: now, took: now }
    }

    /// Notes what is about to go out, and renews the lease.
    pub async fn deliver(&mut self, position: Position) -> Result<(), ConsumerError> {
        self.consumers.deliver(&self.name, self.lease, position, self.ttl).await?;
        self.renewed = Instant::now();
        Ok(())
    }

    /// Notes that the reader wants more, and renews the lease when a third of its time has passed: a page
    /// may take longer than the lease lasts.
    pub async fn took(&mut self) -> Result<(), ConsumerError> {
        self.took = Instant::now();
        if self.renewed.elapsed() < self.ttl / 3 {
            return Ok(());
        }
        self.deliver(Position::ZERO).await
    }

    /// Renews the lease of a reader that is waiting, while it owes nothing or was heard of lately. Fails
    /// when the lease was lost.
    pub async fn keep(&mut self) -> Result<(), ConsumerError> {
        let within = PATIENCE.max(self.ttl);
        let lately = Lately { took: self.took.elapsed() < within, within };
        if self.consumers.keep(&self.name, self.lease, self.ttl, lately).await? {
            self.renewed = Instant::now();
        }
        Ok(())
    }
}
