//! One instance of the service in a directory of its own, with whatever a test needs around it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use booking::{Config, Deps};
use contract::booking::{Booking, BookingStatus};
use contract::events::{
    BOOKING_CREATED, PAYMENT_FAILED, PAYMENT_REFUNDED, PAYMENT_SUCCEEDED, PaymentFailed, PaymentRefunded,
    PaymentSucceeded, REFUND_REQUESTED,
};
use contract::{InventoryClient, PaymentId};
use http_body_util::BodyExt;
use platform::auth::{Caller, Role};
use platform::bus::{Consumer, HandleError, event};
use platform::{Client, Transport};
use serde::Serialize;
use serde_json::{Value, json};
use ticketblitz_core::sqlite::{self, Sqlite};
use ticketblitz_core::{BookingId, Clock, Currency, Envelope, EventId, SystemClock, UserId};
use ticketblitz_lock::HoldId;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::fake::Fake;

pub(crate) const DEADLINE: Duration = Duration::from_secs(600);

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) inventory: Fake,
    pub(crate) user: UserId,
    pub(crate) event: EventId,
    pub(crate) service: Running,
}

/// What can be called of a service, from any task.
#[derive(Clone)]
pub(crate) struct Running {
    router: Router,
    consumers: Vec<Consumer>,
    pub(crate) db: Sqlite,
    /// Ends with the last clone, or with [`World::crash`].
    sagas: Arc<Sagas>,
}

struct Sagas(JoinHandle<()>);

impl Drop for Sagas {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn booking(&self) -> Booking {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        serde_json::from_value(self.body.clone()).expect("a booking")
    }

    /// The status and the kind of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        let kind = self.body["type"].as_str().unwrap_or_default();
        (self.status.as_u16(), kind.rsplit(':').next().unwrap_or_default())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(Arc::new(SystemClock)).await
    }

    pub(crate) async fn at(clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let inventory = Fake::new(Arc::clone(&clock));
        let service = start(dir.path(), &clock, &inventory, true).await;
        Self { dir, clock, inventory, user: UserId::new(), event: EventId::new(), service }
    }

    /// The process dies where it stands, and another one starts on the same file.
    pub(crate) async fn crash(&mut self) {
        self.crash_into(true).await;
    }

    /// As [`crash`](Self::crash); without `sagas` the next process gets no farther than requests and messages.
    pub(crate) async fn crash_into(&mut self, sagas: bool) {
        self.service.sagas.0.abort();
        self.service = start(self.dir.path(), &self.clock, &self.inventory, sagas).await;
    }

    pub(crate) fn hold(&self) -> HoldId {
        self.inventory.hold(self.user, self.event)
    }

    /// A new PENDING booking.
    pub(crate) async fn booked(&self) -> BookingId {
        let hold = self.hold();
        let answer = self.service.book(self.user, hold, &hold.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.booking().id
    }

    /// A new CONFIRMED booking.
    pub(crate) async fn confirmed(&self) -> BookingId {
        let id = self.booked().await;
        self.service.pay(id).await.expect("taken");
        assert_eq!(self.settled(id).await.status, BookingStatus::Confirmed);
        id
    }

    /// The booking when it is no longer PENDING.
    pub(crate) async fn settled(&self, id: BookingId) -> Booking {
        self.service.settled(self.user, id).await
    }

    pub(crate) async fn cancel(&self, id: BookingId) -> Answer {
        self.service.cancel(self.user, id).await
    }
}

async fn start(dir: &std::path::Path, clock: &Arc<dyn Clock>, inventory: &Fake, sagas: bool) -> Running {
    let transport = Transport::in_process(inventory.router());
    // Longer than a retry waits for the request before it: a stuck one is not to end by itself meanwhile.
    let client = Client::new("inventory", transport, None, Duration::from_secs(60));
    let config = Config {
        data_dir: dir.to_owned(),
        payment_deadline: DEADLINE,
        payment_grace: Duration::from_secs(30),
        key_retention: ticketblitz_idempotency::RETENTION,
    };
    let deps = Deps { clock: Arc::clone(clock), inventory: InventoryClient::new(client) };
    let mut service = booking::start(config, deps).await.expect("starts");
    let worker = service.workers.remove(0);
    let run = (worker.run)(tokio_util::sync::CancellationToken::new());
    let sagas = tokio::spawn(async move {
        if sagas {
            run.await;
        }
    });
    Running {
        router: service.router,
        consumers: service.consumers,
        db: service.outbox.expect("an outbox"),
        sagas: Arc::new(Sagas(sagas)),
    }
}

impl Running {
    pub(crate) async fn call(
        &self,
        user: UserId,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let caller = Caller { user, role: Role::User, token: "token".into() };
        let request = request.header("content-type", "application/json").extension(caller);
        let body = body.map_or_else(Body::empty, |json| Body::from(json.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn book(&self, user: UserId, hold: HoldId, key: &str) -> Answer {
        let body = Some(json!({"holdId": hold}));
        self.call(user, Method::POST, "/api/bookings", &[("idempotency-key", key)], body).await
    }

    pub(crate) async fn get(&self, user: UserId, path: &str) -> Answer {
        self.call(user, Method::GET, path, &[], None).await
    }

    pub(crate) async fn cancel(&self, user: UserId, id: BookingId) -> Answer {
        self.call(user, Method::DELETE, &format!("/api/bookings/{id}"), &[], None).await
    }

    pub(crate) async fn settled(&self, user: UserId, id: BookingId) -> Booking {
        let prefer = [("prefer", "wait=10")];
        let answer = self.call(user, Method::GET, &format!("/api/bookings/{id}"), &prefer, None).await;
        let booking = answer.booking();
        assert_ne!(booking.status, BookingStatus::Pending, "it settles");
        booking
    }

    pub(crate) async fn tickets(&self, user: UserId, id: BookingId) -> Vec<Value> {
        let answer = self.get(user, &format!("/api/bookings/{id}/tickets")).await;
        answer.body["items"].as_array().expect("a list").clone()
    }

    /// A message to whoever consumes it.
    pub(crate) async fn tell(
        &self,
        kind: &str,
        key: String,
        data: &impl Serialize,
    ) -> Result<(), HandleError> {
        let message = event(kind, key, 1, data, SystemClock.now());
        self.deliver(&message).await
    }

    pub(crate) async fn deliver(&self, message: &Envelope) -> Result<(), HandleError> {
        let wanted = |consumer: &&Consumer| consumer.topics.contains(&message.kind);
        let consumer = self.consumers.iter().find(wanted).expect("a consumer");
        consumer.handler.handle(message).await
    }

    /// Payment says that the booking is paid, in a message of its own each time.
    pub(crate) async fn pay(&self, id: BookingId) -> Result<(), HandleError> {
        let told = PaymentSucceeded {
            payment_id: payment_of(id),
            booking_id: id,
            amount: 20_000,
            currency: Currency::INR,
            provider_charge_id: Some(format!("ch_{id}")),
        };
        self.tell(PAYMENT_SUCCEEDED, id.to_string(), &told).await
    }

    pub(crate) async fn decline(&self, id: BookingId) -> Result<(), HandleError> {
        let told = PaymentFailed {
            payment_id: payment_of(id),
            booking_id: id,
            reason: "the card was declined".into(),
        };
        self.tell(PAYMENT_FAILED, id.to_string(), &told).await
    }

    pub(crate) async fn refund(&self, id: BookingId) -> Result<(), HandleError> {
        let told = PaymentRefunded {
            payment_id: payment_of(id),
            booking_id: id,
            amount: 20_000,
            currency: Currency::INR,
        };
        self.tell(PAYMENT_REFUNDED, id.to_string(), &told).await
    }

    /// The kinds of all that was published of a booking after `booking.created`, in order.
    pub(crate) async fn told(&self, id: BookingId) -> Vec<String> {
        let mut kinds: Vec<String> = self.published(id).await.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds.remove(0), BOOKING_CREATED);
        kinds
    }

    /// All that was published of a booking, in order. Its sequences rise by one.
    pub(crate) async fn published(&self, id: BookingId) -> Vec<Envelope> {
        let rows: Vec<String> =
            sqlite::query_scalar("SELECT envelope FROM outbox WHERE key = $1 ORDER BY seq")
                .bind(id)
                .fetch_all(self.db.readers())
                .await
                .expect("reads");
        let events: Vec<Envelope> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
        events
    }

    /// Waits until something of this kind was published of the booking.
    pub(crate) async fn until_told(&self, id: BookingId, kind: &str) {
        let mut commits = self.db.commits();
        let told = async {
            while !self.told(id).await.iter().any(|told| told == kind) {
                commits.changed().await.expect("open");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), told).await.unwrap_or_else(|_| panic!("no {kind}"));
    }

    /// Stands in for Payment where every booking is paid: gives the money back when it is asked to.
    pub(crate) async fn refund_when_asked(&self, id: BookingId) {
        self.until_told(id, REFUND_REQUESTED).await;
        self.refund(id).await.expect("taken");
    }
}

/// One payment a booking.
fn payment_of(id: BookingId) -> PaymentId {
    PaymentId::from_uuid(id.as_uuid())
}
