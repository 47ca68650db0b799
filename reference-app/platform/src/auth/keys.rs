//! The public keys that access tokens are checked with.

use async_trait::async_trait;
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};

/// Public keys, as `/.well-known/jwks.json` publishes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Jwks(pub JwkSet);

impl From<JwkSet> for Jwks {
    fn from(keys: JwkSet) -> Self {
        Self(keys)
    }
}

/// Where the keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + std::fmt::Debug + 'static {
    /// The keys that are good now.
    async fn keys(&self) -> Result<Jwks, String>;
}
