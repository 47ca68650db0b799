//! A charge whose note takes long to come to the disk. The store is real; the clock goes on while it commits.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use platform::Transport;
use tempfile::TempDir;
use ticketblitz_core::{Clock, Currency, EventId, ManualClock, MessageId, Timestamp, UserId};
use ticketblitz_saga::Start;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::Status;
use crate::provider::PspClient;
use crate::store::{SqliteStore, Store, StoreError};

const TIME_TO_PAY: Duration = Duration::from_secs(600);
const SETTLING: Duration = Duration::from_secs(16);

/// A store on which the first commit of a charge takes this long.
#[derive(Debug)]
struct SlowStore {
    inner: SqliteStore,
    clock: ManualClock,
    takes: Duration,
    begun: AtomicUsize,
}

#[async_trait]
impl Store for SlowStore {
    async fn begin_charge(&self, id: PaymentId, now: Timestamp) -> Result<(Payment, Permission), StoreError> {
        let answer = self.inner.begin_charge(id, now).await;
        if self.begun.fetch_add(1, Ordering::SeqCst) == 0 {
            self.clock.advance(self.takes);
        }
        answer
    }

    async fn accept(
        &self,
        m: MessageId,
        p: Payment,
        charge: Start,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.accept(m, p, charge, now).await
    }

    async fn void(
        &self,
        m: MessageId,
        of: BookingId,
        refund: Start,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.void(m, of, refund, now).await
    }

    async fn in_doubt(&self, id: PaymentId) -> Result<(), StoreError> {
        self.inner.in_doubt(id).await
    }

    async fn succeed(
        &self,
        id: PaymentId,
        charge: Option<String>,
        refund: Start,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.inner.succeed(id, charge, refund, advance, now).await
    }

    async fn fail(
        &self,
        id: PaymentId,
        why: String,
        to: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.inner.fail(id, why, to, now).await
    }

    async fn refunded(&self, id: PaymentId, to: Advance, now: Timestamp) -> Result<Advanced, StoreError> {
        self.inner.refunded(id, to, now).await
    }

    async fn get(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.inner.get(id).await
    }

    async fn of_booking(&self, booking: BookingId) -> Result<Option<Payment>, StoreError> {
        self.inner.of_booking(booking).await
    }

    async fn list(&self, u: UserId, b: Option<PaymentId>, limit: u32) -> Result<Vec<Payment>, StoreError> {
        self.inner.list(u, b, limit).await
    }

    async fn forget_voided(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.inner.forget_voided(before, limit).await
    }
}

/// What became of one charge, and when the provider was asked to make one.
struct Charged {
    payment: Payment,
    sent: Vec<Timestamp>,
    /// When it was settled.
    at: Timestamp,
    _dir: TempDir,
}

fn payment(deadline: Timestamp, now: Timestamp) -> Payment {
    Payment {
        id: PaymentId::new(),
        booking: BookingId::new(),
        user: UserId::new(),
        event: EventId::new(),
        amount: 10_000,
        currency: Currency::INR,
        method: "pm_ok".to_owned(),
        deadline,
        status: Status::Pending,
        sent_at: None,
        charge: None,
        voided: false,
        failure: None,
        created_at: now,
        sequence: 0,
    }
}

/// Charges a payment through a real provider, over a store whose first note of a charge takes this long.
async fn charged(takes: Duration) -> Charged {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = ManualClock::at("2026-01-31T20:00:00Z".parse().expect("a moment"));
    let dyn_clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let config = psp::Config { data_dir: dir.path().to_owned() };
    let provider =
        psp::start(config, psp::Deps { clock: Arc::clone(&dyn_clock) }).await.expect("starts").router;
    let (sent, watch) = (Arc::new(std::sync::Mutex::new(Vec::new())), clock.clone());
    let seen = Arc::clone(&sent);
    let watched = provider.layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
        let request: axum::extract::Request = request;
        if request.method() == http::Method::POST {
            seen.lock().expect("not poisoned").push(watch.now());
        }
        next.run(request)
    }));
    let db = platform::db::open(dir.path(), "payment", &crate::MIGRATIONS).await.expect("opens");
    let inner = SqliteStore::new(db.clone());
    let store = Arc::new(SlowStore { inner, clock: clock.clone(), takes, begun: AtomicUsize::new(0) });
    let client = PspClient::new(Transport::in_process(watched));
    let parts = Parts::new(Arc::clone(&store) as Arc<dyn Store>, client, dyn_clock, SETTLING);
    let (engine, handles) = super::super::engine(db.clone(), parts).await.expect("starts");
    let payment = payment(clock.now() + TIME_TO_PAY, clock.now());
    let id = payment.id;
    let start = handles.charge(&payment);
    store.accept(MessageId::new(), payment, start, clock.now()).await.expect("accepted");
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let running = tokio::spawn(async move { engine.run(stopped).await });
    let mut look = tokio::time::interval(Duration::from_millis(2));
    let payment = loop {
        let payment = store.get(id).await.expect("reads").expect("is there");
        if !payment.status.is_open() {
            break payment;
        }
        look.tick().await;
        clock.advance(Duration::from_millis(20));
    };
    let at = clock.now();
    stop.cancel();
    running.await.expect("stops");
    let sent = sent.lock().expect("not poisoned").clone();
    Charged { payment, sent, at, _dir: dir }
}

#[tokio::test]
async fn no_charge_leaves_when_its_note_came_to_the_disk_after_the_deadline() {
    let charged = charged(TIME_TO_PAY + Duration::from_secs(1)).await;
    assert_eq!((charged.payment.status, charged.sent.len()), (Status::Failed, 0));
    assert!(
        charged.payment.failure.as_deref().is_some_and(|why| why.contains("deadline")),
        "{:?}",
        charged.payment
    );
}

#[tokio::test]
async fn a_charge_is_on_its_way_soon_after_the_time_that_is_noted_for_it() {
    let charged = charged(START_WITHIN * 8).await;
    assert_eq!((charged.payment.status, charged.sent.len()), (Status::Succeeded, 1));
    let noted = charged.payment.sent_at.expect("noted");
    let gap = charged.sent[0].since(noted);
    assert!(gap <= START_WITHIN * 2, "noted for {noted}, sent {gap:?} later; settled at {}", charged.at);
}
