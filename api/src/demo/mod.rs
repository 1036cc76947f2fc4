//! A living example: a believable month of history, made by running commands over simulated time.
//!
//! Guarantees: everything is done through use cases, so the demo's data obeys every rule; the same
//! seed gives the same people, clues and decisions. Only here, and only on an empty log, does
//! anybody but the machine say what time it is.

mod clock;
mod journey;
mod month;
mod people;
mod queries;
mod staff;
mod traffic;

pub use clock::DemoClock;
pub use month::{MonthReport, play_month};
pub use queries::QUERIES;
pub use staff::{Staff, Team, hire};
pub use traffic::keep_busy;

use commands::clock::fresh_uuid;
use commands::service::{CommandContext, CommandError, CommandService, Receipt, UseCase};
use domain::Instant;
use domain::envelope::Actor;
use domain::ids::CommandId;
use domain::values::Code;

/// Why the demo could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A command that the script counts on failed.
    #[error("{command}: {error}")]
    Command {
        /// Which use case.
        command: &'static str,
        /// Why.
        error: CommandError,
    },
    /// A text of the script is no valid value.
    #[error("the demo's own data is wrong: {0}")]
    Script(String),
}

/// Runs one command of the script at a simulated time.
async fn run<U: UseCase>(
    service: &CommandService,
    actor: Actor,
    at: Instant,
    use_case: &U,
) -> Result<Receipt, DemoError> {
    let mut context = CommandContext::new(CommandId::new(fresh_uuid(service.clock().now())), actor);
    context.occurred_at = Some(at);
    service.execute(&context, use_case).await.map_err(|error| DemoError::Command { command: U::NAME, error })
}

/// The demo acting by itself.
fn system() -> Result<Actor, DemoError> {
    Ok(Actor::System(value::<Code>("demo")?))
}

/// A value from a text of the script.
fn value<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, DemoError> {
    text.parse().map_err(|error| DemoError::Script(format!("{text}: {error}")))
}

/// An id that a command made.
fn made<I: std::str::FromStr>(receipt: &Receipt, name: &str) -> Result<I, DemoError> {
    receipt
        .id(name)
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| DemoError::Script(format!("no {name} in the receipt")))
}
