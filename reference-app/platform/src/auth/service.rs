//! Tokens that services show each other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use ticketblitz_core::{Clock, SystemClock};

/// Whom they are for: no user's token says this.
const AUDIENCE: &str = "ticketblitz-internal";
/// Long enough for the slowest call; a token that leaks into a log is soon worthless.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// Makes and checks the tokens of services, which share a secret.
#[derive(Clone)]
pub struct ServiceTokens {
    sign: EncodingKey,
    check: DecodingKey,
    clock: Arc<dyn Clock>,
}

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
        Self { sign, check, clock: Arc::new(SystemClock) }
    }

    /// By the time of this clock instead of the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// A token in the name of `caller`.
    #[must_use]
    pub fn mint(&self, caller: &str) -> String {
        let exp = (self.clock.now() + GOOD_FOR).as_secs();
        let claims = ServiceClaims { sub: caller.to_owned(), aud: AUDIENCE.to_owned(), exp };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .expect("an HMAC over plain claims does not fail")
    }

    /// The service that shows this token, if it is one.
    pub(super) fn check(&self, token: &str) -> Option<String> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[AUDIENCE]);
        rules.validate_exp = false; // by our own clock
        let claims = jsonwebtoken::decode::<ServiceClaims>(token, &self.check, &rules).ok()?.claims;
        (self.clock.now().as_secs() < claims.exp).then_some(claims.sub)
    }
}

impl fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceTokens(..)")
    }
}
