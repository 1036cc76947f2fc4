//! Inputs that several mutations of clues share.

use async_graphql::InputObject;
use domain::clue::{Need, Source};
use domain::personal::Personal;
use domain::values::{Code, Label, Mileage, SourceKey};

use crate::graphql::enums::Intent;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Money, Text};

/// Where a record came from.
#[derive(Clone, Debug, InputObject)]
pub struct SourceInput {
    /// The channel, for example `website`.
    pub channel: Text<Code>,
    /// What the source calls the record; with the channel and the line it is unique for ever.
    pub key: Option<Text<SourceKey>>,
    /// The campaign that brought it.
    pub campaign: Option<Text<Label>>,
}

/// What the customer wants, as far as it was stated.
#[derive(Clone, Debug, InputObject)]
pub struct NeedInput {
    /// Which way the customer wants to deal.
    pub intent: Option<Intent>,
    /// Lowest price.
    pub budget_min: Option<Money>,
    /// Highest price.
    pub budget_max: Option<Money>,
    /// Brands that would do.
    pub brands: Option<Vec<Text<Label>>>,
    /// Models that would do.
    pub models: Option<Vec<Text<Label>>>,
    /// Body styles that would do.
    pub body_styles: Option<Vec<Text<Code>>>,
    /// Longest distance driven, in kilometres.
    pub max_mileage_km: Option<i32>,
    /// First registered in this year or later.
    pub registered_since: Option<i32>,
    /// In the customer's words.
    pub note: Option<String>,
}

impl From<SourceInput> for Source {
    fn from(input: SourceInput) -> Self {
        Self {
            channel: input.channel.0,
            key: input.key.map(|key| key.0),
            campaign: input.campaign.map(|campaign| campaign.0),
        }
    }
}

impl TryFrom<NeedInput> for Need {
    type Error = ApiError;

    fn try_from(input: NeedInput) -> Result<Self, ApiError> {
        let plain =
            |list: Option<Vec<Text<Label>>>| list.unwrap_or_default().into_iter().map(|label| label.0);
        let mileage = input.max_mileage_km.map(u32::try_from).transpose();
        let mileage = mileage.map_err(|_| ApiError::bad_input("a distance is not negative"))?;
        let year = input.registered_since.map(u16::try_from).transpose();
        Ok(Self {
            intent: input.intent.map(Into::into),
            budget_min: input.budget_min.map(|money| money.0),
            budget_max: input.budget_max.map(|money| money.0),
            brands: plain(input.brands).collect(),
            models: plain(input.models).collect(),
            body_styles: input.body_styles.unwrap_or_default().into_iter().map(|code| code.0).collect(),
            max_mileage: mileage.map(Mileage::kilometres),
            registered_since: year.map_err(|_| ApiError::bad_input("a year has four digits"))?,
            note: input.note.as_deref().and_then(Personal::text),
        })
    }
}
