//! Who calls: users by an access token, services by a token among themselves.

mod extract;
mod keys;
mod service;
mod verify;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use ticketblitz_core::UserId;

pub use extract::{ServiceCaller, Staff};
pub use keys::{Jwks, KeySource};
pub use service::ServiceTokens;
pub use verify::TokenVerifier;

/// Who issues access tokens.
pub const ISSUER: &str = "ticketblitz";

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Buys.
    User,
    /// Also makes events, and changes their own.
    Organizer,
    /// Also changes everybody's.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "USER",
            Self::Organizer => "ORGANIZER",
            Self::Admin => "ADMIN",
        })
    }
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// What the user may do.
    pub role: Role,
    /// Good until this second since 1970.
    pub exp: i64,
    /// Made in this second.
    pub iat: i64,
    /// [`ISSUER`].
    pub iss: String,
    /// The token's own id.
    pub jti: String,
}

/// A user who proved who they are.
///
/// As an extractor it answers 401 without a good token. Put it before the body: who may not ask is told so
/// before what they ask is looked at.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The token's subject.
    pub user: UserId,
    /// The token's role.
    pub role: Role,
    /// The token itself.
    pub token: Arc<str>,
}

/// What a role needs to know who calls. The layers put it into every request.
#[derive(Debug, Clone)]
pub struct AuthContext {
    /// Checks users' tokens.
    pub verifier: TokenVerifier,
    /// Makes and checks services' tokens.
    pub services: ServiceTokens,
}
