//! Recording a refused claim is never refused.

use crate::aggregate::Refusal;

/// There is no refusal: every attempt can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClueAttemptsError {}

impl Refusal for ClueAttemptsError {
    fn code(&self) -> &'static str {
        match *self {}
    }
}
