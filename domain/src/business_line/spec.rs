//! The whole description of a business line, as a file gives it.

use super::field::FieldDefinition;
use super::policy::Policy;
use super::stage_graph::StageGraph;
use crate::values::{Country, Currency, Label, LineKey, TimeZone};

/// What a business line should be. Fields that exist and are not named here are retired; policies
/// that are not named keep their version.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct LineSpec {
    /// Its identity for ever.
    pub key: LineKey,
    /// What people call it.
    pub name: Label,
    /// Whose numbering plan reads phone numbers without a prefix.
    pub country: Country,
    /// Where its local days begin.
    pub time_zone: TimeZone,
    /// The currency of its amounts.
    pub currency: Currency,
    /// Its stages and moves.
    pub graph: StageGraph,
    /// Its custom fields.
    pub fields: Vec<FieldDefinition>,
    /// Its policies, at most one of a kind.
    pub policies: Vec<Policy>,
}
