//! Loaders: what several rows of an answer ask for at once is asked of the read side once.
//!
//! Guarantees: a loader carries its caller, by the directory of the moment at which it asks, so that
//! batching shows nobody more than asking one by one, and a long subscription no more than a query
//! at the same moment. Deliberately absent: caching beyond a batch.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use async_graphql::dataloader::{DataLoader, Loader};
use domain::Position;
use domain::ids::{ClueId, CustomerId, OperatorId};
use domain::values::LineKey;
use projections::Viewer;
use projections::clue_list::{ClueItem, ClueList, FieldItem};
use projections::customer::{CustomerItem, Customers};
use projections::history::History;
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

/// A customer as of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CustomerAt(pub CustomerId, pub Position);

/// The custom fields of a clue as of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldsAt(pub ClueId, pub Position);

/// The clues of a customer as of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CluesAt(pub CustomerId, pub Position);

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

impl Loader<CustomerAt> for Source {
    type Value = CustomerItem;
    type Error = ApiError;

    async fn load(&self, keys: &[CustomerAt]) -> Result<HashMap<CustomerAt, CustomerItem>, ApiError> {
        let viewer = self.viewer(History::NAME).await?;
        let mut all = HashMap::new();
        for (at, ids) in by_position(keys.iter().map(|key| (key.1, key.0))) {
            let found = self.services.history.customers_at(&viewer, &ids, at).await?;
            all.extend(found.into_iter().map(|(id, item)| (CustomerAt(id, at), item)));
        }
        Ok(all)
    }
}

impl Loader<FieldsAt> for Source {
    type Value = Vec<FieldItem>;
    type Error = ApiError;

    async fn load(&self, keys: &[FieldsAt]) -> Result<HashMap<FieldsAt, Vec<FieldItem>>, ApiError> {
        let viewer = self.viewer(History::NAME).await?;
        let mut all = HashMap::new();
        for (at, ids) in by_position(keys.iter().map(|key| (key.1, key.0))) {
            let found = self.services.history.fields_at(&viewer, &ids, at).await?;
            all.extend(found.into_iter().map(|(id, fields)| (FieldsAt(id, at), fields)));
        }
        Ok(all)
    }
}

impl Loader<CluesAt> for Source {
    type Value = Vec<ClueItem>;
    type Error = ApiError;

    async fn load(&self, keys: &[CluesAt]) -> Result<HashMap<CluesAt, Vec<ClueItem>>, ApiError> {
        let viewer = self.viewer(History::NAME).await?;
        let mut all = HashMap::new();
        for (at, ids) in by_position(keys.iter().map(|key| (key.1, key.0))) {
            let found = self.services.history.clues_of_customers_at(&viewer, &ids, at).await?;
            all.extend(found.into_iter().map(|(id, clues)| (CluesAt(id, at), clues)));
        }
        Ok(all)
    }
}

/// Keys of one position together; an answer has one or two positions.
fn by_position<T>(keys: impl Iterator<Item = (Position, T)>) -> BTreeMap<Position, Vec<T>> {
    let mut positions: BTreeMap<Position, Vec<T>> = BTreeMap::new();
    for (position, key) in keys {
        positions.entry(position).or_default().push(key);
    }
    positions
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
