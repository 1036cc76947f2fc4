//! The command service on real stores.
