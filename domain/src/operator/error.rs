//! Why a command to an operator's record is refused.

use crate::aggregate::{Refusal, refusals};

refusals! {
    /// Refusals of an operator's record.
    OperatorError {
        /// No such operator was registered.
        NotFound = "operator_not_found", "there is no such operator";
        /// An operator of that id was registered.
        AlreadyRegistered = "operator_already_registered", "this operator was registered already";
        /// Nothing is left of the name.
        NameEmpty = "name_empty", "a name is not empty";
        /// A second person grants roles.
        SelfGrant = "self_grant", "a role is granted by a second person";
        /// The scope names something that does not exist.
        ScopeUnknown { what: String } = "scope_unknown", "the scope names {what}, which does not exist";
    }
}

impl Refusal for OperatorError {
    fn code(&self) -> &'static str {
        self.code()
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::NameEmpty => Some("name".to_owned()),
            Self::ScopeUnknown { .. } => Some("scope".to_owned()),
            _ => None,
        }
    }
}
