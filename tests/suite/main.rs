//! The suite: contracts between the parts, and the product as its users meet it.

#![allow(missing_docs, reason = "tests say in their names what they are about")]

#[macro_use]
mod conformance;
mod app_role;
mod backup;
mod command_service;
mod erasure;
mod eventstore;
mod faults;
mod import;
mod outage;
mod proof;
mod tidy;
