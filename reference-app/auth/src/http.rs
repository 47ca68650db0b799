//! The HTTP side: reads requests, lists what is wrong with them, words the answers.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json as JsonBody, Router};
use contract::auth::{LoginRequest, RefreshRequest, RegisterRequest, Session, User, Validated};
use contract::kinds::{EMAIL_TAKEN, INVALID_CREDENTIALS};
use jsonwebtoken::jwk::JwkSet;
use platform::auth::{Caller, ServiceCaller};
use platform::extract::{Json, Path};
use platform::problem::{Invalid, Problem, kinds};
use ticketblitz_core::UserId;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{self, Accounts};
use crate::domain::{self, Email, Name, PasswordPolicy};
use crate::error::{Error, StoreError};

const REQUIRED: &str = "is required";
/// A session must not stay in anybody's cache (RFC 6749, section 5.1).
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
const KEYS_FOR_FIVE_MINUTES: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "public, max-age=300")];

#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) accounts: Accounts,
    pub(crate) policy: PasswordPolicy,
}

pub(crate) fn router(state: AppState) -> (Router, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(validate))
        .routes(routes!(jwks))
        .routes(routes!(user))
        .with_state(state)
        .split_for_parts()
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::InvalidCredentials => Self::new(INVALID_CREDENTIALS, detail),
            Error::InvalidRefreshToken => Self::new(kinds::UNAUTHENTICATED, detail),
            Error::Store(StoreError::EmailTaken) => Self::new(EMAIL_TAKEN, detail),
            Error::Overloaded => Self::new(kinds::OVERLOADED, detail).retry_after(Duration::from_secs(2)),
            Error::Store(StoreError::Database(error)) => {
                Self::of_store(&error, platform::db::will_pass(&error))
            }
            Error::Hash(_) | Error::Sign(_) | Error::Task(_) => Self::internal(&detail),
        }
    }
}

impl From<domain::User> for User {
    fn from(user: domain::User) -> Self {
        Self { user_id: user.id, email: user.email, name: user.name, role: user.role }
    }
}

fn session(status: StatusCode, session: accounts::Session) -> Response {
    let accounts::Session { user, access_token, refresh_token, expires_in } = session;
    let body = Session {
        access_token,
        refresh_token,
        token_type: "Bearer".to_owned(),
        expires_in: expires_in.as_secs(),
        user_id: user.id,
        email: user.email,
        name: user.name,
        role: user.role,
    };
    (status, NO_STORE, JsonBody(body)).into_response()
}

/// Makes an account and logs in.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth", request_body = RegisterRequest, responses(
    (status = 201, body = Session),
    (status = 409, description = "email-taken"),
    (status = 422, description = "validation-failed, every wrong field listed"),
    (status = 503, description = "overloaded"),
))]
async fn register(
    State(state): State<AppState>,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Problem> {
    let mut invalid = Invalid::default();
    let email = checked(&mut invalid, "email", request.email, |text| Email::parse(&text));
    let password =
        checked(&mut invalid, "password", request.password, |text| state.policy.check(&text).map(|()| text));
    let name = checked(&mut invalid, "name", request.name, |text| Name::parse(&text));
    invalid.finish()?;
    let (Some(email), Some(password), Some(name)) = (email, password, name) else {
        return Err(Problem::new(kinds::VALIDATION_FAILED, "the request is incomplete"));
    };
    Ok(session(StatusCode::CREATED, state.accounts.register(email, name, password).await?))
}

/// Logs in.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = LoginRequest, responses(
    (status = 200, body = Session),
    (status = 401, description = "invalid-credentials: the same for an unknown address and a wrong password"),
    (status = 422, description = "validation-failed"),
    (status = 503, description = "overloaded"),
))]
async fn login(
    State(state): State<AppState>,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Problem> {
    let mut invalid = Invalid::default();
    let email = present(&mut invalid, "email", request.email);
    let password = present(&mut invalid, "password", request.password);
    invalid.finish()?;
    let logged_in = state.accounts.login(&email, password).await?;
    Ok(session(StatusCode::OK, logged_in))
}

/// Exchanges a refresh token for a new session. The token is spent by it; one that was spent before ends its
/// whole family.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshRequest, responses(
    (status = 200, body = Session),
    (status = 401, description = "unauthenticated: unknown, spent, expired or ended"),
    (status = 422, description = "validation-failed"),
))]
async fn refresh(
    State(state): State<AppState>,
    Json(request): Json<RefreshRequest>,
) -> Result<Response, Problem> {
    let token = refresh_token(request)?;
    Ok(session(StatusCode::OK, state.accounts.refresh(&token).await?))
}

/// Ends the session of a refresh token.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", request_body = RefreshRequest, responses(
    (status = 204, description = "The session has ended, now or before"),
    (status = 422, description = "validation-failed"),
))]
async fn logout(
    State(state): State<AppState>,
    Json(request): Json<RefreshRequest>,
) -> Result<StatusCode, Problem> {
    let token = refresh_token(request)?;
    state.accounts.logout(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The user of the token.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses(
    (status = 200, body = User), (status = 401, description = "unauthenticated"),
))]
async fn me(State(state): State<AppState>, caller: Caller) -> Result<JsonBody<User>, Problem> {
    let user = state.accounts.store.by_id(caller.user).await.map_err(Error::from)?;
    let gone = || Problem::new(kinds::UNAUTHENTICATED, "the token's user does not exist");
    Ok(JsonBody(user.ok_or_else(gone)?.into()))
}

/// Whether the token is good.
#[utoipa::path(get, path = "/api/auth/validate", tag = "auth", responses(
    (status = 200, body = Validated), (status = 401, description = "unauthenticated"),
))]
async fn validate(caller: Caller) -> JsonBody<Validated> {
    JsonBody(Validated { valid: true, user_id: caller.user })
}

/// The public keys that access tokens are checked with (RFC 7517).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "auth", responses((status = 200, body = Object)))]
async fn jwks(State(state): State<AppState>) -> ([(HeaderName, &'static str); 1], JsonBody<JwkSet>) {
    (KEYS_FOR_FIVE_MINUTES, JsonBody(state.accounts.signer.public_keys()))
}

/// A user, for other services.
#[utoipa::path(get, path = "/internal/auth/users/{userId}", tag = "internal",
    params(("userId" = String, Path, description = "The user")),
    responses(
        (status = 200, body = User),
        (status = 401, description = "unauthenticated"),
        (status = 403, description = "forbidden: a user's token"),
        (status = 404, description = "not-found"),
    ),
)]
async fn user(
    _service: ServiceCaller,
    State(state): State<AppState>,
    Path(id): Path<UserId>,
) -> Result<JsonBody<User>, Problem> {
    let user = state.accounts.store.by_id(id).await.map_err(Error::from)?;
    let unknown = || Problem::new(kinds::NOT_FOUND, "there is no such user");
    Ok(JsonBody(user.ok_or_else(unknown)?.into()))
}

fn refresh_token(request: RefreshRequest) -> Result<String, Problem> {
    let mut invalid = Invalid::default();
    let token = present(&mut invalid, "refreshToken", request.refresh_token);
    invalid.finish()?;
    Ok(token)
}

/// The value of a field that only has to be there; empty when it is not, and then `invalid` says so.
fn present(invalid: &mut Invalid, field: &str, value: Option<String>) -> String {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        invalid.push(field, REQUIRED);
    }
    value
}

/// The value of a field as `parse` reads it; without one, `invalid` says why.
fn checked<T, E: Into<String>>(
    invalid: &mut Invalid,
    field: &str,
    value: Option<String>,
    parse: impl FnOnce(String) -> Result<T, E>,
) -> Option<T> {
    let parsed = match value {
        Some(value) => parse(value).map_err(Into::into),
        None => Err(REQUIRED.to_owned()),
    };
    parsed.map_err(|reason: String| invalid.push(field, reason)).ok()
}
