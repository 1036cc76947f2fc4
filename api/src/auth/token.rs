//! Tokens: EdDSA JWTs that name an operator.

use std::time::Duration;

use domain::Instant;
use domain::ids::OperatorId;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Rejection;

/// Who issues our tokens.
const ISSUER: &str = "cluestream";
/// For whom they are.
const AUDIENCE: &str = "cluestream-api";
/// What they are, so that no other JWT signed with the same key passes for one (RFC 8725, 3.11).
const TYPE: &str = "at+jwt";
/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(30);
/// No token of ours is longer; longer ones are not looked at.
const MAX_LENGTH: usize = 2_048;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// Issues and verifies tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// A token as text.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The JWT.
    pub token: String,
    /// When it ends.
    pub expires_at: Instant,
}

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the signing key cannot sign tokens")]
pub struct TokenError;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub operator_id: OperatorId,
    pub expires_at: Instant,
}

impl Tokens {
    /// Tokens under a signing key.
    ///
    /// # Errors
    /// When the key cannot be used for signing.
    pub fn new(key: &SigningKey) -> Result<Self, TokenError> {
        let private = key.to_pkcs8_der().map_err(|_| TokenError)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Time is checked in `verify`, against the clock that the caller gives.
        validation.validate_exp = false;
        Ok(Self {
            encoding: EncodingKey::from_ed_der(private.as_bytes()),
            decoding: DecodingKey::from_ed_der(key.verifying_key().as_bytes()),
            validation,
        })
    }

    /// A token for an operator, good from `now` on.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn issue(
        &self,
        operator: OperatorId,
        now: Instant,
        lifetime: Duration,
    ) -> Result<IssuedToken, TokenError> {
        let expires_at = now + lifetime;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: operator.uuid(),
            iat: seconds(now),
            exp: seconds(expires_at),
            jti: Uuid::now_v7(),
        };
        let header = Header { typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::EdDSA) };
        let token = jsonwebtoken::encode(&header, &claims, &self.encoding).map_err(|_| TokenError)?;
        Ok(IssuedToken { token, expires_at: Instant::from_micros(claims.exp * 1_000_000) })
    }

    /// What a token says, whether or not it has expired.
    pub(super) fn read(&self, token: &str) -> Result<Verified, Rejection> {
        if token.len() > MAX_LENGTH {
            return Err(Rejection::Malformed);
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| rejection(error.kind()))?;
        if data.header.typ.as_deref() != Some(TYPE) {
            return Err(Rejection::Forged);
        }
        let expires_at = data.claims.exp.checked_mul(1_000_000).ok_or(Rejection::Malformed)?;
        Ok(Verified {
            operator_id: OperatorId::new(data.claims.sub),
            expires_at: Instant::from_micros(expires_at),
        })
    }
}

impl Verified {
    /// The same, unless it has expired.
    pub fn at(self, now: Instant) -> Result<Self, Rejection> {
        if now > self.expires_at + SKEW { Err(Rejection::Expired) } else { Ok(self) }
    }
}

const fn rejection(kind: &ErrorKind) -> Rejection {
    match kind {
        ErrorKind::InvalidSignature
        | ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidIssuer
        | ErrorKind::InvalidAudience => Rejection::Forged,
        _ => Rejection::Malformed,
    }
}

fn seconds(instant: Instant) -> i64 {
    instant.micros().div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::keys::Keys;

    const NOW: Instant = Instant::from_micros(1_800_000_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn operator() -> OperatorId {
        OperatorId::new(Uuid::from_u128(7))
    }

    fn tokens() -> Tokens {
        Tokens::new(Keys::generate().unwrap().signing()).unwrap()
    }

    /// A token of ours with parts of its claims and header changed, signed anew.
    fn changed(tokens: &Tokens, header: Header, change: impl Fn(&mut Value)) -> String {
        let issued = tokens.issue(operator(), NOW, HOUR).unwrap().token;
        let claims = URL_SAFE_NO_PAD.decode(issued.split('.').nth(1).unwrap()).unwrap();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        change(&mut claims);
        jsonwebtoken::encode(&header, &claims, &tokens.encoding).unwrap()
    }

    fn ours() -> Header {
        Header { typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::EdDSA) }
    }

    #[test]
    fn a_token_names_its_operator_until_it_ends() {
        let tokens = tokens();
        let issued = tokens.issue(operator(), NOW, HOUR).unwrap();
        let read = tokens.read(&issued.token).unwrap();
        assert_eq!(read.operator_id, operator());
        assert_eq!(read.expires_at, NOW + HOUR);
        assert!(read.at(NOW).is_ok());
        assert!(read.at(NOW + HOUR + Duration::from_secs(30)).is_ok(), "clocks may differ a little");
        assert_eq!(read.at(NOW + HOUR + Duration::from_secs(31)), Err(Rejection::Expired));
    }

    #[test]
    fn a_token_of_another_key_issuer_audience_or_type_is_forged() {
        let tokens = tokens();
        let foreign = self::tokens().issue(operator(), NOW, HOUR).unwrap().token;
        for forged in [
            foreign,
            changed(&tokens, ours(), |claims| claims["iss"] = json!("somebody")),
            changed(&tokens, ours(), |claims| claims["aud"] = json!("something")),
            changed(&tokens, Header::new(Algorithm::EdDSA), |_| {}),
        ] {
            assert_eq!(tokens.read(&forged), Err(Rejection::Forged), "{forged}");
        }
    }

    #[test]
    fn a_changed_token_is_forged() {
        let tokens = tokens();
        let issued = tokens.issue(operator(), NOW, HOUR).unwrap().token;
        let mut parts: Vec<String> = issued.split('.').map(str::to_owned).collect();
        let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
        let other = claims.replace(&operator().to_string(), &OperatorId::new(Uuid::from_u128(8)).to_string());
        parts[1] = URL_SAFE_NO_PAD.encode(other);
        assert_eq!(tokens.read(&parts.join(".")), Err(Rejection::Forged));
    }

    #[test]
    fn no_other_algorithm_passes() {
        let tokens = tokens();
        let issued = tokens.issue(operator(), NOW, HOUR).unwrap().token;
        let claims = issued.split('.').nth(1).unwrap();
        let none = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"at+jwt"}"#);
        assert_eq!(tokens.read(&format!("{none}.{claims}.")), Err(Rejection::Malformed));
        // The public key as an HMAC secret, the classic confusion.
        let secret = EncodingKey::from_secret(tokens.decoding.try_get_as_bytes().unwrap());
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        let header = Header { typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::HS256) };
        let confused = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
        assert_eq!(tokens.read(&confused), Err(Rejection::Forged));
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        let tokens = tokens();
        let without = |name: &'static str| {
            changed(&tokens, ours(), move |claims| {
                claims.as_object_mut().unwrap().remove(name);
            })
        };
        for text in [
            String::new(),
            "a.b.c".to_owned(),
            "x".repeat(10_000),
            without("exp"),
            without("sub"),
            without("iss"),
            without("aud"),
            changed(&tokens, ours(), |claims| claims["sub"] = json!("somebody")),
            changed(&tokens, ours(), |claims| claims["exp"] = json!(i64::MAX)),
        ] {
            assert_eq!(tokens.read(&text), Err(Rejection::Malformed), "{text}");
        }
    }
}
