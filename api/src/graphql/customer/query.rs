//! Reads customers.

use async_graphql::{Context, Object};
use domain::ids::CustomerId;
use domain::values::{LineKey, Phone};

use super::types::CustomerNode;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{Id, Instant, Position, Text};
use crate::graphql::services::{READ_TOGETHER, Session, session};

/// Queries of customers.
#[derive(Default)]
pub struct CustomerQuery;

#[Object]
impl CustomerQuery {
    /// One customer; null when the caller may not see such a one.
    async fn customer(
        &self,
        ctx: &Context<'_>,
        id: Id<CustomerId>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
        #[graphql(
            desc = "The state at this instant, by when the log took events, to be seen with the rights of today; \
                          the present when absent."
        )]
        as_of: Option<Instant>,
    ) -> async_graphql::Result<Option<CustomerNode>> {
        let session = session(ctx)?;
        session.at_least(READ_TOGETHER, at_least).await?;
        if let Some(moment) = session.as_of(as_of).await? {
            let history = &session.services.history;
            let found = history.customers_at(&session.viewer, &[id.0], moment.position).await;
            let found = found.map_err(ApiError::from)?.remove(&id.0);
            return Ok(found.map(|item| CustomerNode::at(item, Some((&moment).into()))));
        }
        let found = session.services.customers.get(&session.viewer, id.0).await.map_err(ApiError::from)?;
        Ok(found.map(CustomerNode::from))
    }

    /// Who has this phone number: who calls. Numbers are taken as people write them.
    async fn customer_by_phone(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number, with or without prefix.")] phone: String,
        #[graphql(
            desc = "The line whose country reads numbers without a prefix; needed by callers of several."
        )]
        line: Option<Text<LineKey>>,
        #[graphql(desc = "As of this position of the log, or later.")] at_least: Option<Position>,
    ) -> async_graphql::Result<Vec<CustomerNode>> {
        let session = session(ctx)?;
        let number = read_phone(session, &phone, line.as_ref())?;
        session.at_least(READ_TOGETHER, at_least).await?;
        let found = session.services.customers.by_phone(&session.viewer, number.as_str()).await;
        Ok(found.map_err(ApiError::from)?.into_iter().map(CustomerNode::from).collect())
    }
}

/// A number as somebody wrote it, by the rules of a line's country.
pub(in crate::graphql) fn read_phone(
    session: &Session,
    text: &str,
    line: Option<&Text<LineKey>>,
) -> Result<Phone, ApiError> {
    let own = || session.viewer.lines.iter().chain(session.snapshot.lines.keys()).next();
    let line = line.map(|line| &line.0).or_else(own);
    let country = line.and_then(|line| session.snapshot.lines.get(line)?.definition.country());
    let country = country.ok_or_else(|| ApiError::bad_input("there is no such business line"))?;
    Phone::parse(text, country).map_err(|error| ApiError::bad_input(error.to_string()))
}
