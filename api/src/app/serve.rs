//! A running server: HTTP before the composition root, read models and housekeeping behind it.
//!
//! Guarantees: it listens before it opens anything, so that a port in use is the first thing said;
//! ending takes no new requests, lets open ones end, lets leases go, and finishes appends handed in.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use commands::proof::{Directory, Sealer};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use super::{App, AppError, Operators, Parts};
use crate::auth::{Authenticator, TokenError, Tokens};
use crate::config::Config;
use crate::graphql::cursor::Cursors;
use crate::graphql::loaders::Loaders;
use crate::graphql::schema;
use crate::graphql::services::{Services, Session};
use crate::http::events::EventsState;
use crate::http::{self, BindError, Engines, Gateway, Prepare, Server, SocketSettings};
use crate::keys::{Keys, KeysError};
use crate::proofs::Proofs;
use crate::telemetry;

/// What a process of the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Role {
    /// Answers GraphQL, event replay and the console.
    Api,
    /// Keeps the read models.
    Projections,
    /// Signs checkpoints of the log.
    Checkpoints,
}

/// Why a server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened at.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The parts do not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// The signing key cannot sign.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no key to sign the log with.
    #[error("{0}; or serve without the role checkpoints")]
    Keys(#[from] KeysError),
    /// Something that has to go on all the time broke down: without it the server would only seem to work.
    #[error("the server stopped, for a part of it broke down: {0}")]
    Part(#[from] JoinError),
    /// The operating system took the listener away.
    #[error("the server stopped: {0}")]
    Io(#[from] io::Error),
}

/// A server that listens and has all it needs.
pub struct Service {
    /// What it works on.
    pub app: Arc<App>,
    server: Server,
    gateway: Arc<Gateway>,
    proofs: Proofs,
    sealing: Option<(Sealer, Duration)>,
    /// Replies that may be open: of the process, and of an operator.
    replies: (usize, usize),
    roles: Vec<Role>,
}

impl Service {
    /// Puts an open app behind a listening server.
    ///
    /// # Errors
    /// When the signing key cannot be used, or the log is to be signed and there is no key for that.
    pub fn new(
        server: Server,
        app: Arc<App>,
        config: &Config,
        keys: &Keys,
        roles: &[Role],
    ) -> Result<Self, ServeError> {
        let clock = app.commands.clock().clone();
        let directory = Arc::new(Operators {
            directory: app.directory.clone(),
            log: app.log.clone(),
            projections: app.projections.clone(),
        });
        let authenticator =
            Authenticator::new(Tokens::new(keys.signing())?, directory, Arc::new(move || clock.now()));
        let sealing = if roles.contains(&Role::Checkpoints) {
            Some((sealer(&app, config, keys)?, config.checkpoint_interval))
        } else {
            None
        };
        let services = Arc::new(services(&app, config, keys));
        let proofs = services.proofs.clone();
        let gateway = Gateway::new(
            Engines::new(|| schema(&config.limits)),
            prepare(services),
            authenticator,
            config.limits,
            SocketSettings::default(),
        );
        let replies = (config.limits.replies, config.limits.replies_each);
        Ok(Self { app, server, gateway: Arc::new(gateway), proofs, sealing, replies, roles: roles.to_vec() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Serves until `stop` ends, or a part breaks down, then ends in order.
    ///
    /// # Errors
    /// When the operating system takes the listener away, or a part broke down.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let (end, ended) = watch::channel(false);
        let mut tasks = self.background(&ended);
        let routes = self.routes();
        tracing::info!(address = %self.server.address(), roles = ?self.roles, "serving");
        let serve = |stop| self.server.serve(routes, self.gateway, stop);
        let served = while_whole(&mut tasks, stop, serve, &end).await;
        self.app.close().await;
        tracing::info!("ended");
        served
    }

    fn background(&mut self, ended: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (app, stop) = (self.app.clone(), ended.clone());
        tasks.spawn(async move { app.directory.follow(stop).await });
        let (app, stop) = (self.app.clone(), ended.clone());
        tasks.spawn(async move { app.keep_house(stop).await });
        if self.roles.contains(&Role::Projections) {
            let (app, stop) = (self.app.clone(), ended.clone());
            tasks.spawn(async move { app.projections.run(stop).await });
        }
        if let Some((sealer, interval)) = self.sealing.take() {
            tasks.spawn(sealer.run(interval, ended.clone()));
        }
        if self.roles.contains(&Role::Api) {
            let (app, stop) = (self.app.clone(), ended.clone());
            tasks.spawn(async move { app.watch_consumers(stop).await });
        }
        let mut stop = ended.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = telemetry::metrics().upkeep() => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
        tasks
    }

    fn routes(&self) -> Router {
        let parts = Arc::new(Parts { log: self.app.log.clone(), projections: self.app.projections.clone() });
        if !self.roles.contains(&Role::Api) {
            return http::probes(&self.gateway, parts);
        }
        let events = EventsState::new(self.app.log.clone(), self.gateway.clone());
        let events = events.with_appended(self.app.log.appended()).with_replies(self.replies);
        let consumers = http::events::consumers::routes(events.clone(), self.app.consumers.clone());
        let proof = http::proof::routes(self.proofs.clone(), self.gateway.clone());
        let events = http::events::routes(events).merge(consumers);
        http::router(self.gateway.clone(), parts).merge(events).merge(proof)
    }
}

/// What ends when a server is to end.
type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves until `stop` ends or one of the tasks breaks down; then ends the tasks.
async fn while_whole<F: Future<Output = io::Result<()>>>(
    tasks: &mut JoinSet<()>,
    stop: impl Future<Output = ()> + Send + 'static,
    serve: impl FnOnce(Stop) -> F,
    end: &watch::Sender<bool>,
) -> Result<(), ServeError> {
    let (broken, is_broken) = oneshot::channel::<()>();
    let stop = async move {
        tokio::select! {
            () = stop => {}
            Ok(()) = is_broken => {}
        }
    };
    let mut serving = pin!(serve(Box::pin(stop)));
    let (served, mut fault) = tokio::select! {
        served = &mut serving => (served, None),
        fault = breakdown(tasks) => {
            tracing::error!(%fault, "a part of the server broke down");
            let _ = broken.send(());
            (serving.await, Some(fault))
        }
    };
    end.send_replace(true);
    while let Some(ended) = tasks.join_next().await {
        fault = fault.or(ended.err());
    }
    match fault {
        Some(fault) => Err(fault.into()),
        None => Ok(served?),
    }
}

/// Ends when one of the tasks broke down; never, when all end well.
async fn breakdown(tasks: &mut JoinSet<()>) -> JoinError {
    while let Some(ended) = tasks.join_next().await {
        if let Err(fault) = ended {
            return fault;
        }
    }
    pending().await
}

pub(crate) fn services(app: &App, config: &Config, keys: &Keys) -> Services {
    let db = app.projections.database();
    Services {
        commands: app.commands.clone(),
        projections: app.projections.clone(),
        directory: app.directory.clone(),
        clues: projections::clue_list::ClueListQuery::new(db.clone(), app.index.clone()),
        customers: projections::customer::CustomerQuery::new(db.clone(), app.index.clone()),
        pool: projections::clue_pool::PoolQuery::new(db.clone()),
        stars: projections::star_customers::StarQuery::new(db.clone()),
        history: projections::history::HistoryQuery::new(db.clone(), app.index.clone()),
        stages: projections::fact_clue_stage::FactClueStageQuery::new(db.clone()),
        cursors: Cursors::new(keys),
        page_size: config.limits.page_size,
        proofs: Proofs::new(config, keys),
    }
}

/// What signs the log of an app.
///
/// # Errors
/// When there is no key to sign with.
pub fn sealer(app: &App, config: &Config, keys: &Keys) -> Result<Sealer, KeysError> {
    let signer = keys.log_in(&config.keys_dir)?.clone();
    Ok(Sealer::new(app.log.clone(), Arc::new(Directory::new(&config.checkpoints_dir)), signer))
}

fn prepare(services: Arc<Services>) -> Prepare {
    Box::new(move |request, context| {
        let session = Session::new(services.clone(), context.clone());
        let loaders = Loaders::new(&session);
        request.data(session).data(loaders)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_breaks_down_ends_the_server_in_order_and_one_that_is_done_does_not() {
        let (end, mut ended) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(async {});
        tasks.spawn(async { panic!("a part breaks down") });
        tasks.spawn(async move { ended.wait_for(|end| *end).await.map(drop).unwrap() });
        let serve = |stop: Stop| async {
            stop.await;
            Ok(())
        };
        let broken = while_whole(&mut tasks, pending(), serve, &end).await;
        assert!(matches!(broken, Err(ServeError::Part(_))), "{broken:?}");
        assert!(tasks.is_empty(), "the other parts were told to end, and ended");
        tasks.spawn(async {});
        while_whole(&mut tasks, async {}, serve, &end).await.unwrap();
    }
}
