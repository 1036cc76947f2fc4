//! What the customer of a clue wants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::personal::Personal;
use crate::values::{Code, Label, Mileage, Money};

/// Most brands, models or body styles that a need names.
const MAX_NAMES: usize = 20;

/// Which way the customer wants to deal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Wants to buy a car.
    Buy,
    /// Wants to sell a car.
    Sell,
    /// Wants to give one car for another.
    Exchange,
    /// Wants something else of the business line.
    Other,
}

/// What the customer stated. Whatever was not stated is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Need {
    /// Which way the customer wants to deal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Lowest price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_min: Option<Money>,
    /// Highest price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_max: Option<Money>,
    /// Brands that would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub brands: Vec<Label>,
    /// Models that would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Label>,
    /// Body styles that would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body_styles: Vec<Code>,
    /// Longest distance driven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_mileage: Option<Mileage>,
    /// First registered in this year or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_since: Option<u16>,
    /// In the customer's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Personal<String>>,
}

/// Why a need makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeedError {
    /// Nothing was stated.
    #[error("a need states something")]
    Empty,
    /// The lowest price is above the highest, or the two are in different currencies.
    #[error("the budget ends below where it begins, or mixes currencies")]
    Budget,
    /// Too long a list.
    #[error("a need names at most 20 brands, models and body styles each")]
    TooMany,
    /// No car was registered then.
    #[error("a year of registration is from 1950 to 2100")]
    Year,
}

impl Need {
    /// Checks that the parts fit each other.
    ///
    /// # Errors
    /// Says what does not fit.
    pub fn validate(&self) -> Result<(), NeedError> {
        if *self == Self::default() {
            return Err(NeedError::Empty);
        }
        if let (Some(min), Some(max)) = (self.budget_min, self.budget_max)
            && (min.currency != max.currency || min.minor > max.minor)
        {
            return Err(NeedError::Budget);
        }
        if self.budget_min.into_iter().chain(self.budget_max).any(|bound| bound.minor < 0) {
            return Err(NeedError::Budget);
        }
        if [self.brands.len(), self.models.len(), self.body_styles.len()].iter().any(|n| *n > MAX_NAMES) {
            return Err(NeedError::TooMany);
        }
        if self.registered_since.is_some_and(|year| !(1950..=2100).contains(&year)) {
            return Err(NeedError::Year);
        }
        Ok(())
    }
}
