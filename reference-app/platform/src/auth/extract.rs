//! Who calls, as axum extractors.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap};

use super::{AuthContext, Caller, Role};
use crate::problem::{Problem, kinds};

impl Caller {
    /// The user whose token these headers carry.
    ///
    /// # Errors
    /// 401 without a good token.
    pub async fn from_headers(headers: &HeaderMap, auth: &AuthContext) -> Result<Self, Problem> {
        let token = bearer(headers)?;
        let claims = auth.verifier.verify(token).await?;
        Ok(Self { user: claims.sub, role: claims.role, token: token.into() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let caller = Self::from_headers(&parts.headers, context(&parts.extensions)?).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// A user who may make events: 403 for everybody else.
#[derive(Debug, Clone)]
pub struct Staff(pub Caller);

impl Staff {
    /// The caller as one of them.
    ///
    /// # Errors
    /// 403 for everybody else.
    pub fn check(caller: Caller) -> Result<Self, Problem> {
        match caller.role {
            Role::Organizer | Role::Admin => Ok(Self(caller)),
            Role::User => Err(Problem::new(kinds::FORBIDDEN, "this takes the role ORGANIZER or ADMIN")),
        }
    }
}

impl Deref for Staff {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::check(Caller::from_request_parts(parts, state).await?)
    }
}

/// Another service. A user's token opens nothing here: 403; no token, or a bad one, is 401.
#[derive(Debug, Clone)]
pub struct ServiceCaller {
    /// The role that calls.
    pub name: Arc<str>,
}

impl ServiceCaller {
    pub(crate) async fn check(headers: &HeaderMap, auth: &AuthContext) -> Result<Self, Problem> {
        let token = bearer(headers)?;
        if let Some(name) = auth.services.check(token) {
            return Ok(Self { name });
        }
        auth.verifier.verify(token).await?;
        Err(Problem::new(kinds::FORBIDDEN, "this is for services only"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ServiceCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::check(&parts.headers, context(&parts.extensions)?).await
    }
}

fn context(extensions: &Extensions) -> Result<&AuthContext, Problem> {
    extensions
        .get::<AuthContext>()
        .ok_or_else(|| Problem::internal("the layers are missing: nobody can be known"))
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token.map(|(_, token)| token.trim()) {
        Some(token) if !token.is_empty() => Ok(token),
        _ => Err(Problem::new(kinds::UNAUTHENTICATED, "send an access token: Authorization: Bearer ...")),
    }
}
