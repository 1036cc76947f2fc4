//! The shape of an aggregate: two pure functions over its own events.

use std::fmt::Display;

use crate::codec::EventContract;

/// A consistency boundary. `decide` says what a command leads to, `evolve` folds one event.
///
/// Invariant: both are synchronous and total; neither reads a clock, random numbers or anything
/// outside its arguments. The `cqrs_es::Aggregate` implementation only delegates.
pub trait Aggregate:
    cqrs_es::Aggregate<Services = (), Event: EventContract, Error: Refusal> + Clone + 'static
{
    /// What its stream is named by.
    type Id: Display + Clone + Send + Sync;

    /// The events that `command` leads to in this state; empty when it changes nothing.
    ///
    /// # Errors
    /// The business refusal, when the rules forbid the command in this state.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Error>;

    /// Folds one recorded event into the state.
    fn evolve(&mut self, event: &Self::Event);
}

/// A business refusal: the rules forbid the command, and trying again changes nothing by itself.
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// The stable word that clients switch on. It never changes once published.
    fn code(&self) -> &'static str;

    /// The input that is to blame, as a path such as `fields.budget`, when there is one.
    fn field(&self) -> Option<String> {
        None
    }
}

/// Implements `cqrs_es::Aggregate` by delegating to [`Aggregate`].
macro_rules! delegate_to_cqrs_es {
    ($aggregate:ty, $kind:literal, $command:ty, $event:ty, $error:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = $kind;
            type Command = $command;
            type Event = $event;
            type Error = $error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::Aggregate::decide(self, command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::Aggregate::evolve(self, &event);
            }
        }
    };
}

/// Declares a closed enum of refusals, each with its stable code and message.
macro_rules! refusals {
    (
        $(#[$meta:meta])* $name:ident {
            $($(#[$vmeta:meta])* $variant:ident $({ $($field:ident : $ty:ty),+ $(,)? })? = $code:literal, $message:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name {
            $(
                $(#[$vmeta])*
                #[error($message)]
                $variant $({ $(
                    #[allow(missing_docs)]
                    $field: $ty
                ),+ })?,
            )+
        }

        impl $name {
            /// The code of every refusal of this kind, for the contract test.
            pub const CODES: &'static [&'static str] = &[$($code),+];

            /// The stable word that clients switch on.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $code,)+
                }
            }
        }
    };
}

pub(crate) use {delegate_to_cqrs_es, refusals};
