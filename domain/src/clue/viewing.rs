//! Appointments to see a car.

use serde::{Deserialize, Serialize};

use crate::values::Instant;

/// Where an appointment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ViewingState {
    /// To come.
    Booked {
        /// When.
        at: Instant,
    },
    /// Called off.
    Cancelled,
    /// The customer came.
    Completed,
    /// The customer did not come.
    Missed,
}
