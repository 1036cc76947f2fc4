//! What the HTTP and WebSocket handlers share: who may call, what a document may cost, what executes.

use async_graphql::{Request, Response};
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::document::{Document, Documents};
use super::engine::Engines;
use super::error::executed;
use super::parameters::Parameters;
use super::socket::SocketSettings;
use crate::auth::{Authenticator, Caller};
use crate::config::Limits;

/// Who asks, and under which ids. Resolvers find it in their context.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The operator.
    pub caller: Caller,
    /// The request; our log and the client's error have it.
    pub request_id: Uuid,
    /// W3C `traceparent` of the request.
    pub trace: Option<String>,
}

/// Gives a request what its resolvers need, such as loaders that carry the caller.
pub type Prepare = Box<dyn Fn(Request, &RequestContext) -> Request + Send + Sync>;

/// See the module.
pub struct Gateway {
    engines: Engines,
    prepare: Prepare,
    authenticator: Authenticator,
    documents: Documents,
    limits: Limits,
    sockets: SocketSettings,
    draining: CancellationToken,
    tasks: TaskTracker,
}

impl Gateway {
    /// A gateway to a schema.
    #[must_use]
    pub fn new(
        engines: Engines,
        prepare: Prepare,
        authenticator: Authenticator,
        limits: Limits,
        sockets: SocketSettings,
    ) -> Self {
        Self {
            engines,
            prepare,
            authenticator,
            documents: Documents::new(limits),
            limits,
            sockets,
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Tells callers apart.
    #[must_use]
    pub const fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    /// What a request may cost.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Cancelled once the program is about to end: no new work is taken, sockets are closed.
    #[must_use]
    pub const fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Sockets that are open.
    #[must_use]
    pub const fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub(super) const fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(super) const fn sockets(&self) -> &SocketSettings {
        &self.sockets
    }

    /// Answers a query or a mutation.
    pub(super) async fn execute(
        &self,
        parameters: Parameters,
        document: &Document,
        context: &RequestContext,
    ) -> Response {
        let validated = document.validated();
        let form = validated.form(parameters.operation_name.as_deref(), &parameters.variables);
        let valid = validated.has(form);
        let response = self.engines.execute(self.request(parameters, document, context), valid).await;
        if !valid && executed(&response) {
            validated.remember(form);
        }
        response
    }

    /// Answers a subscription.
    pub(super) fn stream(
        &self,
        parameters: Parameters,
        document: &Document,
        context: &RequestContext,
    ) -> BoxStream<'static, Response> {
        self.engines.stream(self.request(parameters, document, context))
    }

    /// The request for an engine. Its text stays behind: the document is read already, and a query
    /// may hold personal data that nothing further on should see.
    fn request(&self, parameters: Parameters, document: &Document, context: &RequestContext) -> Request {
        let mut request = Request::new(String::new()).variables(parameters.variables);
        request.operation_name = parameters.operation_name;
        request.set_parsed_query(document.executable());
        (self.prepare)(request.data(context.clone()), context)
    }
}
