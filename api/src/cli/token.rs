//! `cluestream token`: issues a token for an operator.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::Instant;
use domain::ids::OperatorId;

use super::CliError;
use crate::auth::Tokens;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose token it is. The server decides with each request what this operator may do.
    #[arg(value_name = "OPERATOR")]
    operator: OperatorId,
    /// For how many seconds it is good
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    lifetime: Option<u64>,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let keys = Keys::load(&config.keys_dir)?;
    let lifetime = arguments.lifetime.map_or(config.token_lifetime, Duration::from_secs);
    let issued = Tokens::new(keys.signing())?.issue(arguments.operator, now(), lifetime)?;
    writeln!(std::io::stdout().lock(), "{}", issued.token)?;
    eprintln!("good until {}", issued.expires_at);
    Ok(())
}

fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
