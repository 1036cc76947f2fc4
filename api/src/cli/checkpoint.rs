//! `cluestream checkpoint`: signs what the log holds now, and prints the checkpoint.
//!
//! It is done only when everything is signed that the log held at the start, by whomever.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commands::clock::SystemClock;
use commands::proof::{ProveError, Sealed, Sealer};
use domain::Position;

use super::CliError;
use crate::app::{App, sealer};
use crate::config::Config;
use crate::keys::Keys;
use crate::proofs::{Proofs, ProofsError};

/// How long another process is waited for that signs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let keys = Keys::load(&config.keys_dir)?;
    keys.log_in(&config.keys_dir)?;
    let app = App::open(config, &keys, Arc::new(SystemClock)).await?;
    let proofs = Proofs::new(config, &keys);
    let mut sealer = sealer(&app, config, &keys)?;
    let sealed = match app.log.head().await {
        Ok(head) => seal(&mut sealer, &proofs, head.position, PATIENCE).await,
        Err(error) => Err(error.into()),
    };
    app.close().await;
    eprintln!("{}", sealed?);
    match proofs.newest().await {
        Ok(signed) => Ok(std::io::stdout().lock().write_all(signed.note.as_bytes())?),
        Err(ProofsError::Prove(ProveError::NothingSigned)) => Ok(()),
        Err(error) => Err(CliError::Verifier(error.to_string())),
    }
}

/// Signs up to `head` at least, or waits until somebody else has; says what came of it.
pub(super) async fn seal(
    sealer: &mut Sealer,
    proofs: &Proofs,
    head: Position,
    patience: Duration,
) -> Result<String, CliError> {
    let deadline = Instant::now() + patience;
    loop {
        match sealer.seal_all().await? {
            Sealed::Signed(checkpoint) => return Ok(format!("signed up to position {}", checkpoint.size)),
            Sealed::Already(0) => return Ok("the log is empty: there is nothing to sign".to_owned()),
            Sealed::Already(size) => {
                return Ok(format!("everything is signed already, up to position {size}"));
            }
            Sealed::Busy => {}
        }
        if let Ok(signed) = proofs.newest().await
            && signed.checkpoint.size >= head.get().unsigned_abs()
        {
            return Ok(format!("another process signed up to position {}", signed.checkpoint.size));
        }
        if Instant::now() >= deadline {
            let message = format!("another process is signing the log, and not up to position {head} yet");
            return Err(CliError::Verifier(message));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
