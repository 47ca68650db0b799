//! The service as its callers meet it, over its router, with an inventory of the test's own.

mod counts;
mod reads;
mod samples;
mod unfinished;
mod writes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use contract::{EventClient, InventoryClient};
use http_body_util::BodyExt;
use platform::auth::{AuthContext, Caller, Jwks, KeySource, Role, ServiceTokens, TokenVerifier};
use platform::layers::{AppLayers, standard};
use platform::{Client, Health, Problem, Transport};
use serde_json::{Value, json};
use ticketblitz_core::sqlite::{self, Sqlite};
use ticketblitz_core::{ManualClock, UserId};
use tower::ServiceExt;

use crate::catalog::Catalog;
use crate::store::SqliteStore;

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Err("users are given to the requests directly".to_owned())
    }
}

/// An inventory that writes down what it is told, and is down when told to be.
#[derive(Debug, Clone, Default)]
struct Inventory {
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    down: Arc<AtomicBool>,
    /// It does what it is told, and its answer is lost.
    loses_answers: Arc<AtomicBool>,
}

impl Inventory {
    fn client(&self) -> InventoryClient {
        let router = Router::new().fallback(Self::answer).with_state(self.clone());
        let transport = Transport::in_process(router);
        InventoryClient::new(Client::new("inventory", transport, None, Duration::from_secs(5)))
    }

    async fn answer(State(this): State<Self>, request: Request<Body>) -> Response {
        if this.down.load(Ordering::SeqCst) {
            return Problem::unavailable("the disk").into_response();
        }
        let call = format!("{} {}", request.method(), request.uri().path());
        let body = request.into_body().collect().await.expect("a body").to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        this.calls.lock().unwrap_or_else(PoisonError::into_inner).push((call, body));
        if this.loses_answers.load(Ordering::SeqCst) {
            return StatusCode::BAD_GATEWAY.into_response();
        }
        StatusCode::NO_CONTENT.into_response()
    }

    fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_loses_answers(&self, loses: bool) {
        self.loses_answers.store(loses, Ordering::SeqCst);
    }

    /// How many places it was last told that this event has, if it sells it still.
    fn sells(&self, event: &Value) -> Option<usize> {
        let path = format!("/internal/inventory/events/{}", text(event, "id"));
        let (call, body) = self.calls().into_iter().rfind(|(call, _)| call.contains(&path)).expect("a call");
        let places = |section: &Value| section["seats"].as_array().map_or(0, Vec::len);
        call.starts_with("PUT")
            .then(|| body["sections"].as_array().expect("sections").iter().map(places).sum())
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

struct Rig {
    dir: tempfile::TempDir,
    clock: ManualClock,
    inventory: Inventory,
    db: Sqlite,
    catalog: Arc<Catalog>,
    router: Router,
}

type Answer = (u16, Value);

impl Rig {
    async fn new() -> Self {
        let clock = ManualClock::at("2026-06-01T10:00:00Z".parse().expect("a moment"));
        Self::on(tempfile::tempdir().expect("a directory"), clock, Inventory::default()).await
    }

    async fn on(dir: tempfile::TempDir, clock: ManualClock, inventory: Inventory) -> Self {
        let db = platform::db::open(dir.path(), "event", &crate::MIGRATIONS).await.expect("opens");
        let store = Arc::new(SqliteStore::new(db.clone()));
        let catalog = Arc::new(Catalog::new(store, inventory.client(), Arc::new(clock.clone())));
        let (router, _) = crate::http::router(Arc::clone(&catalog));
        Self { dir, clock, inventory, db, catalog, router }
    }

    /// As after a crash: the same files.
    async fn restarted(self) -> Self {
        let rig = Self::on(self.dir, self.clock, self.inventory).await;
        rig.catalog.store.discard_abandoned().await.expect("dropped");
        rig.catalog.settle_all().await.expect("finished");
        rig
    }

    /// From here this service's own commit fails, as if the process had ended before it.
    async fn dies_before_its_commit(&self, dies: bool) {
        let change = if dies {
            "CREATE TRIGGER dies BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'dead'); END"
        } else {
            "DROP TRIGGER dies"
        };
        let done: Result<_, sqlite::Error> = self
            .db
            .write(move |conn| Box::pin(async move { sqlite::query(change).execute(conn).await }))
            .await;
        done.expect("set");
    }

    async fn send(&self, mut request: Request<Body>, caller: Option<&Caller>) -> (u16, HeaderMap, Value) {
        request.extensions_mut().extend(
            caller
                .map(|caller| {
                    let mut extensions = axum::http::Extensions::new();
                    extensions.insert(caller.clone());
                    extensions
                })
                .unwrap_or_default(),
        );
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (head.status.as_u16(), head.headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn as_staff(&self, caller: &Caller, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        let (status, _, body) = self.send(request.expect("a request"), Some(caller)).await;
        (status, body)
    }

    async fn get(&self, path: &str) -> Answer {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let (status, _, body) = self.send(request, None).await;
        (status, body)
    }

    /// The answer as it is, which must be a good one.
    async fn text(&self, path: &str) -> String {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"application/json".parse().expect("a value"))
        );
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(body.to_vec()).expect("a text")
    }

    /// As another service calls, with its token or without.
    fn client(&self, with_token: bool) -> EventClient {
        let services = ServiceTokens::new(b"secret").with_clock(Arc::new(self.clock.clone()));
        let verifier = TokenVerifier::new(Arc::new(NoKeys), Arc::new(self.clock.clone()));
        let auth = AuthContext { verifier, services: services.clone() };
        let layers = AppLayers { role: "event", auth, health: Health::new(), internal: true };
        let transport = Transport::in_process(standard(self.router.clone(), layers));
        let caller = with_token.then_some((services, "test"));
        EventClient::new(Client::new("event", transport, caller, Duration::from_secs(5)))
    }

    async fn created(&self, caller: &Caller, body: &Value) -> Value {
        let (status, event) = self.as_staff(caller, "POST", "/api/events", body).await;
        assert_eq!(status, 201, "{event}");
        event
    }

    async fn told(&self) -> Vec<String> {
        let topics = sqlite::query_scalar("SELECT topic FROM outbox ORDER BY seq");
        topics.fetch_all(self.db.readers()).await.expect("read")
    }
}

fn organizer() -> Caller {
    Caller { user: UserId::new(), role: Role::Organizer, token: "token".into() }
}

fn concert() -> Value {
    json!({
        "name": "Concert", "venue": "Arena", "startsAt": "2026-07-01T20:00:00Z", "timeZone": "Europe/Berlin",
        "currency": "EUR", "bookingMode": "VISUAL", "totalSeats": 100,
    })
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

fn path(event: &Value) -> String {
    format!("/api/events/{}", text(event, "id"))
}

fn kind(answer: &Answer) -> (u16, String) {
    let urn = text(&answer.1, "type");
    (answer.0, urn.rsplit(':').next().unwrap_or_default().to_owned())
}

fn refused(status: u16, kind: &str) -> (u16, String) {
    (status, kind.to_owned())
}
