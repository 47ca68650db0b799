//! The two kinds of token: access tokens, which are signed, and refresh tokens, which are random.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use platform::auth::{Claims, Role};
use rand::Rng;
use sha2::{Digest, Sha256};
use ticketblitz_core::{Timestamp, UserId};
use uuid::Uuid;

/// The 32 bytes that an Ed25519 key pair follows from (RFC 8032).
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::rng().random())
    }

    /// The seed in these bytes, if there are 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// What stands before the seed in a PKCS #8 private key of Ed25519 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// Signs access tokens.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    public: Jwk,
    header: Header,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kid", &self.header.kid).finish_non_exhaustive()
    }
}

impl Signer {
    /// The key pair of `seed`. Its id is its thumbprint (RFC 7638), so the same seed has the same id always.
    pub fn new(seed: &Seed) -> Result<Self, jsonwebtoken::errors::Error> {
        let der = [PKCS8_PREFIX.as_slice(), seed.as_bytes()].concat();
        let key = EncodingKey::from_ed_der(&der);
        let mut public = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?;
        let id = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(id);
        Ok(Self { key, public, header })
    }

    /// The public half, for whoever checks tokens.
    pub fn public_keys(&self) -> JwkSet {
        JwkSet { keys: vec![self.public.clone()] }
    }

    /// An access token that is good from `now` for `ttl`.
    pub fn access_token(
        &self,
        user: UserId,
        role: Role,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: user,
            role,
            iat: now.as_secs(),
            exp: (now + ttl).as_secs(),
            iss: platform::auth::ISSUER.to_owned(),
            jti: Uuid::now_v7().to_string(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key)
    }
}

/// A refresh token: 256 random bits in base64url. Whoever has it has the session.
pub struct RefreshToken(String);

impl RefreshToken {
    /// A new one.
    pub fn random() -> Self {
        let bits: [u8; 32] = rand::rng().random();
        Self(URL_SAFE_NO_PAD.encode(bits))
    }

    /// What is stored of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(&self.0)
    }

    /// The token, for the answer to its owner.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// The SHA-256 of a refresh token. Plain hashing is enough: 256 random bits cannot be guessed. For the same
/// reason it may be looked up by equality: how long that takes tells nothing about a token nobody can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Of a token as a client sent it.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A: the key pair and its thumbprint.
    #[test]
    fn the_key_pair_and_its_id_follow_from_the_seed() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64url");
        let signer = Signer::new(&Seed::from_bytes(&seed).expect("32 bytes")).expect("a key");
        let json = serde_json::to_value(signer.public_keys()).expect("serializes");
        assert_eq!(
            json,
            serde_json::json!({"keys": [{
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }]})
        );
    }

    #[test]
    fn secrets_are_random_and_do_not_show_in_logs() {
        let (one, other) = (RefreshToken::random(), RefreshToken::random());
        assert_ne!(one.digest(), other.digest());
        assert_eq!(format!("{one:?}"), "RefreshToken(..)");
        assert_eq!(one.digest(), TokenDigest::of(&one.into_string()));
        assert_ne!(Seed::random(), Seed::random());
        assert_eq!(format!("{:?}", Seed::random()), "Seed(..)");
    }
}
