//! Who may replay the log, which of its events, and how much of them.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use domain::envelope::RecordedEvent;
use domain::operator::Role;
use domain::values::LineKey;

use crate::auth::Caller;
use crate::http::error::HttpError;

/// How much of an event a caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// For BI: nothing that is or might be personal data.
    Pseudonymous,
    /// For auditors: as stored, what is sealed stays sealed.
    Stored,
}

/// What a caller may replay. Whoever is neither BI nor auditor may replay nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub view: View,
    /// Business lines whose events are seen; `None` for all of them.
    lines: Option<BTreeSet<LineKey>>,
}

impl Access {
    /// For whoever has the database itself: everything as it is stored.
    pub const EVERYTHING: Self = Self { view: View::Stored, lines: None };

    /// What this caller may replay.
    pub fn of(caller: &Caller, raw: bool) -> Result<Self, HttpError> {
        let lines = &caller.scope.lines;
        if caller.roles.contains(&Role::Auditor) {
            // An auditor of the whole organisation has no line named; one of some lines has these.
            let lines = (!lines.is_empty()).then(|| lines.clone());
            return Ok(Self { view: View::Stored, lines });
        }
        if !caller.roles.contains(&Role::Bi) {
            return Err(forbidden("events are replayed by operators with the role bi or auditor"));
        }
        if raw {
            return Err(forbidden("the parameter raw is for operators with the role auditor"));
        }
        Ok(Self { view: View::Pseudonymous, lines: Some(lines.clone()) })
    }

    /// Whether an event is within the caller's scope. Events of no line are in everybody's.
    pub fn sees(&self, event: &RecordedEvent) -> bool {
        match (&self.lines, &event.metadata.line) {
            (Some(lines), Some(line)) => lines.contains(line),
            _ => true,
        }
    }

    /// Whether no event is kept from the caller, whatever it says.
    pub const fn is_whole(&self) -> bool {
        self.lines.is_none()
    }
}

fn forbidden(message: &str) -> HttpError {
    HttpError::new(StatusCode::FORBIDDEN, "forbidden", message)
}
