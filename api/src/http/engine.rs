//! Executing GraphQL, whatever the schema.
//!
//! Validating a document costs more than parsing its variables and resolving a mutation's fields, and
//! clients send few different documents. So there are two engines of one schema: the strict one
//! applies every rule, the swift one only what depends on values, which is complexity and depth.

use async_graphql::{
    Executor, ObjectType, Request, Response, SchemaBuilder, SubscriptionType, ValidationMode,
};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// Executes GraphQL, whatever the schema.
trait Engine: Send + Sync {
    fn execute(&self, request: Request) -> BoxFuture<'_, Response>;

    fn stream(&self, request: Request) -> BoxStream<'static, Response>;
}

impl<E: Executor> Engine for E {
    fn execute(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(Executor::execute(self, request))
    }

    fn stream(&self, request: Request) -> BoxStream<'static, Response> {
        self.execute_stream(request, None)
    }
}

/// One schema in both modes of validation.
pub struct Engines {
    strict: Box<dyn Engine>,
    swift: Box<dyn Engine>,
}

impl Engines {
    /// Engines of the schema that `build` begins. Values of its enums are in capitals: of other texts only
    /// that they are texts is remembered of what was validated (see [`super::document`]).
    pub fn new<Q, M, S>(build: impl Fn() -> SchemaBuilder<Q, M, S>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let swift = build().validation_mode(ValidationMode::Fast).finish();
        Self { strict: Box::new(build().finish()), swift: Box::new(swift) }
    }

    /// Answers a query or a mutation; `valid` tells that the strict engine took this document with
    /// such variables before.
    pub(super) async fn execute(&self, request: Request, valid: bool) -> Response {
        if valid { self.swift.execute(request).await } else { self.strict.execute(request).await }
    }

    /// Answers a subscription.
    pub(super) fn stream(&self, request: Request) -> BoxStream<'static, Response> {
        self.strict.stream(request)
    }
}
