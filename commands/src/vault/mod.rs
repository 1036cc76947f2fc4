//! The key vault: one data key a person, wrapped by a master key that no database holds.
//!
//! Guarantees: a sealed value opens only under its subject's key and only where it was sealed
//! (stream, event, field); destroying the key makes every copy of the value unreadable; a key is
//! durable before, or together with, the first event sealed under it.
//!
//! Deliberately absent: reading or writing key files, which the composition root does.

mod blind_index;
mod keys;
mod seal;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::Instant;
use domain::ids::SubjectId;
use domain::ports::{KeyRing, ReadError, UnsealError, Unsealer};
use lru::LruCache;

use crate::clock::SharedClock;
use crate::event_log::{EventLog, WrappedKey};

pub use blind_index::PepperedIndex;
pub use keys::{DataKey, KeyMaterial, MasterKey, Pepper};
use seal::Ring;
pub(crate) use seal::seal;

/// Data keys kept in memory.
const CACHED_KEYS: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();
/// How long a key stays in memory: another process may have destroyed it.
const KEY_LIFETIME: Duration = Duration::from_secs(60);

/// Data keys of people, unwrapped on demand.
pub struct Vault {
    log: Arc<dyn EventLog>,
    material: KeyMaterial,
    cache: Mutex<LruCache<SubjectId, (DataKey, Instant)>>,
    clock: SharedClock,
}

impl Vault {
    /// A vault over the log's key table.
    #[must_use]
    pub fn new(log: Arc<dyn EventLog>, material: KeyMaterial, clock: SharedClock) -> Self {
        Self { log, material, cache: Mutex::new(LruCache::new(CACHED_KEYS)), clock }
    }

    /// The keys that hash contacts.
    #[must_use]
    pub fn blind_index(&self) -> PepperedIndex {
        PepperedIndex::new(&self.material.pepper)
    }

    /// Whether the master keys are those that this log's data keys were wrapped with. Another master key
    /// would seal new people's data beside data that it cannot open.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn opens(&self) -> Result<bool, ReadError> {
        let any = self.log.any_data_key().await?;
        Ok(any.is_none_or(|stored| self.material.unwrap(&stored).is_ok()))
    }

    /// A new data key for a person who appears for the first time. It becomes real with the append
    /// that carries its wrapped form.
    pub(crate) fn create(&self, subject: SubjectId) -> Result<(DataKey, WrappedKey), ReadError> {
        let (key, bytes) = DataKey::generate();
        let master = self.material.newest()?;
        let wrapped = master.wrap(subject, &bytes)?;
        self.remember(subject, key.clone());
        Ok((key, WrappedKey { subject, wrapped, master_version: master.version() }))
    }

    /// The data key of a person; `None` when it was destroyed, or never was.
    pub(crate) async fn key(&self, subject: SubjectId) -> Result<Option<DataKey>, ReadError> {
        Ok(self.load(&[subject]).await?.pop().map(|(_, key)| key))
    }

    /// Forgets keys in memory: they were destroyed, or their append failed.
    pub(crate) fn forget(&self, subjects: impl IntoIterator<Item = SubjectId>) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        for subject in subjects {
            cache.pop(&subject);
        }
    }

    fn remember(&self, subject: SubjectId, key: DataKey) {
        let until = self.clock.now() + KEY_LIFETIME;
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(subject, (key, until));
    }

    async fn load(&self, subjects: &[SubjectId]) -> Result<Vec<(SubjectId, DataKey)>, ReadError> {
        let now = self.clock.now();
        let mut keys = Vec::with_capacity(subjects.len());
        let mut missing = Vec::new();
        {
            let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
            for subject in subjects {
                match cache.get(subject) {
                    // A clock that went back would make a key last longer than its time.
                    Some((key, until)) if now < *until && *until <= now + KEY_LIFETIME => {
                        keys.push((*subject, key.clone()))
                    }
                    _ => missing.push(*subject),
                }
            }
        }
        if missing.is_empty() {
            return Ok(keys);
        }
        for stored in self.log.data_keys(&missing).await? {
            let key = self.material.unwrap(&stored)?;
            self.remember(stored.subject, key.clone());
            keys.push((stored.subject, key));
        }
        Ok(keys)
    }
}

#[async_trait]
impl Unsealer for Vault {
    async fn keys(&self, subjects: &[SubjectId]) -> Result<Box<dyn KeyRing>, UnsealError> {
        let keys = self.load(subjects).await.map_err(|error| UnsealError::Unavailable(error.to_string()))?;
        Ok(Box::new(Ring::new(keys)))
    }
}
