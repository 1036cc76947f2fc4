//! `cluestream erase-customer`: destroys a person's data key and records that.

use std::sync::Arc;

use commands::clock::SystemClock;
use commands::use_cases::customer::EraseCustomer;
use domain::ids::CustomerId;
use domain::values::Code;

use super::{CliError, system_command};
use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whom
    #[arg(value_name = "CUSTOMER")]
    customer: CustomerId,
    /// On what ground, as a word such as request-of-the-person
    #[arg(long)]
    ground: Code,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> Result<(), CliError> {
    let app = App::open(config, &Keys::load(&config.keys_dir)?, Arc::new(SystemClock)).await?;
    let erase = EraseCustomer { customer_id: arguments.customer, ground: arguments.ground };
    let erased = app.commands.execute(&system_command("cli")?, &erase).await;
    app.close().await;
    let position = erased?.position;
    println!("{} was erased at position {position}", arguments.customer);
    eprintln!(
        "read models follow once a server (or `cluestream verify`) has passed position {position}; backups of \
         the data keys that are older than this still open the person's data: let them expire"
    );
    Ok(())
}
