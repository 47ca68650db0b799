//! Neighbours that answer as told, a mail server that can be broken, and the service between them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use axum::{Json, Router};
use contract::auth::User;
use contract::event::EventSummary;
use contract::events::{BOOKING_CONFIRMED, BookingConfirmed};
use contract::notification::{Notification, NotificationStatus};
use contract::{AuthClient, EventClient, NotificationId};
use http_body_util::BodyExt;
use platform::auth::{Caller, Role};
use platform::{Client, Problem, Service, Transport};
use serde_json::json;
use ticketblitz_core::{Clock, Envelope, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::mailer::{FileMailer, Mailer};
use crate::{Config, Deps, start_with};

const PATIENCE: Duration = Duration::from_secs(30);
const ID: &str = "01890000-0000-7000-8000-000000000001";

pub(crate) fn user() -> User {
    User {
        user_id: ID.parse().expect("an id"),
        email: "ann@example.com".into(),
        name: "Ann".into(),
        role: Role::User,
    }
}

pub(crate) fn event() -> EventSummary {
    EventSummary {
        id: ID.parse().expect("an id"),
        name: "Rock Concert".into(),
        venue: "City Arena".into(),
        starts_at: "2031-05-24T14:00:00Z".parse().expect("a moment"),
        time_zone: "Asia/Kolkata".into(),
    }
}

pub(crate) fn booking() -> BookingConfirmed {
    let ticket =
        |seat: &str, code: &str| json!({"ticketId": ID, "seatId": seat, "section": "PREMIUM", "code": code});
    let booking = json!({"bookingId": ID, "userId": ID, "eventId": ID, "seatIds": ["A1", "A2"], "section": null,
        "quantity": 2, "amount": 20_000, "currency": "INR", "tickets": [ticket("A1", "code-1"), ticket("A2", "code-2")]});
    serde_json::from_value(booking).expect("a booking")
}

#[derive(Debug)]
struct Breakable {
    mailer: FileMailer,
    broken: Arc<AtomicBool>,
    tried: watch::Sender<u32>,
}

#[async_trait]
impl Mailer for Breakable {
    async fn send(&self, id: NotificationId, mail: Vec<u8>) -> io::Result<()> {
        self.tried.send_modify(|tried| *tried += 1);
        if self.broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the mail server is away"));
        }
        self.mailer.send(id, mail).await
    }

    async fn sent(&self, id: NotificationId) -> io::Result<Option<Vec<u8>>> {
        self.mailer.sent(id).await
    }
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) nobody: Arc<AtomicBool>,
    tried: watch::Sender<u32>,
    told: AtomicU32,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            broken: Arc::default(),
            nobody: Arc::default(),
            tried: watch::channel(0).0,
            told: AtomicU32::new(0),
        }
    }

    pub(crate) async fn start(&self) -> Running {
        let nobody = Arc::clone(&self.nobody);
        let users = get(async move || {
            if nobody.load(Ordering::SeqCst) { Err(Problem::not_found("nobody")) } else { Ok(Json(user())) }
        });
        let neighbours = Router::new()
            .route("/internal/auth/users/{id}", users)
            .route("/internal/events/{id}", get(async || Json(event())));
        let client = |peer| Client::new(peer, Transport::in_process(neighbours.clone()), None, PATIENCE);
        let deps = Deps {
            clock: Arc::new(SystemClock),
            auth: AuthClient::new(client("auth")),
            events: EventClient::new(client("event")),
        };
        let mailer = FileMailer::open(self.dir.path().join("mail")).await.expect("a directory");
        let mailer = Breakable { mailer, broken: Arc::clone(&self.broken), tried: self.tried.clone() };
        let config = Config { data_dir: self.dir.path().to_owned() };
        Running::begin(start_with(config, deps, Arc::new(mailer)).await.expect("starts"))
    }

    pub(crate) fn confirmed(&self, booking: &BookingConfirmed) -> Envelope {
        let sequence = self.told.fetch_add(1, Ordering::SeqCst).into();
        platform::bus::event(BOOKING_CONFIRMED, ID, sequence, booking, SystemClock.now())
    }

    pub(crate) fn mails(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("mail")).expect("mails").count()
    }

    /// Waits until so many sendings were tried.
    pub(crate) async fn tried(&self, times: u32) {
        let mut tried = self.tried.subscribe();
        let enough = tokio::time::timeout(PATIENCE, tried.wait_for(|tried| *tried >= times)).await;
        enough.expect("it is tried").expect("there is a sender");
    }
}

pub(crate) struct Running {
    service: Service,
    stop: CancellationToken,
    work: Vec<JoinHandle<()>>,
}

impl Running {
    fn begin(mut service: Service) -> Self {
        let stop = CancellationToken::new();
        let work = service.workers.drain(..).map(|worker| tokio::spawn((worker.run)(stop.clone()))).collect();
        Self { service, stop, work }
    }

    pub(crate) async fn hear(&self, message: &Envelope) {
        self.service.consumers[0].handler.handle(message).await.expect("heard");
    }

    pub(crate) async fn crash(mut self) {
        for work in self.work.drain(..) {
            work.abort();
            let _ = work.await;
        }
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let mut request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        request.extensions_mut().insert(Caller { user: user().user_id, role: Role::User, token: "".into() });
        let answer = self.service.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!(answer.status(), 200, "{path}");
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The customer's one notification.
    pub(crate) async fn only(&self) -> Notification {
        let page = self.page("/api/notifications").await;
        let mut listed: serde_json::Value = serde_json::from_str(&page).expect("JSON");
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
        serde_json::from_value(listed["items"][0].take()).expect("a notification")
    }

    pub(crate) async fn until(&self, status: NotificationStatus) -> Notification {
        let mut commits = self.service.databases[0].commits();
        let look = async {
            loop {
                let found = self.only().await;
                if found.status == status {
                    return found;
                }
                commits.changed().await.expect("the database is open");
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("it comes to that")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
