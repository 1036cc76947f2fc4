//! `cluestream serve`: answers requests and keeps the read models, until it is told to end.

use std::sync::Arc;

use commands::clock::SystemClock;

use super::CliError;
use crate::app::{App, Role, ServeError, Service};
use crate::config::Config;
use crate::http::{Server, stop_signal};
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What this process does, separated by commas; several processes can share one database
    #[arg(long, value_name = "ROLES", value_enum, value_delimiter = ',', default_values = ["api", "projections", "checkpoints"])]
    roles: Vec<Role>,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let keys = Keys::load(&config.keys_dir)?;
    let server = Server::bind(config.listen).await.map_err(ServeError::from)?;
    let app = Arc::new(App::open(config, &keys, Arc::new(SystemClock)).await?);
    let service = Service::new(server, app, config, &keys, &arguments.roles)?;
    eprintln!("cluestream serves at http://{}", service.address());
    Ok(service.run(stop_signal()).await?)
}
