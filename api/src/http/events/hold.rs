//! A replay's hold on a named consumer: nothing goes to a reader that lost its lease.

use std::time::Duration;

use domain::Position;
use domain::values::Code;
use projections::{ConsumerError, Consumers, LeaseId};

/// The lease under which a replay delivers.
pub(super) struct Hold {
    pub consumers: Consumers,
    pub name: Code,
    pub lease: LeaseId,
    pub ttl: Duration,
}

impl Hold {
    /// Notes what is about to go out, and renews the lease.
    pub async fn deliver(&self, position: Position) -> Result<(), ConsumerError> {
        self.consumers.deliver(&self.name, self.lease, position, self.ttl).await
    }
}
