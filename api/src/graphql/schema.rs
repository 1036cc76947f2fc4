//! The schema: every topic together.

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

use super::bi::BiQueries;
use super::business_line::{BusinessLineMutation, BusinessLineQuery};
use super::clue::{ClueMutation, ClueQuery, ClueSubscription, ClueWorkMutation, PoolQueries};
use super::customer::{CustomerMutation, CustomerQuery};
use super::operator::{OperatorMutation, OperatorQuery};
use super::proof::ProofQueries;
use super::star::StarQueries;
use crate::config::Limits;

/// All queries.
#[derive(Default, MergedObject)]
pub struct Query(
    OperatorQuery,
    BusinessLineQuery,
    ClueQuery,
    PoolQueries,
    CustomerQuery,
    StarQueries,
    BiQueries,
    ProofQueries,
);

/// All mutations.
#[derive(Default, MergedObject)]
pub struct Mutation(ClueMutation, ClueWorkMutation, CustomerMutation, OperatorMutation, BusinessLineMutation);

/// All subscriptions.
#[derive(Default, MergedSubscription)]
pub struct Subscription(ClueSubscription);

/// The schema of the program, about to be finished.
pub type ApiSchemaBuilder = SchemaBuilder<Query, Mutation, Subscription>;

fn builder() -> ApiSchemaBuilder {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
}

/// The schema with limits. What resolvers need comes with each request.
#[must_use]
pub fn schema(limits: &Limits) -> ApiSchemaBuilder {
    // Suggestions name fields to whoever guesses; introspection is the honest way to learn them.
    builder().limit_complexity(limits.complexity).disable_suggestions()
}

/// The schema as text, sorted, as it is committed.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_enum_items();
    builder().finish().sdl_with_options(options)
}
