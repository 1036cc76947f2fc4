//! The whole server on a database of its own, and an agent who may use it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::app::{App, Location, Role, Service, migrate};
use api::auth::Tokens;
use api::config::{Config, DatabaseUrl};
use api::http::Server;
use api::keys::Keys;
use commands::clock::{Clock, SystemClock};
use domain::ids::OperatorId;
use projections::Viewer;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// The business line of the agents.
pub const LINE: &str = "used-car-sales";

/// A server that listens.
pub struct Served {
    pub app: Arc<App>,
    pub address: SocketAddr,
    /// A token of the first agent.
    pub token: String,
    /// Everybody who has clues.
    pub agents: Vec<OperatorId>,
    /// The first agent.
    pub viewer: Viewer,
}

impl Served {
    /// Migrates the database, hires people and serves. The server ends with the process.
    pub async fn on(options: &PgConnectOptions) -> Self {
        let url = options.to_url_lossy();
        let database_url = DatabaseUrl::new(url.as_str()).expect("a URL");
        let config = Config { database_url, ..Config::default() };
        let keys = Keys::generate().expect("keys");
        migrate(&Location::of(&config.database_url).expect("a location")).await.expect("the schema");
        let app = Arc::new(App::open(&config, &keys, Arc::new(SystemClock)).await.expect("the app"));
        let line = include_str!("../../docs/lines/used-car-sales.toml");
        let line = commands::line_file::parse(line).expect("a line");
        let staff = api::demo::hire(&app.commands, &[line], SystemClock.now()).await.expect("people");
        app.projections.catch_up().await.expect("read models");
        app.directory.refresh().await.expect("the directory");
        let agents: Vec<OperatorId> = staff.teams.iter().flat_map(|team| team.agents.clone()).collect();
        let viewer = app.directory.now().viewer(agents[0]).expect("a viewer");
        let listener = Server::bind("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
        let service = Service::new(listener, app.clone(), &config, &keys, &[Role::Api]).expect("a service");
        let address = service.address();
        tokio::spawn(service.run(std::future::pending()));
        let tokens = Tokens::new(keys.signing()).expect("tokens");
        let hour = Duration::from_secs(3_600);
        let token = tokens.issue(agents[0], SystemClock.now(), hour).expect("a token").token;
        Self { app, address, token, agents, viewer }
    }
}
