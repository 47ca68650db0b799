//! A payment service over a real provider, both in this process, and everything that the service tells.
#![allow(dead_code)] // each test file uses its own part

pub mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use contract::events::{
    BOOKING_CREATED, BookingCreated, PAYMENT_FAILED, PAYMENT_REFUNDED, PAYMENT_SUCCEEDED, REFUND_REQUESTED,
    RefundRequested,
};
use http::Request;
use http_body_util::BodyExt;
use payment::{Config, Deps, PspClient};
use platform::Transport;
use platform::auth::{Caller, Role};
use platform::bus::{Consumer, HandleError, Handler};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use ticketblitz_core::sqlite::{self, Sqlite};
use ticketblitz_core::{BookingId, Clock, Currency, Envelope, EventId, ManualClock, Timestamp, UserId};
use ticketblitz_saga::InProcessBus;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use wire::Wire;

/// When a booking made by [`World::order`] can no longer be charged.
pub const TIME_TO_PAY: Duration = Duration::from_secs(600);
pub const PROVIDER_TIMEOUT: Duration = Duration::from_millis(500);

/// What the service has told, each event once.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<Vec<Envelope>>>);

#[async_trait]
impl Handler for Told {
    async fn handle(&self, message: &Envelope) -> Result<(), HandleError> {
        let mut told = self.0.lock().expect("not poisoned");
        if told.iter().all(|known| known.id != message.id) {
            told.push(message.clone());
        }
        Ok(())
    }
}

/// The service, running.
pub struct Running {
    pub router: Router,
    pub db: Sqlite,
    consumer: Consumer,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    shutdown: CancellationToken,
}

/// The service, its provider, the time and what was told.
pub struct World {
    pub clock: ManualClock,
    pub wire: Wire,
    pub told: Told,
    dir: TempDir,
    psp: Router,
    transport: Transport,
    running: Option<Running>,
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::at("2026-01-31T20:00:00Z".parse().expect("a moment"));
        let config = psp::Config { data_dir: dir.path().to_owned() };
        let provider = psp::start(config, psp::Deps { clock: Arc::new(clock.clone()) }).await;
        let psp = provider.expect("the provider starts").router;
        let wire = Wire::to(psp.clone());
        let transport = wire.transport();
        let mut world = Self { clock, wire, told: Told::default(), dir, psp, transport, running: None };
        world.start().await;
        world
    }

    /// As [`new`](Self::new), with another way to the provider.
    pub async fn over(transport: Transport) -> Self {
        let mut world = Self::new().await;
        world.crash().await;
        world.transport = transport;
        world.start().await;
        world
    }

    pub fn provider(&self) -> Router {
        self.psp.clone()
    }

    pub async fn start(&mut self) {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let config = Config { data_dir: self.dir.path().to_owned(), provider_timeout: PROVIDER_TIMEOUT };
        let deps = Deps { clock: Arc::clone(&clock), provider: PspClient::new(self.transport.clone()) };
        let mut service = payment::start(config, deps).await.expect("starts");
        let shutdown = CancellationToken::new();
        let db = service.outbox.expect("an outbox");
        let topics = [PAYMENT_SUCCEEDED, PAYMENT_FAILED, PAYMENT_REFUNDED];
        let bus = InProcessBus::new(clock).outbox("payment", db.clone()).consumer(Consumer::new(
            "test",
            topics,
            Arc::new(self.told.clone()),
        ));
        let mut tasks = vec![tokio::spawn(bus.build().expect("a bus").run(shutdown.clone()))];
        tasks.extend(service.workers.into_iter().map(|worker| tokio::spawn((worker.run)(shutdown.clone()))));
        let consumer = service.consumers.remove(0);
        self.running = Some(Running { router: service.router, db, consumer, tasks, shutdown });
    }

    /// Ends the service in the middle of what it does; what it had committed is what is left.
    pub async fn crash(&mut self) {
        let running = self.running.take().expect("running");
        for task in running.tasks {
            task.abort();
            let _ = task.await;
        }
        running.db.close().await;
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("running")
    }

    /// Delivers a message as the bus would.
    pub async fn deliver(&self, message: &Envelope) {
        self.running().consumer.handler.handle(message).await.expect("taken");
    }

    pub fn message(&self, kind: &str, booking: BookingId, data: &impl Serialize) -> Envelope {
        platform::bus::event(kind, booking.to_string(), 1, data, self.clock.now())
    }

    /// An order that can be charged for [`TIME_TO_PAY`].
    pub fn ordered(&self, amount: i64, method: &str) -> BookingCreated {
        BookingCreated {
            booking_id: BookingId::new(),
            user_id: UserId::new(),
            event_id: EventId::new(),
            amount,
            currency: Currency::INR,
            payment_method: method.to_owned(),
            expires_at: self.clock.now() + TIME_TO_PAY,
        }
    }

    pub async fn order(&self, order: &BookingCreated) {
        self.deliver(&self.message(BOOKING_CREATED, order.booking_id, order)).await;
    }

    /// Orders 100 rupees by this method.
    pub async fn order_by(&self, method: &str) -> BookingCreated {
        let order = self.ordered(10_000, method);
        self.order(&order).await;
        order
    }

    pub async fn void(&self, booking: BookingId) {
        let request = RefundRequested { booking_id: booking, reason: "given up".to_owned() };
        self.deliver(&self.message(REFUND_REQUESTED, booking, &request)).await;
    }

    /// Waits until `found` finds something, while the time goes on.
    pub async fn eventually<T>(&self, what: &str, found: impl AsyncFnMut() -> Option<T>) -> T {
        self.looks(what, Duration::from_millis(20), found).await
    }

    /// Waits until `found` finds something, while the clock stands still.
    pub async fn meanwhile<T>(&self, what: &str, found: impl AsyncFnMut() -> Option<T>) -> T {
        self.looks(what, Duration::ZERO, found).await
    }

    async fn looks<T>(&self, what: &str, step: Duration, mut found: impl AsyncFnMut() -> Option<T>) -> T {
        let mut look = tokio::time::interval(Duration::from_millis(2));
        for _ in 0..10_000 {
            if let Some(found) = found().await {
                return found;
            }
            look.tick().await;
            self.clock.advance(step);
        }
        panic!("never: {what}; told: {:?}", self.told.0.lock().expect("not poisoned"));
    }

    /// What was told about the booking, in order.
    pub fn told_of(&self, booking: BookingId) -> Vec<Envelope> {
        let told = self.told.0.lock().expect("not poisoned");
        told.iter().filter(|event| event.key == booking.to_string()).cloned().collect()
    }

    /// The first event of this kind about the booking, once it has been told.
    pub async fn hears(&self, kind: &str, booking: BookingId) -> Envelope {
        self.eventually(kind, async || self.told_of(booking).into_iter().find(|event| event.kind == kind))
            .await
    }

    /// Waits until nothing is left to do, then says which kinds of events were told of the booking.
    pub async fn at_rest(&self, booking: BookingId) -> Vec<String> {
        self.eventually("rest", async || {
            let live: i64 = sqlite::query_scalar(
                "SELECT count(*) FROM saga_instance WHERE phase NOT IN ('completed', 'failed')",
            )
            .fetch_one(self.running().db.readers())
            .await
            .expect("counts");
            (live == 0).then_some(())
        })
        .await;
        // The bus tells in order: once this last message is through, so is everything before it.
        let last = self.ordered(-1, "last");
        let mark = self.message(PAYMENT_FAILED, last.booking_id, &last);
        let pushed = mark.clone();
        let done: Result<(), ticketblitz_saga::Error> = self
            .running()
            .db
            .write(move |conn| Box::pin(async move { ticketblitz_saga::outbox::push(conn, &pushed).await }))
            .await;
        done.expect("pushed");
        self.hears(PAYMENT_FAILED, last.booking_id).await;
        self.told_of(booking).into_iter().map(|event| event.kind).collect()
    }

    /// The provider's own books.
    pub async fn ledger(&self) -> Ledger {
        let request = Request::get("/v1/ledger").body(Body::empty()).expect("a request");
        let answer = self.psp.clone().oneshot(request).await.expect("answers");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        let ledger: Value = serde_json::from_slice(&body).expect("JSON");
        let count = |list: &str, field: &str, value: &str| {
            let list = ledger[list].as_array().expect("a list");
            list.iter().filter(|entry| entry[field] == value || field.is_empty()).count()
        };
        Ledger {
            succeeded: count("charges", "status", "succeeded"),
            failed: count("charges", "status", "failed"),
            refunds: count("refunds", "", ""),
        }
    }

    /// What the HTTP side answers to this caller.
    pub async fn get(&self, user: UserId, role: Role, path: &str) -> (u16, Value) {
        let caller = Caller { user, role, token: "".into() };
        let request = Request::get(path).extension(caller).body(Body::empty()).expect("a request");
        let answer = self.running().router.clone().oneshot(request).await.expect("answers");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    /// The payment's status, as its owner sees it.
    pub async fn status(&self, order: &BookingCreated) -> String {
        let path = format!("/api/payments?bookingId={}", order.booking_id);
        let (status, body) = self.get(order.user_id, Role::User, &path).await;
        assert_eq!(status, 200, "{body}");
        body["items"][0]["status"].as_str().expect("one payment").to_owned()
    }

    pub fn past(&self, moment: Timestamp) {
        self.clock.set(moment + Duration::from_secs(1));
    }
}

/// How many entries of each kind the provider's books have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ledger {
    pub succeeded: usize,
    pub failed: usize,
    pub refunds: usize,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.shutdown.cancel();
        }
    }
}
