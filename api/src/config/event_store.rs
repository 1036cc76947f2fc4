//! The address of EventStoreDB, which may hold a password.

use std::fmt;

use commands::event_log::EventStoreAddress;

use super::DatabaseUrl;

/// The address of EventStoreDB: its debug form leaves a password out.
#[derive(Clone, PartialEq, Eq)]
pub struct EventStoreUrl(DatabaseUrl);

impl EventStoreUrl {
    /// The address of a node or a cluster.
    ///
    /// # Errors
    /// When it is none, or names a file that cannot be used. Never repeats the text.
    pub fn new(url: &str) -> Result<Self, String> {
        // The name of the stream is a setting of its own, checked with it.
        EventStoreAddress::new(url, super::DEFAULT_STREAM).map_err(|error| error.to_string())?;
        Ok(Self(DatabaseUrl(url.to_owned())))
    }

    /// The whole URL, password included: for connecting, never for showing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Display for EventStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for EventStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
