//! From a token to a caller.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use domain::Instant;
use lru::LruCache;
use sha2::{Digest, Sha256};

use super::token::{Tokens, Verified};
use super::{Caller, Directory, Rejection};

/// Verified tokens that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4_095);

/// Tells the time.
pub type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Turns tokens into callers.
pub struct Authenticator {
    tokens: Tokens,
    directory: Arc<dyn Directory>,
    now: Now,
    /// Checking a signature costs more than answering a small query, so good ones are remembered by
    /// their hash. Expiry and standing are checked every time all the same.
    verified: Mutex<LruCache<[u8; 32], Verified>>,
}

impl Authenticator {
    /// An authenticator over a directory of operators.
    #[must_use]
    pub fn new(tokens: Tokens, directory: Arc<dyn Directory>, now: Now) -> Self {
        Self { tokens, directory, now, verified: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The present, by the clock that tokens are checked against.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.now)()
    }

    /// The caller behind the value of an `Authorization` header.
    ///
    /// # Errors
    /// Says why the caller is turned away.
    pub async fn authenticate_header(&self, header: Option<&[u8]>) -> Result<Caller, Rejection> {
        let header = header.ok_or(Rejection::Missing)?;
        let header = std::str::from_utf8(header).map_err(|_| Rejection::Malformed)?;
        let (scheme, token) = header.trim().split_once(' ').ok_or(Rejection::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Rejection::Malformed);
        }
        self.authenticate(token.trim()).await
    }

    /// The caller behind a token.
    ///
    /// # Errors
    /// Says why the caller is turned away.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, Rejection> {
        let verified = self.verify(token)?;
        self.standing(verified).await
    }

    /// The caller as of now, for a connection that lasts.
    ///
    /// # Errors
    /// Says why the caller is turned away by now.
    pub async fn renew(&self, caller: &Caller) -> Result<Caller, Rejection> {
        let (operator_id, expires_at) = (caller.operator_id, caller.token_expires_at);
        self.standing(Verified { operator_id, expires_at }).await
    }

    async fn standing(&self, verified: Verified) -> Result<Caller, Rejection> {
        let verified = verified.at(self.now())?;
        let entry = self.directory.find(verified.operator_id).await?.ok_or(Rejection::UnknownOperator)?;
        if entry.suspended {
            return Err(Rejection::Suspended);
        }
        Ok(Caller {
            operator_id: verified.operator_id,
            roles: entry.roles,
            scope: entry.scope,
            token_expires_at: verified.expires_at,
        })
    }

    fn verify(&self, token: &str) -> Result<Verified, Rejection> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Ok(mut remembered) = self.verified.lock()
            && let Some(verified) = remembered.get(&hash)
        {
            return Ok(*verified);
        }
        let verified = self.tokens.read(token)?;
        if let Ok(mut remembered) = self.verified.lock() {
            remembered.put(hash, verified);
        }
        Ok(verified)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use async_trait::async_trait;
    use domain::ids::OperatorId;
    use uuid::Uuid;

    use super::*;
    use crate::auth::{DirectoryEntry, DirectoryUnavailable};
    use crate::keys::Keys;

    struct Fixed(HashMap<OperatorId, DirectoryEntry>);

    #[async_trait]
    impl Directory for Fixed {
        async fn find(&self, id: OperatorId) -> Result<Option<DirectoryEntry>, DirectoryUnavailable> {
            if id == operator(99) {
                return Err(DirectoryUnavailable("gone".into()));
            }
            Ok(self.0.get(&id).cloned())
        }
    }

    fn operator(number: u128) -> OperatorId {
        OperatorId::new(Uuid::from_u128(number))
    }

    const NOW: Instant = Instant::from_micros(1_800_000_000_000_000);

    fn authenticator(tokens: &Tokens) -> Authenticator {
        let suspended = DirectoryEntry { suspended: true, ..DirectoryEntry::default() };
        let known = HashMap::from([(operator(1), DirectoryEntry::default()), (operator(2), suspended)]);
        Authenticator::new(tokens.clone(), Arc::new(Fixed(known)), Arc::new(|| NOW))
    }

    #[tokio::test]
    async fn every_kind_of_caller_is_told_apart() {
        let tokens = Tokens::new(Keys::generate().unwrap().signing()).unwrap();
        let authenticator = authenticator(&tokens);
        let hour = Duration::from_secs(3_600);
        let bearer = |number: u128, from: Instant| {
            format!("Bearer {}", tokens.issue(operator(number), from, hour).unwrap().token)
        };
        let stranger = Tokens::new(Keys::generate().unwrap().signing()).unwrap();
        let forged = format!("Bearer {}", stranger.issue(operator(1), NOW, hour).unwrap().token);
        let cases = [
            (None, "token_missing"),
            (Some("Bearer".to_owned()), "token_malformed"),
            (Some("Bearer x.y.z".to_owned()), "token_malformed"),
            (Some(bearer(1, NOW).replace("Bearer", "Basic")), "token_malformed"),
            (Some(bearer(1, Instant::from_micros(NOW.micros() - 7_200_000_000))), "token_expired"),
            (Some(forged), "token_forged"),
            (Some(bearer(3, NOW)), "operator_unknown"),
            (Some(bearer(2, NOW)), "operator_suspended"),
            (Some(bearer(99, NOW)), "internal"),
        ];
        for (header, code) in cases {
            let rejected = authenticator.authenticate_header(header.as_deref().map(str::as_bytes)).await;
            assert_eq!(rejected.unwrap_err().code(), code, "{header:?}");
        }
        for scheme in ["Bearer", "bearer"] {
            let header = bearer(1, NOW).replace("Bearer", scheme);
            let caller = authenticator.authenticate_header(Some(header.as_bytes())).await.unwrap();
            assert_eq!(caller.operator_id, operator(1));
        }
    }

    #[tokio::test]
    async fn a_remembered_token_still_expires() {
        let tokens = Tokens::new(Keys::generate().unwrap().signing()).unwrap();
        let clock = Arc::new(Mutex::new(NOW));
        let hands = clock.clone();
        let known = Arc::new(Fixed(HashMap::from([(operator(1), DirectoryEntry::default())])));
        let authenticator =
            Authenticator::new(tokens.clone(), known, Arc::new(move || *hands.lock().unwrap()));
        let token = tokens.issue(operator(1), NOW, Duration::from_secs(60)).unwrap().token;
        assert!(authenticator.authenticate(&token).await.is_ok());
        *clock.lock().unwrap() = NOW + Duration::from_secs(120);
        assert_eq!(authenticator.authenticate(&token).await, Err(Rejection::Expired));
    }
}
