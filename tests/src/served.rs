//! The whole program on a database: read models that follow the log, HTTP at a free port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::app::{App, AppError, Role, ServeError, Service};
use api::config::{Config, DatabaseUrl};
use api::http::Server;
use api::keys::Keys;
use commands::clock::SystemClock;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a server may take to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct Served {
    /// What it works on.
    pub app: Arc<App>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its keys.
    pub keys: Keys,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

impl Served {
    /// A server with fresh keys on a migrated database, whose read models follow the log.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn on(database: &PgConnectOptions) -> Self {
        Self::in_roles(database, &[Role::Api, Role::Projections]).await
    }

    /// A server with fresh keys on a migrated database.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn in_roles(database: &PgConnectOptions, roles: &[Role]) -> Self {
        let database_url = DatabaseUrl::new(database.to_url_lossy().as_str()).expect("an address");
        Self::with(Config { database_url, ..Config::default() }, roles).await
    }

    /// A server with fresh keys as configured, at a free port.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn with(config: Config, roles: &[Role]) -> Self {
        let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config };
        let keys = Keys::generate().expect("keys");
        let server = Server::bind(config.listen).await.expect("a free port");
        let app = Arc::new(App::open(&config, &keys, Arc::new(SystemClock)).await.expect("the app opens"));
        let service = Service::new(server, app.clone(), &config, &keys, roles).expect("the keys are good");
        let address = service.address();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(service.run(async move {
            let _ = stopped.await;
        }));
        Self { app, address, keys, stop, ended }
    }

    /// Whether the server says that it can be given work.
    ///
    /// # Panics
    /// When it does not answer, or says neither.
    pub async fn is_ready(&self) -> bool {
        let answer = reqwest::get(format!("http://{}/readyz", self.address)).await.expect("an answer");
        match answer.status().as_u16() {
            200 => true,
            503 => false,
            other => panic!("{other}"),
        }
    }

    /// Asks until the server is ready, or is not, whichever is wanted.
    ///
    /// # Panics
    /// When it does not become so.
    pub async fn until_ready(&self, wanted: bool) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_ready().await != wanted {
            assert!(Instant::now() < deadline, "the server does not become ready = {wanted}");
        }
    }

    /// Waits until every read model shows what the log holds now.
    ///
    /// # Panics
    /// When they do not.
    pub async fn caught_up(&self) {
        let head = self.app.log.head().await.expect("the log answers").position;
        let models = self.app.projections.names();
        self.app.projections.wait_for(&models, head, PATIENCE).await.expect("read models follow");
    }

    /// Ends the server in order.
    ///
    /// # Panics
    /// When it failed.
    pub async fn end(self) {
        drop(self.stop);
        self.ended.await.expect("it runs").expect("it ends in order");
    }
}

/// Why the program does not open as configured.
///
/// # Panics
/// When it does.
pub async fn app_error(config: &Config) -> AppError {
    let keys = Keys::generate().expect("keys");
    match App::open(config, &keys, Arc::new(SystemClock)).await {
        Ok(_) => panic!("it must not open"),
        Err(error) => error,
    }
}
