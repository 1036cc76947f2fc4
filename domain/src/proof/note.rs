//! Signed notes: a text, a blank line, signature lines. C2SP `signed-note` gives the format, the ids of
//! keys, and the text form of a key to verify with.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The type of an Ed25519 signature.
const ED25519: u8 = 1;
/// Signature lines of a note at most.
const MAX_SIGNATURES: usize = 64;
/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// The key that a note is verified with, under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: Box<str>,
    id: [u8; 4],
    key: VerifyingKey,
}

/// Signs notes under a name.
#[derive(Clone)]
pub struct NoteSigner {
    verifier: VerifierKey,
    key: SigningKey,
}

/// Text that names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A name is empty or has spaces, plus signs or control characters.
    #[error("the name of a key is text without spaces and plus signs")]
    Name,
    /// It is not `name+id+key`.
    #[error("a verifier key is NAME+ID+KEY: eight hexadecimal digits, and an Ed25519 key in base64")]
    Form,
    /// Its id is not that of name and key.
    #[error("the id of the verifier key does not belong to its name and key: it was mistyped or altered")]
    Id,
}

/// Why a note is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no signed note.
    #[error("not a signed note")]
    Form,
    /// None of its signatures is of the key.
    #[error("it has no signature of this key")]
    Unsigned,
    /// The key's signature is not over this text.
    #[error("its signature is wrong: it was altered, or signed by somebody else")]
    Signature,
}

impl VerifierKey {
    /// A key under a name.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.contains(bad) {
            return Err(KeyError::Name);
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize();
        let id = [hash[0], hash[1], hash[2], hash[3]];
        Ok(Self { name: name.into(), id, key })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the public half of a key.
    #[must_use]
    pub fn belongs_to(&self, key: &SigningKey) -> bool {
        self.key == key.verifying_key()
    }

    /// The text of a note, once its signature is good. Signatures of other keys are passed over.
    ///
    /// # Errors
    /// See [`NoteError`].
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (end, signatures) = note.rfind("\n\n").map(|at| note.split_at(at + 1)).ok_or(NoteError::Form)?;
        let signatures = signatures.strip_prefix('\n').ok_or(NoteError::Form)?;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
        if note.chars().any(|c| c < ' ' && c != '\n') || lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::Form);
        }
        let mut signed = false;
        for line in lines.split('\n') {
            let (name, signature) =
                line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(NoteError::Form)?;
            let bytes = STANDARD.decode(signature).map_err(|_| NoteError::Form)?;
            let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Form)?;
            if name != &*self.name || *id != self.id {
                continue;
            }
            let signature = Signature::from_slice(signature).map_err(|_| NoteError::Signature)?;
            self.key.verify_strict(end.as_bytes(), &signature).map_err(|_| NoteError::Signature)?;
            signed = true;
        }
        if signed { Ok(end) } else { Err(NoteError::Unsigned) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let key: &[u8; 32] = match bytes.split_first() {
            Some((&ED25519, key)) => key.try_into().map_err(|_| KeyError::Form)?,
            _ => return Err(KeyError::Form),
        };
        let verifier = Self::new(name, VerifyingKey::from_bytes(key).map_err(|_| KeyError::Form)?)?;
        if format!("{:08x}", u32::from_be_bytes(verifier.id)) == id {
            Ok(verifier)
        } else {
            Err(KeyError::Id)
        }
    }
}

impl NoteSigner {
    /// Signs with a key under a name.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn new(name: &str, key: SigningKey) -> Result<Self, KeyError> {
        Ok(Self { verifier: VerifierKey::new(name, key.verifying_key())?, key })
    }

    /// The key to verify with.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The private half, to be stored.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// A text, which ends with a newline, as a signed note. The same text gives the same note.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.verifier.id.to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n{DASH}{} {}\n", self.verifier.name, STANDARD.encode(signature))
    }
}
