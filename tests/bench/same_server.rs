//! The stock framework behind the server of the program: the same token, limits, document cache,
//! request ids and metrics as ours has.

use std::net::SocketAddr;
use std::sync::Arc;

use api::auth::{Authenticator, Directory, DirectoryEntry, DirectoryUnavailable, Tokens};
use api::config::Limits;
use api::http::{Check, Gateway, Readiness, Server, SocketSettings, router};
use api::keys::Keys;
use async_graphql::{EmptySubscription, Schema};
use async_trait::async_trait;
use commands::clock::{Clock, SystemClock};
use domain::ids::OperatorId;

use crate::plain::{Mutation, Query};
use crate::stock::Framework;

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
pub async fn serve_notes(framework: Framework, keys: &Keys) -> SocketAddr {
    let limits = Limits::default();
    let schema = Schema::build(Query, Mutation, EmptySubscription).data(framework);
    let schema = schema.limit_complexity(limits.complexity).limit_depth(limits.depth).finish();
    let tokens = Tokens::new(keys.signing()).expect("tokens");
    let authenticator = Authenticator::new(tokens, Arc::new(Everybody), Arc::new(|| SystemClock.now()));
    let prepare = Box::new(|request, _: &_| request);
    let gateway = Gateway::new(schema, prepare, authenticator, limits, SocketSettings::default());
    let gateway = Arc::new(gateway);
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
    let address = server.address();
    let routes = router(gateway.clone(), Arc::new(Well));
    tokio::spawn(server.serve(routes, gateway, std::future::pending()));
    address
}
