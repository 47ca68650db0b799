//! Tokens that services show each other.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use ticketblitz_core::{Clock, SystemClock};

/// Whom they are for: no user's token says this.
const AUDIENCE: &str = "ticketblitz-internal";
/// Long enough for the slowest call; a token that leaks into a log is soon worthless.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// How long one is shown again: it has to outlast the call.
const SHOWN_FOR: Duration = Duration::from_secs(60);
/// Good tokens that are remembered: more than a minute's of all services.
const REMEMBERED: usize = 256;

/// Makes and checks the tokens of services, which share a secret. Clones share what they have made and seen.
#[derive(Clone)]
pub struct ServiceTokens {
    sign: EncodingKey,
    check: DecodingKey,
    clock: Arc<dyn Clock>,
    /// By the caller.
    made: Remembered,
    /// By the token.
    seen: Remembered,
}

/// A token or a caller's name, and the second in which it is no longer good.
type Remembered = Arc<Mutex<HashMap<String, (Arc<str>, i64)>>>;

#[derive(Debug, Serialize, Deserialize)]
struct ServiceClaims {
    sub: String,
    aud: String,
    exp: i64,
}

impl ServiceTokens {
    /// Tokens that whoever has the same secret believes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let (sign, check) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { sign, check, clock: Arc::new(SystemClock), made: Arc::default(), seen: Arc::default() }
    }

    /// By the time of this clock instead of the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// A token in the name of `caller`.
    #[must_use]
    pub fn mint(&self, caller: &str) -> Arc<str> {
        let now = self.clock.now();
        if let Some(token) = recall(&self.made, caller, (now + GOOD_FOR - SHOWN_FOR).as_secs()) {
            return token;
        }
        let exp = (now + GOOD_FOR).as_secs();
        let claims = ServiceClaims { sub: caller.to_owned(), aud: AUDIENCE.to_owned(), exp };
        let token: Arc<str> = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .expect("an HMAC over plain claims does not fail")
            .into();
        remember(&self.made, caller, &token, exp);
        token
    }

    /// The service that shows this token, if it is one.
    pub(super) fn check(&self, token: &str) -> Option<Arc<str>> {
        let now = self.clock.now().as_secs();
        if let Some(caller) = recall(&self.seen, token, now) {
            return Some(caller);
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[AUDIENCE]);
        rules.validate_exp = false; // by our own clock
        let claims = jsonwebtoken::decode::<ServiceClaims>(token, &self.check, &rules).ok()?.claims;
        let caller: Arc<str> = (now < claims.exp).then_some(claims.sub)?.into();
        remember(&self.seen, token, &caller, claims.exp);
        Some(caller)
    }
}

/// What is kept under `key`, if it is good for longer than until `until`.
fn recall(kept: &Remembered, key: &str, until: i64) -> Option<Arc<str>> {
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get(key).filter(|(_, exp)| until < *exp).map(|(value, _)| Arc::clone(value))
}

fn remember(kept: &Remembered, key: &str, value: &Arc<str>, exp: i64) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= REMEMBERED {
        kept.clear();
    }
    kept.insert(key.to_owned(), (Arc::clone(value), exp));
}

impl fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceTokens(..)")
    }
}
