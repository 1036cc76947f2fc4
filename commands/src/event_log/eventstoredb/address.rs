//! Where the log is in EventStoreDB, and what must be right before the client may have the address.

use std::fmt;

use eventstore::ClientSettings;

use super::tls;

/// Longest name of a stream.
const LONGEST_NAME: usize = 200;

/// A node or a cluster of EventStoreDB, and the stream that is the log.
#[derive(Clone, PartialEq, Eq)]
pub struct EventStoreAddress {
    pub(super) settings: ClientSettings,
    pub(super) stream: String,
}

/// An address that names no log in EventStoreDB. It never repeats the address: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no address of EventStoreDB.
    #[error(
        "an address of EventStoreDB is esdb://HOST:PORT, esdb://HOST:PORT,HOST:PORT or esdb+discover://NAME"
    )]
    Url,
    /// One of its parameters cannot be used.
    #[error("the parameter {name} of the EventStoreDB address: {reason}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// No stream of this name can be the log.
    #[error(
        "the stream of the log is named with up to 200 letters, digits, dots, dashes and underscores, \
         beginning with a letter or a digit"
    )]
    Stream,
}

impl EventStoreAddress {
    /// The log in `stream` of the EventStoreDB at `url`. Files that the URL names are read here: the
    /// client would panic over a bad one.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn new(url: &str, stream: &str) -> Result<Self, AddressError> {
        let scheme = ["esdb://", "esdb+discover://"].iter().find(|scheme| url.starts_with(**scheme));
        let hosts = scheme.map(|scheme| &url[scheme.len()..]).unwrap_or_default();
        if hosts.is_empty() || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AddressError::Url);
        }
        check_connection_name(url)?;
        let settings: ClientSettings = url.parse().map_err(|_| AddressError::Url)?;
        if settings.hosts().is_empty() || settings.hosts().iter().any(|host| host.host.is_empty()) {
            return Err(AddressError::Url);
        }
        tls::check_files(&settings)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins = stream.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !begins || stream.len() > LONGEST_NAME || !stream.bytes().all(fits) {
            return Err(AddressError::Stream);
        }
        Ok(Self { settings, stream: stream.to_owned() })
    }

    /// The stream that is the log.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }
}

/// The client puts the name into a header, and panics over one that fits into none.
fn check_connection_name(url: &str) -> Result<(), AddressError> {
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.eq_ignore_ascii_case("connectionName") && !value.bytes().all(fits) {
            let reason = "letters, digits, dots, dashes and underscores".to_owned();
            return Err(AddressError::Parameter { name: "connectionName", reason });
        }
    }
    Ok(())
}

impl fmt::Debug for EventStoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStoreAddress").field("stream", &self.stream).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_clusters_and_names_are_addresses() {
        for url in [
            "esdb://localhost",
            "esdb://admin:changeit@localhost:2113?tls=false",
            "esdb://one:1111,two:2222,three:3333?tls=false&nodePreference=leader",
            "esdb+discover://cluster.example:2113",
        ] {
            assert!(EventStoreAddress::new(url, "cluestream").is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for url in [
            "",
            "esdb://",
            "http://u:s3cret@host",
            "postgres://u:s3cret@host/db",
            "esdb://u:s3cret@host:port",
            "esdb://u:s3cret@host/path",
            "esdb://u:s3cret@host?tls=perhaps",
            "esdb://u:s3cret@h ost",
            "esdb://u:s3cret@host?connectionName=a%0ab",
            "esdb://u:s3cret@host?tlsCaFile=/nowhere/s3cret.pem",
            "esdb://u:s3cret@host?userCertFile=/nowhere/a.pem&userKeyFile=/nowhere/b.pem",
        ] {
            let error = EventStoreAddress::new(url, "cluestream").expect_err(url);
            assert!(!error.to_string().contains("u:s3cret"), "{error}");
        }
    }

    #[test]
    fn system_streams_and_odd_names_are_no_log() {
        for stream in ["", "$all", "$$cluestream", "a b", "ä", &"a".repeat(201)] {
            let address = EventStoreAddress::new("esdb://localhost?tls=false", stream);
            assert_eq!(address, Err(AddressError::Stream), "{stream}");
        }
    }

    #[test]
    fn an_address_shown_for_debugging_holds_no_password() {
        let address = EventStoreAddress::new("esdb://u:s3cret@localhost", "cluestream").unwrap();
        assert!(!format!("{address:?}").contains("s3cret"));
    }
}
