//! `/log`: the newest checkpoint, tiles, and proofs of the log.
//!
//! Guarantees: checkpoint and tiles have the paths and the forms of C2SP `tlog-tiles`, with `/log` as
//! their prefix; a proof reads a few tiles and is checked before it is given; proofs and tiles are for
//! auditors, the checkpoint for BI as well.
//!
//! Deliberately absent: entries (`GET /events?raw=true` has them), and the key to verify with: whoever
//! took it from here would trust the server that is to be checked.

mod query;

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use domain::Position;
use domain::proof::{Hash, Tile};
use serde::Serialize;
use uuid::Uuid;

use super::accept::MediaType;
use super::error::HttpError;
use super::gateway::Gateway;
use super::observe::RequestId;
use crate::auth::Caller;
use crate::proofs::{Proofs, ProofsError};
use query::numbers;

/// A full tile never changes. A partial one does not either, but goes when it is full.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Clone)]
struct ProofState {
    proofs: Proofs,
    gateway: Arc<Gateway>,
}

/// The answer of `/log/proof/inclusion`. Hashes are base64, as in checkpoints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InclusionBody {
    position: Position,
    size: u64,
    leaf: String,
    path: Vec<String>,
    root: String,
    checkpoint: Option<String>,
}

/// The answer of `/log/proof/consistency`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConsistencyBody {
    from: u64,
    from_root: String,
    to: u64,
    to_root: String,
    path: Vec<String>,
}

/// The routes below `/log`.
pub fn routes(proofs: Proofs, gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{*path}", get(tile))
        .route("/log/proof/inclusion", get(inclusion))
        .route("/log/proof/consistency", get(consistency))
        .with_state(ProofState { proofs, gateway })
}

type Id = Extension<RequestId>;

async fn checkpoint(
    State(state): State<ProofState>,
    Extension(RequestId(id)): Id,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let caller = state.caller(&headers).await?;
        let signed = state.proofs.checkpoint(&caller.roles).await.map_err(|error| refused(&error, id))?;
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
            (header::CACHE_CONTROL, NOT_KEPT),
        ];
        Ok((headers, signed.note).into_response())
    };
    finished(answer.await, id)
}

async fn tile(
    State(state): State<ProofState>,
    Extension(RequestId(id)): Id,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Response {
    let answer = async {
        let caller = state.caller(&headers).await?;
        let absent = || HttpError::new(StatusCode::NOT_FOUND, "not_found", "there is no such tile");
        // Whoever may not have tiles does not learn which there are.
        let tile = format!("tile/{path}").parse::<Tile>();
        let asked = tile.unwrap_or(Tile { level: 0, index: 0, width: 1 });
        let content = state.proofs.tile(&caller.roles, asked).await.map_err(|error| refused(&error, id))?;
        let content = content.filter(|_| tile.is_ok()).ok_or_else(absent)?;
        let kept = if asked.is_full() { FOR_EVER } else { NOT_KEPT };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
            (header::CACHE_CONTROL, kept),
        ];
        Ok((headers, content).into_response())
    };
    finished(answer.await, id)
}

async fn inclusion(
    State(state): State<ProofState>,
    Extension(RequestId(id)): Id,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let answer = async {
        let caller = state.caller(&headers).await?;
        let [position, size] = state.numbers(&caller, &uri, ["position", "size"])?;
        let position = position.ok_or_else(|| missing("position"))?;
        let position = Position::new(i64::try_from(position).unwrap_or(i64::MAX));
        let proof = state.proofs.inclusion(&caller.roles, position, size).await;
        let proof = proof.map_err(|error| refused(&error, id))?;
        let body = InclusionBody {
            position: proof.position,
            size: proof.size,
            leaf: proof.leaf.to_string(),
            path: texts(&proof.path),
            root: proof.root.to_string(),
            checkpoint: proof.checkpoint,
        };
        Ok(([(header::CACHE_CONTROL, NOT_KEPT)], Json(body)).into_response())
    };
    finished(answer.await, id)
}

async fn consistency(
    State(state): State<ProofState>,
    Extension(RequestId(id)): Id,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let answer = async {
        let caller = state.caller(&headers).await?;
        let [from, to] = state.numbers(&caller, &uri, ["from", "to"])?;
        let from = from.ok_or_else(|| missing("from"))?;
        let proof = state.proofs.consistency(&caller.roles, from, to).await;
        let proof = proof.map_err(|error| refused(&error, id))?;
        let body = ConsistencyBody {
            from: proof.from,
            from_root: proof.from_root.to_string(),
            to: proof.to,
            to_root: proof.to_root.to_string(),
            path: texts(&proof.path),
        };
        Ok(([(header::CACHE_CONTROL, NOT_KEPT)], Json(body)).into_response())
    };
    finished(answer.await, id)
}

impl ProofState {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, HttpError> {
        let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        Ok(self.gateway.authenticator().authenticate_header(authorization).await?)
    }

    /// The numbers of a query string. Whoever may have no proof learns nothing from them either.
    fn numbers<const N: usize>(
        &self,
        caller: &Caller,
        uri: &Uri,
        names: [&'static str; N],
    ) -> Result<[Option<u64>; N], HttpError> {
        self.proofs.check(&caller.roles).map_err(|error| refused(&error, Uuid::nil()))?;
        numbers(uri, names)
    }
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

fn missing(name: &str) -> HttpError {
    HttpError::bad_request("bad_parameter", format!("the parameter {name} is missing"))
}

fn finished(answer: Result<Response, HttpError>, id: Uuid) -> Response {
    answer.unwrap_or_else(|error| error.response(id, MediaType::Json.content_type()))
}

fn refused(error: &ProofsError, correlation: Uuid) -> HttpError {
    let Some(code) = error.code() else {
        tracing::error!(%correlation, %error, "a proof cannot be given");
        return HttpError::internal();
    };
    let status = match code {
        "forbidden" => StatusCode::FORBIDDEN,
        "bad_input" => return HttpError::bad_request("bad_parameter", error.to_string()),
        _ => StatusCode::NOT_FOUND,
    };
    HttpError::new(status, code, error.to_string())
}
