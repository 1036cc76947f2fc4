//! The contender: async-graphql as its documentation has it, with derived objects, a connection of
//! its own and an axum handler that parses, executes and serialises. No limits, no authentication.

use std::net::SocketAddr;

use api::graphql::enums::{Lifecycle, StageCategory};
use api::graphql::scalars::{Id, Instant, Text};
use async_graphql::connection::{Connection, DisableNodesField, Edge, EmptyFields};
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, InputObject, Object, ObjectType, Request, Response, Schema,
    SimpleObject,
};
use axum::body::Bytes;
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::ids::{ClueId, OperatorId};
use domain::values::{Code, LineKey, StageKey};
use projections::clue_list::{ClueFilter, ClueListQuery, ClueOrder, NEVER};
use projections::{Paging, Viewer};

use crate::stock::{self, Framework};

#[derive(InputObject)]
struct ClueFilterInput {
    owner_id: Option<Id<OperatorId>>,
}

#[derive(SimpleObject)]
struct PersonalText {
    text: Option<String>,
}

#[derive(SimpleObject)]
struct Clue {
    id: Id<ClueId>,
    line: Text<LineKey>,
    stage: Text<StageKey>,
    stage_category: StageCategory,
    lifecycle: Lifecycle,
    source_channel: Text<Code>,
    captured_at: Instant,
    updated_at: Instant,
    next_follow_up_at: Option<Instant>,
    stars: i32,
    customer_name: Option<PersonalText>,
}

struct Query;

#[Object]
impl Query {
    async fn clues(
        &self,
        ctx: &Context<'_>,
        filter: Option<ClueFilterInput>,
        first: i32,
    ) -> async_graphql::Result<
        Connection<
            String,
            Clue,
            EmptyFields,
            EmptyFields,
            async_graphql::connection::DefaultConnectionName,
            async_graphql::connection::DefaultEdgeName,
            DisableNodesField,
        >,
    > {
        let (clues, viewer) = (ctx.data::<ClueListQuery>()?, ctx.data::<Viewer>()?);
        let filter =
            ClueFilter { owner: filter.and_then(|f| f.owner_id).map(|id| id.0), ..ClueFilter::default() };
        let paging = Paging::first(usize::try_from(first)?);
        let page = clues.page(viewer, &filter, ClueOrder::Updated, &paging).await?;
        let mut connection = Connection::new(page.has_previous, page.has_next);
        connection.edges.extend(page.edges.into_iter().map(|edge| {
            let clue = edge.node.clue;
            let name = edge.node.customer_name;
            let node = Clue {
                id: Id(clue.clue_id),
                line: Text(clue.line),
                stage: Text(clue.stage),
                stage_category: clue.stage_category.into(),
                lifecycle: clue.lifecycle.into(),
                source_channel: Text(clue.source_channel),
                captured_at: Instant(clue.captured_at),
                updated_at: Instant(clue.updated_at),
                next_follow_up_at: Some(clue.next_follow_up_at).filter(|at| *at != NEVER).map(Instant),
                stars: i32::try_from(clue.star).unwrap_or_default(),
                customer_name: name.map(|name| PersonalText { text: name.text().map(str::to_owned) }),
            };
            Edge::new(edge.cursor.to_string(), node)
        }));
        Ok(connection)
    }
}

/// A mutation that takes a note with the stock framework.
struct Mutation;

#[Object]
impl Mutation {
    async fn take_note(&self, ctx: &Context<'_>, id: String, text: String) -> async_graphql::Result<String> {
        let framework = ctx.data::<Framework>()?;
        framework.execute_with_metadata(&id, stock::Take(text), stock::metadata()).await?;
        Ok(id)
    }
}

async fn handle<M: ObjectType + 'static>(
    Extension(schema): Extension<Schema<Query, M, EmptySubscription>>,
    Json(request): Json<Request>,
) -> Json<Response> {
    Json(schema.execute(request).await)
}

/// Serves the clue list on a free port.
pub async fn serve_clues(clues: ClueListQuery, viewer: Viewer) -> SocketAddr {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(clues).data(viewer).finish();
    listen(Router::new().route("/graphql", post(handle::<EmptyMutation>)).layer(Extension(schema))).await
}

/// Serves the stock framework on a free port.
pub async fn serve_notes(framework: Framework) -> SocketAddr {
    let schema = Schema::build(Query, Mutation, EmptySubscription).data(framework).finish();
    listen(Router::new().route("/graphql", post(handle::<Mutation>)).layer(Extension(schema))).await
}

/// Answers everything with the same text on a free port.
pub async fn serve_fixed(answer: String) -> SocketAddr {
    let answer = Bytes::from(answer);
    listen(Router::new().route("/graphql", post(async move || answer.clone()))).await
}

async fn listen(routes: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("serving") });
    address
}
