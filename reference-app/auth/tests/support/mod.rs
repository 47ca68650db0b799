//! An auth service in this process, as clients see it.
#![allow(dead_code)] // each test binary uses its part

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth::{AdminAnnouncement, Config, Deps, REFRESH_TOKEN_TTL};
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use platform::StartError;
use platform::auth::{AuthContext, ServiceTokens, TokenVerifier};
use platform::layers::{AppLayers, standard};
use serde_json::{Value, json};
use tempfile::TempDir;
use ticketblitz_core::{ManualClock, Timestamp};
use tower::ServiceExt;

pub const ACCESS_TTL: Duration = Duration::from_secs(900);

pub fn config(dir: &Path) -> Config {
    Config {
        data_dir: dir.to_owned(),
        access_token_ttl: ACCESS_TTL,
        refresh_token_ttl: REFRESH_TOKEN_TTL,
        password_min_length: 6,
        admin_password: None,
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The last part of a problem's type.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default()
    }

    pub fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_default().to_owned()
    }

    /// The names of the wrong fields, in order.
    pub fn wrong_fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }
}

pub struct App {
    pub router: Router,
    pub clock: ManualClock,
    pub services: ServiceTokens,
    pub admin: Option<AdminAnnouncement>,
}

impl App {
    pub async fn start(config: Config, clock: ManualClock) -> Result<Self, StartError> {
        let services = ServiceTokens::new(b"secret").with_clock(Arc::new(clock.clone()));
        let deps = Deps { clock: Arc::new(clock.clone()), services: services.clone() };
        let started = auth::start(config, deps).await?;
        let verifier = TokenVerifier::new(started.keys, Arc::new(clock.clone()));
        let auth = AuthContext { verifier, services: services.clone() };
        let health = started.service.health;
        let layers = AppLayers { role: "auth", auth, health, internal: true };
        let router = standard(started.service.router, layers);
        Ok(Self { router, clock, services, admin: started.announced_admin })
    }

    pub async fn fresh() -> (TempDir, Self) {
        let dir = tempfile::tempdir().expect("a directory");
        let app = Self::start(config(dir.path()), clock()).await.expect("starts");
        (dir, app)
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.router.clone().oneshot(request).await.expect("infallible").into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        Answer { status: head.status, headers: head.headers, body }
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    pub async fn register(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": "secret-1", "name": "Ada Lovelace"});
        self.post("/api/auth/register", body).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/api/auth/login", json!({"email": email, "password": password})).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/auth/refresh", json!({"refreshToken": token})).await
    }
}

pub fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000))
}
