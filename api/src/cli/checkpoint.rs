//! `cluestream checkpoint`: signs what the log holds now, and prints the checkpoint.

use std::io::Write;
use std::sync::Arc;

use commands::clock::SystemClock;
use commands::proof::{ProveError, Sealed};

use super::CliError;
use crate::app::{App, sealer};
use crate::config::Config;
use crate::keys::Keys;
use crate::proofs::Proofs;

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let keys = Keys::load(&config.keys_dir)?;
    keys.log_in(&config.keys_dir)?;
    let app = App::open(config, &keys, Arc::new(SystemClock)).await?;
    let mut sealer = sealer(&app, config, &keys)?;
    let sealed = sealer.seal_all().await;
    app.close().await;
    match sealed? {
        Sealed::Signed(checkpoint) => eprintln!("signed up to position {}", checkpoint.size),
        Sealed::Already(0) => eprintln!("the log is empty: there is nothing to sign"),
        Sealed::Already(size) => eprintln!("everything is signed already, up to position {size}"),
        Sealed::Busy => eprintln!("another process is signing the log"),
    }
    match Proofs::new(config, &keys).newest().await {
        Ok(signed) => Ok(std::io::stdout().lock().write_all(signed.note.as_bytes())?),
        Err(crate::proofs::ProofsError::Prove(ProveError::NothingSigned)) => Ok(()),
        Err(error) => Err(CliError::Verifier(error.to_string())),
    }
}
