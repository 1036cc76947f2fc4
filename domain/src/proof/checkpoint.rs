//! Checkpoints: the size and the root of a tree, signed. C2SP `tlog-checkpoint` gives the text.

use super::hash::Hash;
use super::note::{NoteError, NoteSigner, VerifierKey};

/// The head of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Box<str>,
    /// How many events it covers: those up to this position.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a checkpoint is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not signed as it should be.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// What is signed is no checkpoint.
    #[error("what is signed is no checkpoint")]
    Form,
    /// It is of another log.
    #[error("it is a checkpoint of another log, {0}")]
    Origin(Box<str>),
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// The checkpoint as a note. Its origin is the name of the key.
    #[must_use]
    pub fn sign(size: u64, root: Hash, signer: &NoteSigner) -> String {
        let origin = signer.verifier().name().into();
        signer.sign(&Self { origin, size, root }.text())
    }

    /// Reads a note that the log's key has signed.
    ///
    /// # Errors
    /// See [`CheckpointError`].
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse(key.open(note)?).ok_or(CheckpointError::Form)?;
        if &*checkpoint.origin == key.name() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Origin(checkpoint.origin))
        }
    }

    /// Reads the text; lines behind the third one are extensions, which are signed and mean nothing.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, number, root) = (lines.next()?, lines.next()?, lines.next()?);
        let size: u64 = number.parse().ok()?;
        let sound = !origin.is_empty() && size.to_string() == number && lines.all(|line| !line.is_empty());
        sound.then_some(Self { origin: origin.into(), size, root: root.parse().ok()? })
    }
}
