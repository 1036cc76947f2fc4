//! Star customers (星级客户): how likely to buy a score or a person holds a customer to be.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// One to five stars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct StarTier(u8);

/// A number that is no tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a customer has 1 to 5 stars")]
pub struct InvalidStarTier;

impl TryFrom<u8> for StarTier {
    type Error = InvalidStarTier;

    fn try_from(stars: u8) -> Result<Self, Self::Error> {
        (1..=5).contains(&stars).then_some(Self(stars)).ok_or(InvalidStarTier)
    }
}

impl From<StarTier> for u8 {
    fn from(tier: StarTier) -> Self {
        tier.0
    }
}

impl JsonSchema for StarTier {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StarTier".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 5 })
    }
}

/// What the stars rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StarBasis {
    /// A person's judgement.
    Person,
    /// The score of the business line.
    Score,
}
