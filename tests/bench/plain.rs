//! The contender: async-graphql as its documentation has it, with derived objects, a derived
//! connection, a sqlx pool and an axum handler that parses, executes and serialises. No limits, no
//! authentication, no authorisation.

use std::net::SocketAddr;

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, ID, InputObject, Object, Request, Response, Schema,
    SimpleObject,
};
use axum::body::Bytes;
use axum::routing::post;
use axum::{Extension, Json, Router};
use domain::values::Instant;
use sqlx::PgPool;

use crate::limits::{FIRST_PAGE, FirstPageRow};

#[derive(InputObject)]
struct ClueFilterInput {
    owner_id: ID,
}

#[derive(SimpleObject)]
struct PersonalText {
    text: String,
}

#[derive(SimpleObject)]
struct Clue {
    id: ID,
    line: String,
    stage: String,
    lifecycle: String,
    source_channel: String,
    captured_at: String,
    updated_at: String,
    next_follow_up_at: Option<String>,
    stars: i64,
    customer_name: Option<PersonalText>,
}

/// The API names enumerations in capitals and instants in RFC 3339.
fn clue(row: FirstPageRow) -> Clue {
    let (id, line, stage, lifecycle, source_channel, captured_at, updated_at, next, stars, name) = row;
    let instant = |micros| Instant::from_micros(micros).to_string();
    Clue {
        id: id.into(),
        line,
        stage,
        lifecycle: lifecycle.to_uppercase(),
        source_channel,
        captured_at: instant(captured_at),
        updated_at: instant(updated_at),
        next_follow_up_at: Some(next).filter(|at| *at != i64::MAX).map(instant),
        stars,
        customer_name: name.map(|text| PersonalText { text }),
    }
}

struct Query;

#[Object]
impl Query {
    async fn clues(
        &self,
        ctx: &Context<'_>,
        filter: ClueFilterInput,
        first: i64,
    ) -> async_graphql::Result<Connection<String, Clue, EmptyFields, EmptyFields>> {
        let mut rows: Vec<FirstPageRow> = sqlx::query_as(FIRST_PAGE)
            .bind(filter.owner_id.as_str())
            .bind(first + 1)
            .fetch_all(ctx.data::<PgPool>()?)
            .await?;
        let size = usize::try_from(first)?;
        let mut connection = Connection::new(false, rows.len() > size);
        rows.truncate(size);
        connection
            .edges
            .extend(rows.into_iter().map(|row| Edge::new(format!("{}:{}", row.6, row.0), clue(row))));
        Ok(connection)
    }
}

async fn handle(
    Extension(schema): Extension<Schema<Query, EmptyMutation, EmptySubscription>>,
    Json(request): Json<Request>,
) -> Json<Response> {
    Json(schema.execute(request).await)
}

/// Serves the clue list on a free port.
pub async fn serve_clues(pool: PgPool) -> SocketAddr {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(pool).finish();
    listen(Router::new().route("/graphql", post(handle)).layer(Extension(schema))).await
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
