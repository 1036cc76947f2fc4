//! Loaders: what several rows of an answer ask for at once is asked of the read side once.
//!
//! Guarantees: a loader carries its caller, by the directory of the moment at which it asks, so that
//! batching shows nobody more than asking one by one, and a long subscription no more than a query
//! at the same moment. Deliberately absent: caching beyond a batch.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_graphql::dataloader::{DataLoader, Loader};
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::values::LineKey;
use projections::Viewer;
use projections::clue_list::{ClueItem, ClueList, FieldItem};
use projections::customer::{CustomerItem, Customers};
use projections::star_customers::{ReasonItem, StarCustomers};

use super::error::ApiError;
use super::services::{Services, Session, Wanted};

/// The loaders of a request, made when they are first needed.
pub struct Loaders {
    source: Source,
    loader: OnceLock<DataLoader<Source>>,
}

/// Asks for one caller.
#[derive(Clone)]
pub struct Source {
    services: Arc<Services>,
    operator_id: OperatorId,
    wanted: Wanted,
}

/// The custom fields of a clue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldsOf(pub ClueId);

/// The clues of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CluesOf(pub CustomerId);

/// The reasons of a customer's score in a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReasonsOf(pub CustomerId, pub LineKey);

impl Loaders {
    /// Loaders of a session's caller.
    #[must_use]
    pub fn new(session: &Session) -> Self {
        let services = session.services.clone();
        let operator_id = session.request.caller.operator_id;
        let source = Source { services, operator_id, wanted: session.wanted() };
        Self { source, loader: OnceLock::new() }
    }

    /// The loader of all keys.
    pub fn get(&self) -> &DataLoader<Source> {
        self.loader.get_or_init(|| DataLoader::new(self.source.clone(), tokio::spawn))
    }
}

impl Source {
    /// What the caller may see now, nothing once suspended; after the read model shows what the
    /// request asked for.
    async fn viewer(&self, model: &str) -> Result<Viewer, ApiError> {
        self.wanted.settle(&self.services, &[model]).await?;
        Ok(self.services.directory.now().viewer(self.operator_id).unwrap_or_default())
    }
}

impl Loader<ClueId> for Source {
    type Value = ClueItem;
    type Error = ApiError;

    async fn load(&self, keys: &[ClueId]) -> Result<HashMap<ClueId, ClueItem>, ApiError> {
        Ok(self.services.clues.by_ids(&self.viewer(ClueList::NAME).await?, keys).await?)
    }
}

impl Loader<CustomerId> for Source {
    type Value = CustomerItem;
    type Error = ApiError;

    async fn load(&self, keys: &[CustomerId]) -> Result<HashMap<CustomerId, CustomerItem>, ApiError> {
        Ok(self.services.customers.by_ids(&self.viewer(Customers::NAME).await?, keys).await?)
    }
}

impl Loader<FieldsOf> for Source {
    type Value = Vec<FieldItem>;
    type Error = ApiError;

    async fn load(&self, keys: &[FieldsOf]) -> Result<HashMap<FieldsOf, Vec<FieldItem>>, ApiError> {
        let ids: Vec<ClueId> = keys.iter().map(|key| key.0).collect();
        let found = self.services.clues.fields(&self.viewer(ClueList::NAME).await?, &ids).await?;
        Ok(found.into_iter().map(|(id, fields)| (FieldsOf(id), fields)).collect())
    }
}

impl Loader<CluesOf> for Source {
    type Value = Vec<ClueItem>;
    type Error = ApiError;

    async fn load(&self, keys: &[CluesOf]) -> Result<HashMap<CluesOf, Vec<ClueItem>>, ApiError> {
        let ids: Vec<CustomerId> = keys.iter().map(|key| key.0).collect();
        let found = self.services.clues.of_customers(&self.viewer(ClueList::NAME).await?, &ids).await?;
        Ok(found.into_iter().map(|(id, clues)| (CluesOf(id), clues)).collect())
    }
}

impl Loader<ReasonsOf> for Source {
    type Value = Vec<ReasonItem>;
    type Error = ApiError;

    async fn load(&self, keys: &[ReasonsOf]) -> Result<HashMap<ReasonsOf, Vec<ReasonItem>>, ApiError> {
        let ids: Vec<CustomerId> = keys.iter().map(|key| key.0).collect();
        let found = self.services.stars.reasons(&self.viewer(StarCustomers::NAME).await?, &ids).await?;
        Ok(found.into_iter().map(|((id, line), reasons)| (ReasonsOf(id, line), reasons)).collect())
    }
}
