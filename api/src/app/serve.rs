//! A running server: HTTP before the composition root, read models and housekeeping behind it.
//!
//! Guarantees: it listens before it opens anything, so that a port in use is the first thing said;
//! ending takes no new requests, lets open ones end, lets leases go, and finishes appends handed in.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use commands::proof::{Directory, Sealer};
use tokio::sync::watch;
use tokio::task::JoinSet;

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
        let directory = Arc::new(Operators(app.directory.clone()));
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

    /// Serves until `stop` ends, then ends in order.
    ///
    /// # Errors
    /// When the operating system takes the listener away.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let (end, ended) = watch::channel(false);
        let mut tasks = self.background(&ended);
        let routes = self.routes();
        tracing::info!(address = %self.server.address(), roles = ?self.roles, "serving");
        let served = self.server.serve(routes, self.gateway, stop).await;
        end.send_replace(true);
        while tasks.join_next().await.is_some() {}
        self.app.close().await;
        tracing::info!("ended");
        Ok(served?)
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
