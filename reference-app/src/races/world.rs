//! The whole system in this process, without sockets, by a clock that runs on and can be moved.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use http::{Method, Request};
use platform::Transport;
use platform::auth::Role;
use platform::transport::Body;
use serde_json::{Value, json};
use ticketblitz_core::{Clock, SystemClock, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::audit::Auditor;
use crate::config::{self, AuditArgs, Command};
use crate::wiring;

pub(super) const HOLD_TTL: Duration = Duration::from_secs(60);
pub(super) const DEADLINE: Duration = Duration::from_secs(600);
/// Bounds every wait for a condition.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than all that the clock is moved.
const TOKEN_TTL: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The machine's clock, moved: by so many microseconds.
#[derive(Debug, Default)]
pub(super) struct Shifted(AtomicI64);

impl Shifted {
    pub(super) fn jump(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).expect("less than an age"), Ordering::SeqCst);
    }

    pub(super) fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_micros()).expect("less than an age"), Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0.load(Ordering::SeqCst))
    }

    fn look_again(&self) -> Duration {
        Duration::from_millis(20)
    }
}

pub(super) struct World {
    pub(super) clock: Arc<Shifted>,
    apps: HashMap<&'static str, Transport>,
    users: auth::Users,
    minter: auth::Minter,
    /// Goes with the world.
    _workers: JoinSet<()>,
    dir: tempfile::TempDir,
}

impl World {
    pub(super) async fn start() -> Arc<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().to_str().expect("a text");
        let argv = ["ticketblitz", "serve", "--data-dir", place, "--hold-ttl", "60s"];
        let argv = argv.into_iter().chain(["--payment-deadline", "10m"]).map(OsString::from).collect();
        let Ok(Command::Serve(args)) = config::parse(argv, &[]) else { panic!("serve is understood") };
        let clock = Arc::new(Shifted::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let system = wiring::build(&args, "a secret", Arc::clone(&shared)).await.expect("builds");
        let mut workers = JoinSet::new();
        for worker in system.workers {
            workers.spawn((worker.run)(CancellationToken::new()));
        }
        let apps = system.apps.into_iter().map(|(role, app)| (role, Transport::in_process(app))).collect();
        let users = auth::Users::open(dir.path(), 1, Arc::clone(&shared)).await.expect("the accounts");
        let minter = auth::Minter::open(dir.path(), shared).await.expect("the key");
        Arc::new(Self { clock, apps, users, minter, _workers: workers, dir })
    }

    pub(super) async fn somebody(self: &Arc<Self>, role: Role) -> Somebody {
        let email = format!("{}@example.com", Uuid::now_v7().simple());
        let user = self.users.create_without_password(&email, "Somebody", role).await.expect("an account");
        let token = self.minter.mint(user, role, TOKEN_TTL).expect("a token");
        Somebody { world: Arc::clone(self), token }
    }

    pub(super) async fn ledger(&self) -> Value {
        let request = Request::get("/v1/ledger").body(Body::empty()).expect("a request");
        let answer = self.apps["psp"].send(request).await.expect("an answer");
        serde_json::from_slice(answer.body()).expect("a ledger")
    }

    /// What `ticketblitz audit` says of all this, once nothing is under way.
    pub(super) async fn audited(&self) {
        let data_dir = self.dir.path().to_owned();
        let settle = Duration::from_secs(10);
        // Where nobody listens: there are no sockets to compare with.
        let args = AuditArgs { data_dir, port_offset: 57_000, psp_url: None, settle };
        let auditor = Auditor::new(args, self.clock.clone()).expect("a client");
        let began = Instant::now();
        loop {
            let (_, found) = auditor.settled().await.expect("reads");
            assert!(found.broken.is_empty(), "{found:#?}");
            if found.notes.is_empty() {
                return;
            }
            // Without a socket it takes the system for one that nobody runs, and what is under way for unfinished.
            assert!(began.elapsed() < settle, "{found:#?}");
            tokio::time::sleep(settle / 100).await;
        }
    }
}

/// Somebody with a token.
#[derive(Clone)]
pub(super) struct Somebody {
    world: Arc<World>,
    token: String,
}

pub(super) type Answer = (u16, Value);

impl Somebody {
    async fn send(&self, method: Method, path: &str, header: Option<(&str, &str)>, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("authorization", format!("Bearer {}", self.token));
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json").body(Body::from(body.to_string()));
        let answer = self.world.apps["gateway"].send(request.expect("a request")).await.expect("an answer");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, Some(("prefer", "wait=30")), Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// An event of a hundred seats.
    pub(super) async fn event(&self) -> Value {
        let event = json!({"name": "Final", "venue": "Arena", "startsAt": "2090-05-01T10:00:00Z", "timeZone": "UTC",
            "currency": "EUR", "bookingMode": "VISUAL", "totalSeats": 100});
        let (status, event) = self.send(Method::POST, "/api/events", None, event).await;
        assert_eq!(status, 201, "{event}");
        event
    }

    pub(super) async fn hold(&self, place: &Place) -> Answer {
        let body = json!({"eventId": place.event, "seatIds": [place.seat]});
        self.send(Method::POST, "/api/inventory/holds", None, body).await
    }

    pub(super) async fn held(&self, place: &Place) -> Value {
        let (status, hold) = self.hold(place).await;
        assert_eq!(status, 201, "{hold}");
        hold
    }

    /// With a key of its own.
    pub(super) async fn book(&self, hold: &Value, method: &str) -> Answer {
        let key = Uuid::now_v7().to_string();
        let body = json!({"holdId": hold["holdId"], "paymentMethod": method});
        self.send(Method::POST, "/api/bookings", Some(("idempotency-key", &key)), body).await
    }

    pub(super) async fn booked(&self, place: &Place, method: &str) -> Value {
        let (status, booking) = self.book(&self.held(place).await, method).await;
        assert_eq!(status, 201, "{booking}");
        booking
    }

    pub(super) async fn cancel(&self, booking: &Value) -> Answer {
        self.send(Method::DELETE, &path_of(booking), None, Value::Null).await
    }

    /// The booking as it ended.
    pub(super) async fn settled(&self, booking: &Value) -> Value {
        let booking = self.get(&path_of(booking)).await;
        assert_ne!(booking["status"], "PENDING", "{booking}");
        booking
    }

    pub(super) async fn tickets(&self, booking: &Value) -> usize {
        let tickets = self.get(&format!("{}/tickets", path_of(booking))).await;
        tickets["items"].as_array().expect("a list").len()
    }

    pub(super) async fn seat(&self, place: &Place) -> String {
        let live = self.get(&format!("/api/inventory/events/{}/seats", place.event)).await;
        live["seats"][&place.seat].as_str().expect("a state").to_owned()
    }

    /// The status of the one payment of a booking, once it is one of these.
    pub(super) async fn payment(&self, booking: &Value, ends: &[&str]) -> String {
        let path = format!("/api/payments?bookingId={}", id_of(booking));
        let began = Instant::now();
        loop {
            let payments = self.get(&path).await;
            let all = payments["items"].as_array().expect("a list");
            assert!(all.len() <= 1, "two payments: {payments}");
            let status = all.first().and_then(|payment| payment["status"].as_str()).unwrap_or_default();
            if ends.contains(&status) {
                return status.to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for {ends:?}: {payments} of {booking}");
            tokio::time::sleep(Duration::from_millis(2)).await; // between two looks
        }
    }
}

/// A seat of an event.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) event: String,
    pub(super) seat: String,
}

pub(super) fn id_of(booking: &Value) -> &str {
    booking["id"].as_str().expect("an id")
}

fn path_of(booking: &Value) -> String {
    format!("/api/bookings/{}", id_of(booking))
}
