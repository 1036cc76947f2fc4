//! `cluestream fence`: ends the time of every writer that is connected now.

use std::sync::Arc;

use commands::clock::SystemClock;

use super::CliError;
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let epoch = app.log.fence().await?;
    app.close().await;
    println!("{epoch}");
    eprintln!("whoever was connected before appends no more and has to be started again");
    Ok(())
}
