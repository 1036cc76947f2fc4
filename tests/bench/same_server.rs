//! The stock framework behind the server of the program: the same token, limits, document cache,
//! request ids and metrics as ours has.

use std::net::SocketAddr;
use std::sync::Arc;

use api::auth::{Authenticator, Directory, DirectoryEntry, DirectoryUnavailable, Tokens};
use api::config::Limits;
use api::http::{Check, Engines, Gateway, Readiness, Server, SocketSettings, router};
use api::keys::Keys;
use async_graphql::{Context, EmptySubscription, InputObject, Object, Schema, SimpleObject};
use async_trait::async_trait;
use commands::clock::{Clock, SystemClock, fresh_uuid};
use domain::ids::OperatorId;

use crate::stock::{self, Framework};
use crate::stock_customers::{Customers, Register};

#[derive(InputObject)]
struct SourceInput {
    channel: String,
    key: Option<String>,
    campaign: Option<String>,
}

#[derive(InputObject)]
struct ContactInput {
    kind: String,
    value: String,
}

/// As ours has it. Nobody reads the parts that the stock side does not keep.
#[derive(InputObject)]
#[allow(dead_code)]
struct RegisterCustomerInput {
    command_id: String,
    line: String,
    source: SourceInput,
    name: Option<String>,
    contacts: Vec<ContactInput>,
}

#[derive(SimpleObject)]
struct UserError {
    code: String,
    message: String,
}

#[derive(SimpleObject)]
struct CustomerPayload {
    customer_id: String,
    position: Option<String>,
    user_errors: Vec<UserError>,
}

struct Query;

#[Object]
impl Query {
    async fn nothing(&self) -> bool {
        true
    }
}

struct Mutation;

#[Object]
impl Mutation {
    /// The mutation of the program.
    async fn register_customer(
        &self,
        ctx: &Context<'_>,
        input: RegisterCustomerInput,
    ) -> async_graphql::Result<CustomerPayload> {
        let id = fresh_uuid(SystemClock.now()).to_string();
        let register = Register {
            id: id.clone(),
            line: input.line,
            channel: input.source.channel,
            name: input.name.unwrap_or_default(),
        };
        ctx.data::<Customers>()?.execute_with_metadata(&id, register, stock::metadata()).await?;
        Ok(CustomerPayload { customer_id: id, position: None, user_errors: Vec::new() })
    }

    /// As little as a mutation with one event can be.
    async fn take_note(&self, ctx: &Context<'_>, id: String, text: String) -> async_graphql::Result<String> {
        let framework = ctx.data::<Framework>()?;
        framework.execute_with_metadata(&id, stock::Take(text), stock::metadata()).await?;
        Ok(id)
    }
}

/// Knows whoever has a token.
struct Everybody;

#[async_trait]
impl Directory for Everybody {
    async fn find(&self, _: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable> {
        Ok(Some(DirectoryEntry::default()))
    }
}

/// Has no parts that could be unwell.
struct Well;

#[async_trait]
impl Readiness for Well {
    async fn check(&self) -> Vec<Check> {
        Vec::new()
    }
}

/// Serves the stock framework on a free port, for tokens of these keys.
pub async fn serve(notes: Framework, customers: Customers, keys: &Keys) -> SocketAddr {
    let limits = Limits::default();
    let engines = Engines::new(|| {
        let schema =
            Schema::build(Query, Mutation, EmptySubscription).data(notes.clone()).data(customers.clone());
        schema.limit_complexity(limits.complexity)
    });
    let tokens = Tokens::new(keys.signing()).expect("tokens");
    let authenticator = Authenticator::new(tokens, Arc::new(Everybody), Arc::new(|| SystemClock.now()));
    let prepare = Box::new(|request, _: &_| request);
    let gateway = Gateway::new(engines, prepare, authenticator, limits, SocketSettings::default());
    let gateway = Arc::new(gateway);
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
    let address = server.address();
    let routes = router(gateway.clone(), Arc::new(Well));
    tokio::spawn(server.serve(routes, gateway, std::future::pending()));
    address
}
