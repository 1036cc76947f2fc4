//! Sealing values: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), bound to stream, event and field.
//!
//! Sealed bytes are: format (1), nonce (24), ciphertext with tag; as base64url without padding.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use domain::ids::SubjectId;
use domain::personal::SealedText;
use domain::ports::{KeyRing, SealContext, UnsealError};
use serde_json::Value;

use super::keys::{DataKey, NONCE, fresh_nonce};

/// The one format so far.
const FORMAT: u8 = 1;

/// What the seal is bound to.
fn associated_data(seal: &SealContext<'_>) -> Vec<u8> {
    let mut data = seal.stream.to_string().into_bytes();
    data.push(0);
    data.extend_from_slice(seal.event_id.uuid().as_bytes());
    data.extend_from_slice(seal.path.as_bytes());
    data
}

/// The sealed form of a value, which comes as JSON.
pub(crate) fn seal(key: &DataKey, seal: &SealContext<'_>, clear: &str) -> Result<SealedText, UnsealError> {
    let nonce = fresh_nonce();
    let data = associated_data(seal);
    let payload = Payload { msg: clear.as_bytes(), aad: &data };
    let sealed = key.0.encrypt(&nonce, payload).map_err(|_| tampered(seal))?;
    let mut bytes = Vec::with_capacity(1 + NONCE + sealed.len());
    bytes.push(FORMAT);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    Ok(SealedText(URL_SAFE_NO_PAD.encode(bytes)))
}

/// Keys of some people, in memory.
pub(super) struct Ring(HashMap<SubjectId, DataKey>);

impl Ring {
    pub(super) fn new(keys: Vec<(SubjectId, DataKey)>) -> Self {
        Self(keys.into_iter().collect())
    }
}

impl KeyRing for Ring {
    fn open(&self, seal: &SealContext<'_>, sealed: &str) -> Result<Option<Value>, UnsealError> {
        let Some(key) = self.0.get(&seal.subject) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| tampered(seal))?;
        let (nonce, ciphertext) = match bytes.split_first() {
            Some((&FORMAT, rest)) => rest.split_at_checked(NONCE).ok_or_else(|| tampered(seal))?,
            _ => return Err(tampered(seal)),
        };
        let nonce = XNonce::try_from(nonce).map_err(|_| tampered(seal))?;
        let payload = Payload { msg: ciphertext, aad: &associated_data(seal) };
        let clear = key.0.decrypt(&nonce, payload).map_err(|_| tampered(seal))?;
        serde_json::from_slice(&clear).map(Some).map_err(|_| tampered(seal))
    }
}

fn tampered(seal: &SealContext<'_>) -> UnsealError {
    UnsealError::Tampered { path: seal.path.to_owned() }
}
