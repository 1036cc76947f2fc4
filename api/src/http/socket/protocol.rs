//! Messages and close codes of graphql-transport-ws.

use axum::extract::ws::{CloseFrame, Message};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::auth::Rejection;
use crate::http::error::WireResponse;
use crate::http::parameters::Parameters;

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage {
    /// Opens the conversation, with the token.
    ConnectionInit {
        #[serde(default)]
        payload: Option<Value>,
    },
    /// Asks whether we are there.
    Ping {
        #[serde(default)]
        payload: Option<Value>,
    },
    /// Is there.
    Pong {},
    /// Wants an operation executed.
    Subscribe { id: String, payload: Parameters },
    /// Wants no more of an operation.
    Complete { id: String },
}

impl ClientMessage {
    pub fn parse(text: &str) -> Result<Self, Close> {
        // The id may be the only readable part, so the message says no more than that.
        serde_json::from_str(text).map_err(|_| Close::new(4400, "Invalid message"))
    }
}

/// The token in the payload of `connection_init`: `token`, or `Authorization` as in HTTP.
pub(super) fn token(payload: Option<&Value>) -> Result<&str, Rejection> {
    let payload = payload.and_then(Value::as_object).ok_or(Rejection::Missing)?;
    if let Some(token) = payload.get("token") {
        return token.as_str().ok_or(Rejection::Malformed);
    }
    let header = payload.get("Authorization").or_else(|| payload.get("authorization"));
    let header = header.ok_or(Rejection::Missing)?.as_str().ok_or(Rejection::Malformed)?;
    match header.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Rejection::Malformed),
    }
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub code: u16,
    pub reason: String,
}

impl Close {
    pub fn new(code: u16, reason: impl Into<String>) -> Self {
        let mut reason: String = reason.into();
        // A close frame holds 123 bytes of reason.
        reason.truncate(reason.floor_char_boundary(123));
        Self { code, reason }
    }

    pub fn forbidden(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::Unavailable(_) => Self::new(1011, "Internal error"),
            // Not 4401, after which clients never come back: this one may, with another token.
            _ => Self::new(4403, format!("Forbidden: {rejection}")),
        }
    }

    pub fn frame(self) -> Message {
        Message::Close(Some(CloseFrame { code: self.code, reason: self.reason.into() }))
    }
}

/// A message without a payload of GraphQL.
pub(super) fn simple(kind: &str, payload: Option<Value>) -> Message {
    let message = match payload {
        Some(payload) => serde_json::json!({ "type": kind, "payload": payload }),
        None => serde_json::json!({ "type": kind }),
    };
    Message::text(message.to_string())
}

/// The end of an operation.
pub(super) fn complete(id: &str) -> Message {
    Message::text(serde_json::json!({ "type": "complete", "id": id }).to_string())
}

/// A result of an operation: `next`, or `error` when it was never executed.
pub(super) fn result(id: &str, wire: &WireResponse) -> Message {
    let payload = if wire.executed() {
        serde_json::value::to_raw_value(wire)
    } else {
        serde_json::value::to_raw_value(wire.errors())
    };
    error_or_next(id, if wire.executed() { "next" } else { "error" }, payload.ok())
}

/// An operation that failed for a reason of ours.
pub(super) fn error(id: &str, error: Value) -> Message {
    let payload = serde_json::value::to_raw_value(&[error]).ok();
    error_or_next(id, "error", payload)
}

fn error_or_next(id: &str, kind: &str, payload: Option<Box<RawValue>>) -> Message {
    #[derive(serde::Serialize)]
    struct Out<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        id: &'a str,
        payload: Option<Box<RawValue>>,
    }
    Message::text(serde_json::to_string(&Out { kind, id, payload }).unwrap_or_default())
}
