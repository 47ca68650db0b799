//! An Inventory that does what a test scripts.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use contract::inventory::{BeginPayment, InPayment, SellOutcome, Sold};
use contract::kinds::HOLD_NOT_LIVE;
use platform::Problem;
use rand::Rng;
use rand::rngs::StdRng;
use ticketblitz_core::{BookingId, Clock, Currency, EventId, UserId};
use ticketblitz_lock::HoldId;
use tokio::sync::watch;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done: 503.
    Unavailable,
    /// It is done, and the answer is lost.
    LostReply,
    /// Nothing is done and nothing is answered, for ever.
    StuckBefore,
    /// It is done and nothing is answered, for ever.
    StuckAfter,
    /// The sale is refused.
    Refused,
}

#[derive(Default)]
struct Inner {
    holds: HashMap<HoldId, (UserId, EventId)>,
    paying: HashMap<HoldId, InPayment>,
    sold: HashSet<BookingId>,
    released: HashSet<BookingId>,
    reopened: HashSet<BookingId>,
    faults: HashMap<&'static str, VecDeque<Fault>>,
    calls: Vec<(&'static str, BookingId)>,
    /// How long calls take, where a test leaves that to chance.
    chance: Option<StdRng>,
}

#[derive(Clone)]
pub(crate) struct Fake {
    clock: Arc<dyn Clock>,
    inner: Arc<Mutex<Inner>>,
    called: Arc<watch::Sender<()>>,
}

impl Fake {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, inner: Arc::default(), called: Arc::new(watch::channel(()).0) }
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/internal/inventory/payments", post(begin))
            .route("/internal/inventory/bookings/{id}/{op}", post(act))
            .with_state(self.clone())
    }

    /// A live hold of A1 and A2.
    pub(crate) fn hold(&self, user: UserId, event: EventId) -> HoldId {
        let hold = HoldId::new();
        self.inner.lock().unwrap().holds.insert(hold, (user, event));
        hold
    }

    /// The next calls of `op` go wrong like this, one after the other.
    pub(crate) fn script(&self, op: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.inner.lock().unwrap().faults.entry(op).or_default().extend(faults);
    }

    /// From now on each call takes its time, before its effect and after it.
    pub(crate) fn take_time(&self, chance: StdRng) {
        self.inner.lock().unwrap().chance = Some(chance);
    }

    async fn pause(&self) {
        let draw = |chance: &mut StdRng| Duration::from_micros(chance.random_range(0..3_000));
        let time = self.inner.lock().unwrap().chance.as_mut().map(draw);
        if let Some(time) = time {
            tokio::time::sleep(time).await; // a call on its way
        }
    }

    pub(crate) fn is_sold(&self, id: BookingId) -> bool {
        self.inner.lock().unwrap().sold.contains(&id)
    }

    pub(crate) fn is_released(&self, id: BookingId) -> bool {
        self.inner.lock().unwrap().released.contains(&id)
    }

    pub(crate) fn is_reopened(&self, id: BookingId) -> bool {
        self.inner.lock().unwrap().reopened.contains(&id)
    }

    pub(crate) fn calls(&self, op: &str) -> usize {
        self.inner.lock().unwrap().calls.iter().filter(|(called, _)| *called == op).count()
    }

    /// Waits until `op` was called so often.
    pub(crate) async fn called(&self, op: &str, times: usize) {
        let mut called = self.called.subscribe();
        let enough = called.wait_for(|()| self.calls(op) >= times);
        tokio::time::timeout(Duration::from_secs(10), enough).await.expect("it was called").unwrap();
    }

    /// Notes the call, and what is to go wrong with it.
    fn note(&self, op: &'static str, id: BookingId) -> Option<Fault> {
        let mut inner = self.inner.lock().unwrap();
        inner.calls.push((op, id));
        let fault = inner.faults.get_mut(op).and_then(VecDeque::pop_front);
        drop(inner);
        if fault != Some(Fault::StuckAfter) && fault != Some(Fault::LostReply) {
            self.called.send_replace(());
        }
        fault
    }

    /// What is left to go wrong after the effect.
    async fn answer(&self, fault: Option<Fault>, response: Response) -> Response {
        self.pause().await;
        match fault {
            Some(Fault::StuckAfter) => {
                self.called.send_replace(());
                std::future::pending().await
            }
            Some(Fault::LostReply) => {
                self.called.send_replace(());
                StatusCode::BAD_GATEWAY.into_response()
            }
            _ => response,
        }
    }
}

/// `None` if the call may have its effect.
async fn before(fault: Option<Fault>) -> Option<Response> {
    match fault {
        Some(Fault::Unavailable) => Some(Problem::unavailable("inventory").into_response()),
        Some(Fault::StuckBefore) => std::future::pending().await,
        _ => None,
    }
}

async fn begin(State(fake): State<Fake>, Json(begin): Json<BeginPayment>) -> Response {
    fake.pause().await;
    let fault = fake.note("begin", begin.booking_id);
    if let Some(refused) = before(fault).await {
        return refused;
    }
    let response = {
        let mut inner = fake.inner.lock().unwrap();
        match inner.holds.get(&begin.hold_id).copied() {
            Some((user, event)) if user == begin.user_id => {
                let paying = inner.paying.entry(begin.hold_id).or_insert_with(|| InPayment {
                    booking_id: begin.booking_id,
                    hold_id: begin.hold_id,
                    event_id: event,
                    seat_ids: vec!["A1".parse().unwrap(), "A2".parse().unwrap()],
                    section: None,
                    quantity: 2,
                    amount: 20_000,
                    currency: Currency::INR,
                    fence: 1,
                    deadline: fake.clock.now() + Duration::from_secs(begin.deadline_seconds),
                });
                Json(paying.clone()).into_response()
            }
            _ => Problem::new(HOLD_NOT_LIVE, "no").into_response(),
        }
    };
    fake.answer(fault, response).await
}

async fn act(State(fake): State<Fake>, Path((id, op)): Path<(BookingId, String)>) -> Response {
    fake.pause().await;
    let op = ["sell", "release", "reopen"].into_iter().find(|known| *known == op).expect("an operation");
    let fault = fake.note(op, id);
    if let Some(refused) = before(fault).await {
        return refused;
    }
    let response = {
        let mut inner = fake.inner.lock().unwrap();
        match op {
            "sell" => {
                assert!(!inner.released.contains(&id), "{id} is sold after it was released");
                let refused = fault == Some(Fault::Refused);
                if !refused {
                    inner.sold.insert(id);
                }
                let outcome = if refused { SellOutcome::Refused } else { SellOutcome::Sold };
                Json(Sold { outcome }).into_response()
            }
            "release" => {
                assert!(!inner.sold.contains(&id), "{id} is released after it was sold");
                inner.released.insert(id);
                StatusCode::NO_CONTENT.into_response()
            }
            _ => {
                assert!(inner.sold.contains(&id), "{id} is reopened before it was sold");
                inner.reopened.insert(id);
                StatusCode::NO_CONTENT.into_response()
            }
        }
    };
    fake.answer(fault, response).await
}
