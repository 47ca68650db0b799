//! The service as its callers meet it, over its router.

mod events;
mod holds;
mod payments;
mod restarts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use platform::auth::{AuthContext, Caller, Jwks, KeySource, Role, ServiceTokens, TokenVerifier};
use platform::layers::{AppLayers, standard};
use serde_json::{Value, json};
use ticketblitz_core::{Clock, EventId, ManualClock, Timestamp, UserId};
use ticketblitz_lock::{MemoryStore, SeatStore};
use tower::ServiceExt;

use crate::desk::Desk;
use crate::store::SqliteStore;

#[derive(Debug)]
struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    async fn keys(&self) -> Result<Jwks, String> {
        Err("users are given to the requests directly".to_owned())
    }
}

/// The service on a database of its own, its clock and its lock in the test's hands.
struct Rig {
    dir: tempfile::TempDir,
    clock: ManualClock,
    locks: MemoryStore,
    desk: Arc<Desk>,
    router: Router,
    services: ServiceTokens,
}

type Answer = (u16, Value);

impl Rig {
    async fn new() -> Self {
        let clock = ManualClock::at("2026-06-01T10:00:00Z".parse().expect("a moment"));
        Self::on(tempfile::tempdir().expect("a directory"), clock).await
    }

    async fn on(dir: tempfile::TempDir, clock: ManualClock) -> Self {
        let db = platform::db::open(dir.path(), "inventory", &crate::MIGRATIONS).await.expect("opens");
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let locks = MemoryStore::new(Arc::clone(&shared));
        let (ttl, ceiling) = (Duration::from_secs(600), Duration::from_secs(1_800));
        let store = Arc::new(SqliteStore::new(db));
        let seat_store: Arc<dyn SeatStore> = Arc::new(locks.clone());
        let desk = Arc::new(Desk::new(store, seat_store, Arc::clone(&shared), ttl, ceiling));
        let services = ServiceTokens::new(b"secret").with_clock(Arc::clone(&shared));
        let auth = AuthContext {
            verifier: TokenVerifier::new(Arc::new(NoKeys), shared),
            services: services.clone(),
        };
        let (router, _) = crate::http::router(Arc::clone(&desk));
        let health = platform::Health::new();
        let router = standard(router, AppLayers { role: "inventory", auth, health, internal: true });
        Self { dir, clock, locks, desk, router, services }
    }

    /// A crash: what was only in memory is gone.
    async fn restarted(self) -> Self {
        Self::on(self.dir, self.clock).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn as_service(&self, method: &str, path: &str, body: &Value) -> Answer {
        let token = self.services.mint("test");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.send(request.expect("a request")).await
    }

    async fn as_user(&self, user: UserId, method: &str, path: &str, body: &Value) -> Answer {
        self.with_key(user, method, path, body, None).await
    }

    async fn with_key(
        &self,
        user: UserId,
        method: &str,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let mut request = request.body(Body::from(body.to_string())).expect("a request");
        request.extensions_mut().insert(Caller { user, role: Role::User, token: "token".into() });
        self.send(request).await
    }

    async fn put(&self, event: EventId, body: &Value) -> Answer {
        self.as_service("PUT", &format!("/internal/inventory/events/{event}"), body).await
    }

    /// An event of rows A and B, ten seats each.
    async fn seated(&self) -> EventId {
        let event = EventId::new();
        let seats: Vec<String> =
            ["A", "B"].iter().flat_map(|r| (1..=10).map(move |n| format!("{r}{n}"))).collect();
        let (status, body) = self.put(event, &self.event("VISUAL", &json!({"seats": seats}))).await;
        assert_eq!(status, 204, "{body}");
        event
    }

    /// An event of `capacity` places.
    async fn area(&self, capacity: u32) -> EventId {
        let event = EventId::new();
        let (status, body) = self.put(event, &self.event("TATKAL", &json!({"capacity": capacity}))).await;
        assert_eq!(status, 204, "{body}");
        event
    }

    fn event(&self, mode: &str, places: &Value) -> Value {
        let mut section = json!({"name": "GENERAL", "price": 5_000});
        section.as_object_mut().expect("an object").extend(places.as_object().expect("an object").clone());
        json!({
            "bookingMode": mode,
            "currency": "INR",
            "maxSeatsPerCustomer": 4,
            "salesStart": null,
            "salesEnd": self.now() + Duration::from_secs(86_400),
            "sections": [section],
        })
    }

    async fn hold(&self, user: UserId, event: EventId, seats: &[&str]) -> Answer {
        let body = json!({"eventId": event, "seatIds": seats});
        self.as_user(user, "POST", "/api/inventory/holds", &body).await
    }

    async fn hold_area(&self, user: UserId, event: EventId, quantity: i64) -> Answer {
        let body = json!({"eventId": event, "section": "GENERAL", "quantity": quantity});
        self.as_user(user, "POST", "/api/inventory/holds", &body).await
    }

    /// Holds, and answers the hold's id.
    async fn held(&self, user: UserId, event: EventId, seats: &[&str]) -> String {
        let (status, hold) = self.hold(user, event, seats).await;
        assert_eq!(status, 201, "{hold}");
        text(&hold, "holdId")
    }

    async fn begin(&self, booking: &str, hold: &str, user: UserId) -> Answer {
        let body = json!({
            "bookingId": booking, "holdId": hold, "userId": user, "deadlineSeconds": 600, "graceSeconds": 60,
        });
        self.as_service("POST", "/internal/inventory/payments", &body).await
    }

    /// Begins the payment of a hold, and answers the booking's id.
    async fn paying(&self, hold: &str, user: UserId) -> String {
        let booking = ticketblitz_core::BookingId::new().to_string();
        let (status, body) = self.begin(&booking, hold, user).await;
        assert_eq!(status, 200, "{body}");
        booking
    }

    async fn booking(&self, booking: &str, what: &str) -> Answer {
        let path = format!("/internal/inventory/bookings/{booking}/{what}");
        self.as_service("POST", &path, &Value::Null).await
    }

    async fn sell(&self, booking: &str) -> String {
        let (status, body) = self.booking(booking, "sell").await;
        assert_eq!(status, 200, "{body}");
        text(&body, "outcome")
    }

    async fn live(&self, event: EventId) -> Value {
        let path = format!("/api/inventory/events/{event}/seats");
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let (status, body) = self.send(request).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn state(&self, event: EventId, seat: &str) -> String {
        text(&self.live(event).await["seats"], seat)
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}

fn kind(answer: &Answer) -> (u16, String) {
    let urn = text(&answer.1, "type");
    (answer.0, urn.rsplit(':').next().unwrap_or_default().to_owned())
}

fn refused(status: u16, kind: &str) -> (u16, String) {
    (status, kind.to_owned())
}

fn fields(answer: &Answer) -> Vec<String> {
    answer.1["errors"].as_array().map(|e| e.iter().map(|e| text(e, "field")).collect()).unwrap_or_default()
}
