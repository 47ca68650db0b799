//! Users and sessions.

use platform::auth::Role;
use platform::{Client, ClientError};
use serde::{Deserialize, Serialize};
use ticketblitz_core::UserId;
use utoipa::ToSchema;

/// `POST /api/auth/register`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisterRequest {
    pub email: Option<String>,
    pub password: Option<String>,
    pub name: Option<String>,
}

/// `POST /api/auth/login`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginRequest {
    pub email: Option<String>,
    pub password: Option<String>,
}

/// `POST /api/auth/refresh` and `/logout`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    pub refresh_token: Option<String>,
}

/// A session: what registering, logging in and refreshing answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    pub access_token: String,
    pub refresh_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    #[schema(value_type = String)]
    pub role: Role,
}

/// A user, as `/api/auth/me` and the services see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    #[schema(value_type = String)]
    pub role: Role,
}

/// `GET /api/auth/validate`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Validated {
    pub valid: bool,
    #[schema(value_type = String, format = "uuid")]
    pub user_id: UserId,
}

/// Calls to the auth service.
#[derive(Debug, Clone)]
pub struct AuthClient(Client);

impl AuthClient {
    pub fn new(client: Client) -> Self {
        Self(client)
    }

    /// The user with this id.
    pub async fn user(&self, user: UserId) -> Result<User, ClientError> {
        self.0.get(&format!("/internal/auth/users/{user}")).await
    }
}
