//! Where tiles and checkpoints are kept: outside the database, best where its administrators cannot
//! write. Names are paths with `/` between their elements.

use async_trait::async_trait;

use super::audit::printable;

/// Why a place does not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It does not answer, or refuses.
    #[error("{}: {reason}", printable(.name))]
    Unavailable {
        /// What was read or written.
        name: String,
        /// Why.
        reason: String,
    },
    /// What must not change is there with another content.
    #[error("{name} is there already with another content")]
    Conflict {
        /// Which.
        name: String,
    },
}

/// Held by the one process that may write.
pub trait Lock: Send + Sync {}

/// A place for tiles and checkpoints.
#[async_trait]
pub trait Place: Send + Sync {
    /// The content of a file; `None` when there is none.
    async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, PlaceError>;

    /// Writes files, each whole or not at all, in place of what was there. All are durable on return.
    async fn put(&self, files: Vec<(String, Vec<u8>)>) -> Result<(), PlaceError>;

    /// Writes a file that must not be there with another content; durable on return.
    async fn add(&self, name: &str, content: Vec<u8>) -> Result<(), PlaceError>;

    /// The names in a folder, sorted; none when there is no such folder.
    async fn names(&self, folder: &str) -> Result<Vec<String>, PlaceError>;

    /// Removes a folder with its files, when it is there.
    async fn remove(&self, folder: &str) -> Result<(), PlaceError>;

    /// The right to write, until it is dropped or the process ends; `None` while another process has it.
    async fn lock(&self) -> Result<Option<Box<dyn Lock>>, PlaceError>;
}
