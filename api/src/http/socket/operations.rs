//! The operations of one socket: each a task that waits when the client does not read.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::extract::ws::Message;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::protocol::{self, Close};
use crate::auth::Caller;
use crate::http::document::Document;
use crate::http::error::{HttpError, WireResponse, error_json};
use crate::http::gateway::{Gateway, RequestContext};
use crate::http::graphql::{count, refused};
use crate::http::observe::panic_message;
use crate::http::parameters::Parameters;

/// What a task has to say, and which.
pub(super) struct Said {
    id: String,
    /// An id may be used again after it was completed; what an earlier operation of the same id had
    /// in the queue must not reach the client then.
    number: u64,
    message: Message,
    last: bool,
}

/// The operations of one socket. Dropping it ends them all.
pub(super) struct Operations {
    gateway: Arc<Gateway>,
    running: HashMap<String, (u64, AbortHandle)>,
    tasks: JoinSet<()>,
    number: u64,
    say: mpsc::Sender<Said>,
}

impl Operations {
    pub fn new(gateway: Arc<Gateway>) -> (Self, mpsc::Receiver<Said>) {
        let (say, said) = mpsc::channel(gateway.sockets().queue);
        let (running, tasks) = (HashMap::new(), JoinSet::new());
        (Self { gateway, running, tasks, number: 0, say }, said)
    }

    /// Begins an operation. Some refusals are answered at once, to that operation alone.
    pub fn start(
        &mut self,
        id: String,
        parameters: Parameters,
        context: RequestContext,
    ) -> Result<Option<Message>, Close> {
        while self.tasks.try_join_next().is_some() {}
        if self.running.contains_key(&id) {
            return Err(Close::new(4409, format!("Subscriber for {id} already exists")));
        }
        let limit = self.gateway.sockets().operations;
        if self.running.len() >= limit {
            let message = format!("too many operations on one socket: the limit is {limit}");
            let error = error_json("operation_limit", &message, context.request_id);
            return Ok(Some(protocol::error(&id, error)));
        }
        let document = match self.gateway.documents().read(&parameters.query) {
            Ok(document) => document,
            Err(error) => return Ok(Some(protocol::result(&id, &refused(error, context.request_id)))),
        };
        self.number += 1;
        let speaker = Speaker { id: id.clone(), number: self.number, say: self.say.clone() };
        let gateway = self.gateway.clone();
        let task = async move {
            let correlation = context.request_id;
            let work = execute(&gateway, parameters, &document, &context, &speaker);
            if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                tracing::error!(%correlation, panic = panic_message(&*panic), "an operation panicked");
                let HttpError { code, message, .. } = HttpError::internal();
                let error = error_json(code, &message, correlation);
                speaker.say(protocol::error(&speaker.id, error), true).await;
            }
        };
        let handle = self.tasks.spawn(task);
        self.running.insert(id, (self.number, handle));
        Ok(None)
    }

    /// Ends an operation that the client wants no more of.
    pub fn stop(&mut self, id: &str) {
        if let Some((_, handle)) = self.running.remove(id) {
            handle.abort();
        }
    }

    /// What is to be sent of what a task said.
    pub fn heard(&mut self, said: Said) -> Option<Message> {
        let current = self.running.get(&said.id).is_some_and(|(number, _)| *number == said.number);
        if !current {
            return None;
        }
        if said.last {
            self.running.remove(&said.id);
        }
        Some(said.message)
    }
}

struct Speaker {
    id: String,
    number: u64,
    say: mpsc::Sender<Said>,
}

impl Speaker {
    /// Waits for room in the queue; false when the socket is gone.
    async fn say(&self, message: Message, last: bool) -> bool {
        let said = Said { id: self.id.clone(), number: self.number, message, last };
        self.say.send(said).await.is_ok()
    }
}

async fn execute(
    gateway: &Gateway,
    parameters: Parameters,
    document: &Document,
    context: &RequestContext,
    speaker: &Speaker,
) {
    let complexity = gateway.limits().complexity;
    let kind = document.operation_type(parameters.operation_name.as_deref());
    if kind == Some(OperationType::Subscription) {
        let mut stream = gateway.stream(parameters, document, context);
        let mut ok = true;
        while let Some(response) = stream.next().await {
            let wire = WireResponse::new(response, context.request_id, complexity);
            ok &= wire.is_ok();
            let refused = !wire.executed();
            if !speaker.say(protocol::result(&speaker.id, &wire), refused).await || refused {
                count(kind, false);
                return;
            }
        }
        count(kind, ok);
    } else {
        let response = gateway.execute(parameters, document, context).await;
        let wire = WireResponse::new(response, context.request_id, complexity);
        count(kind, wire.is_ok());
        let refused = !wire.executed();
        if !speaker.say(protocol::result(&speaker.id, &wire), refused).await || refused {
            return;
        }
    }
    speaker.say(protocol::complete(&speaker.id), true).await;
}

/// The caller's standing as of now, for an operation that begins on an old socket.
pub(super) async fn renew(gateway: &Gateway, caller: &Caller) -> Result<Caller, Close> {
    gateway.authenticator().renew(caller).await.map_err(|rejection| Close::forbidden(&rejection))
}
