//! Checking access tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use ticketblitz_core::{Clock, Timestamp};

use super::{Claims, ISSUER, KeySource};
use crate::problem::{Problem, kinds};

/// An unknown key id is asked for at most so often: forged ids must not become a load on the auth service.
const BETWEEN_FETCHES: Duration = Duration::from_secs(5);
/// Verified tokens that are remembered. The gateway and the service behind it check the same token, and a
/// buyer sends it again and again.
const REMEMBERED: usize = 10_000;

/// Checks access tokens against the published keys. Clones share what they have learnt.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, DecodingKey>,
    fetched: Option<Timestamp>,
    verified: HashMap<Arc<str>, Claims>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// Checks with the keys of `source`, by the time of `clock`.
    #[must_use]
    pub fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, state: Arc::default() }
    }

    /// What a good token says.
    ///
    /// # Errors
    /// 401 for a token that is none, is not ours or has expired; 503 when the keys cannot be had.
    pub async fn verify(&self, token: &str) -> Result<Claims, Problem> {
        let now = self.clock.now();
        if let Some(claims) = self.remembered(token) {
            return current(claims, now);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
        let key = match (header.alg, header.kid) {
            (Algorithm::EdDSA, Some(kid)) => self.key(&kid, now).await?,
            _ => return Err(refused()),
        };
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.validate_aud = false;
        // By our own clock, below.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &rules).map_err(|_| refused())?.claims;
        let claims = current(claims, now)?;
        self.remember(token, &claims, now);
        Ok(claims)
    }

    fn remembered(&self, token: &str) -> Option<Claims> {
        self.state().verified.get(token).cloned()
    }

    fn remember(&self, token: &str, claims: &Claims, now: Timestamp) {
        let mut state = self.state();
        if state.verified.len() >= REMEMBERED {
            state.verified.retain(|_, claims| now.as_secs() < claims.exp);
            if state.verified.len() >= REMEMBERED {
                state.verified.clear();
            }
        }
        state.verified.insert(token.into(), claims.clone());
    }

    async fn key(&self, kid: &str, now: Timestamp) -> Result<DecodingKey, Problem> {
        {
            let state = self.state();
            if let Some(key) = state.keys.get(kid) {
                return Ok(key.clone());
            }
            if state.fetched.is_some_and(|fetched| now.since(fetched) < BETWEEN_FETCHES) {
                return Err(refused());
            }
        }
        let keys = self.source.keys().await.map_err(|reason| {
            tracing::warn!(%reason, "the keys of access tokens cannot be had");
            Problem::unavailable("the auth service")
        })?;
        let keys = keys
            .0
            .keys
            .iter()
            .filter_map(|key| Some((key.common.key_id.clone()?, DecodingKey::from_jwk(key).ok()?)));
        let mut state = self.state();
        state.keys = keys.collect();
        state.fetched = Some(now);
        state.keys.get(kid).cloned().ok_or_else(refused)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is held; and every state of it is a good one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn current(claims: Claims, now: Timestamp) -> Result<Claims, Problem> {
    if now.as_secs() < claims.exp {
        Ok(claims)
    } else {
        Err(Problem::new(kinds::UNAUTHENTICATED, "the token has expired"))
    }
}

fn refused() -> Problem {
    Problem::new(kinds::UNAUTHENTICATED, "the token is not valid")
}
