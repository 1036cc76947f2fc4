//! Key material: master keys, the pepper, and data keys.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::ids::SubjectId;
use domain::ports::ReadError;
use rand::Rng;

use crate::event_log::WrappedKey;

/// Bytes of every symmetric key.
const KEY: usize = 32;
/// Bytes of an XChaCha20-Poly1305 nonce.
pub(super) const NONCE: usize = 24;

/// A key that wraps data keys. The number tells generations apart.
#[derive(Clone)]
pub struct MasterKey {
    version: u32,
    cipher: Arc<XChaCha20Poly1305>,
}

/// The secret of the blind index.
#[derive(Clone)]
pub struct Pepper {
    /// Generation of the pepper; the index is rebuilt under a new one.
    pub version: u32,
    /// The secret.
    pub secret: [u8; KEY],
}

/// A key that seals one person's data.
#[derive(Clone)]
pub struct DataKey(pub(super) Arc<XChaCha20Poly1305>);

/// All secrets that the write side needs.
#[derive(Clone)]
pub struct KeyMaterial {
    /// Master keys, newest last. Old ones still unwrap.
    pub master: Vec<MasterKey>,
    /// The secret of the blind index.
    pub pepper: Pepper,
}

impl MasterKey {
    /// A master key of a generation.
    #[must_use]
    pub fn new(version: u32, key: &[u8; KEY]) -> Self {
        Self { version, cipher: Arc::new(XChaCha20Poly1305::new(key.into())) }
    }

    /// Its generation.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn wrap(&self, subject: SubjectId, key: &[u8; KEY]) -> Result<Vec<u8>, ReadError> {
        let nonce = fresh_nonce();
        let subject = subject.uuid();
        let payload = Payload { msg: key, aad: subject.as_bytes() };
        let sealed = self.cipher.encrypt(&nonce, payload).map_err(|_| broken())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }
}

impl DataKey {
    /// A random key, ready to use and as bytes to be wrapped.
    pub(super) fn generate() -> (Self, [u8; KEY]) {
        let mut bytes = [0; KEY];
        rand::rng().fill_bytes(&mut bytes);
        (Self::of(&bytes), bytes)
    }

    fn of(bytes: &[u8; KEY]) -> Self {
        Self(Arc::new(XChaCha20Poly1305::new(bytes.into())))
    }
}

impl KeyMaterial {
    pub(super) fn newest(&self) -> Result<&MasterKey, ReadError> {
        self.master.last().ok_or_else(|| ReadError::Unavailable("there is no master key".to_owned()))
    }

    pub(super) fn unwrap(&self, stored: &WrappedKey) -> Result<DataKey, ReadError> {
        let master = self.master.iter().find(|key| key.version == stored.master_version);
        let master = master.ok_or_else(|| {
            ReadError::Unavailable(format!("master key {} is missing", stored.master_version))
        })?;
        let (nonce, sealed) = stored.wrapped.split_at_checked(NONCE).ok_or_else(broken)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| broken())?;
        let subject = stored.subject.uuid();
        let payload = Payload { msg: sealed, aad: subject.as_bytes() };
        let bytes = master.cipher.decrypt(&nonce, payload).map_err(|_| broken())?;
        let bytes: [u8; KEY] = bytes.try_into().map_err(|_| broken())?;
        Ok(DataKey::of(&bytes))
    }
}

/// Random: 192 bits never repeat.
pub(super) fn fresh_nonce() -> XNonce {
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    nonce.into()
}

fn broken() -> ReadError {
    ReadError::Unavailable("a data key does not open under the master key".to_owned())
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.version)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey")
    }
}
