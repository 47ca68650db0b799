//! Against the trait: every backend has to pass.

mod areas;
mod carried;
mod damage;
mod seats;

use std::sync::Arc;
use std::time::Duration;

use contract::event::{BookingMode, Places, Section};
use contract::inventory::InventoryEvent;
use ticketblitz_core::{BookingId, Currency, EventId, SeatId, Timestamp, UserId};
use ticketblitz_lock::{Fence, HoldId, HoldRef, Want};

use super::{Begin, Claim, Error, Refusal, SqliteStore, Store};

pub(super) const LATE: Duration = Duration::from_secs(700);

/// A store with one event of seats and one of an area.
pub(super) struct Rig {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Arc<dyn Store>,
    pub(super) seated: EventId,
    pub(super) area: EventId,
    pub(super) now: Timestamp,
}

pub(super) fn event(mode: BookingMode, places: Places) -> InventoryEvent {
    InventoryEvent {
        booking_mode: mode,
        currency: Currency::INR,
        max_seats_per_customer: 4,
        sales_start: None,
        sales_end: start() + Duration::from_secs(86_400),
        sections: vec![Section { name: "GENERAL".to_owned(), price: 5_000, places }],
    }
}

pub(super) fn start() -> Timestamp {
    "2026-06-01T10:00:00Z".parse().expect("a moment")
}

pub(super) fn seat(name: &str) -> SeatId {
    name.parse().expect("a seat")
}

impl Rig {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let db = platform::db::open(dir.path(), "inventory", &crate::MIGRATIONS).await.expect("opens");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::new(db));
        let (seated, area, now) = (EventId::new(), EventId::new(), start());
        let places = Places::Seats((1..=10).filter_map(|n| SeatId::new(1, n)).collect());
        store.put_event(seated, event(BookingMode::Visual, places), now).await.expect("put");
        store.put_event(area, event(BookingMode::Tatkal, Places::Capacity(5)), now).await.expect("put");
        Self { dir, store, seated, area, now }
    }

    pub(super) fn seats(&self, names: &[&str], fence: u64) -> Begin {
        self.begin(self.seated, Want::Seats(names.iter().map(|name| seat(name)).collect()), fence)
    }

    pub(super) fn places(&self, quantity: u32, fence: u64) -> Begin {
        self.begin(self.area, Want::Area { section: "GENERAL".to_owned(), quantity }, fence)
    }

    fn begin(&self, event: EventId, want: Want, fence: u64) -> Begin {
        Begin {
            booking: BookingId::new(),
            owner: UserId::new(),
            hold: HoldRef { event, hold: HoldId::in_event(event) },
            want,
            fence: Fence::new(fence),
            deadline: self.now + Duration::from_secs(600),
            until: self.now + Duration::from_secs(660),
            now: self.now,
        }
    }

    pub(super) async fn started(&self, begin: &Begin) -> Claim {
        self.store.begin_payment(begin.clone()).await.expect("in payment")
    }

    pub(super) async fn refused(&self, begin: &Begin) -> Refusal {
        match self.store.begin_payment(begin.clone()).await {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) async fn sold(&self, begin: &Begin, now: Timestamp) -> bool {
        self.store.sell(begin.booking, now).await.expect("an answer").sold
    }

    /// The same hold's buyer, later.
    pub(super) fn at(mut begin: Begin, now: Timestamp) -> Begin {
        begin.now = now;
        begin.deadline = now + Duration::from_secs(600);
        begin.until = now + Duration::from_secs(660);
        begin
    }
}

#[tokio::test]
async fn the_first_booking_of_a_hold_is_answered_to_all() {
    let rig = Rig::new().await;
    let first = rig.seats(&["A1", "A2"], 7);
    let claim = rig.started(&first).await;
    assert_eq!((claim.amount, claim.booking), (10_000, first.booking));
    let second = Begin { booking: BookingId::new(), now: rig.now + LATE, ..first.clone() };
    assert_eq!(rig.started(&second).await, claim);
}

#[tokio::test]
async fn a_booking_released_before_it_began_never_begins() {
    let rig = Rig::new().await;
    let begin = rig.seats(&["A1"], 7);
    assert_eq!(rig.store.release(begin.booking, rig.now).await.expect("released"), None);
    assert_eq!(rig.refused(&begin).await, Refusal::NotLive);
    assert!(!rig.sold(&begin, rig.now).await);
    let refused_first = rig.seats(&["A1"], 8);
    assert!(!rig.sold(&refused_first, rig.now).await);
    assert_eq!(rig.refused(&refused_first).await, Refusal::NotLive, "the money of a refused sale goes back");
}

#[tokio::test]
async fn sales_that_are_not_open_begin_no_payment() {
    let rig = Rig::new().await;
    let early = EventId::new();
    let mut event = event(BookingMode::Tatkal, Places::Capacity(5));
    event.sales_start = Some(rig.now + Duration::from_secs(1));
    rig.store.put_event(early, event.clone(), rig.now).await.expect("put");
    let mut begin = rig.places(1, 7);
    begin.hold = HoldRef { event: early, hold: HoldId::in_event(early) };
    assert_eq!(rig.refused(&begin).await, Refusal::SalesClosed);
    let ended = Rig::at(begin.clone(), event.sales_end);
    assert_eq!(rig.refused(&ended).await, Refusal::SalesClosed);
    rig.started(&Rig::at(begin, rig.now + Duration::from_secs(1))).await;
}

#[tokio::test]
async fn a_closed_event_neither_begins_nor_sells_and_keeps_what_it_sold() {
    let rig = Rig::new().await;
    let (sold, paying, late) = (rig.seats(&["A1"], 7), rig.seats(&["A2"], 8), rig.seats(&["A3"], 9));
    rig.started(&sold).await;
    assert!(rig.sold(&sold, rig.now).await);
    rig.started(&paying).await;
    rig.store.close_event(rig.seated).await.expect("closed");
    assert_eq!(rig.refused(&late).await, Refusal::SalesClosed);
    assert!(!rig.sold(&paying, rig.now).await);
    assert!(rig.sold(&sold, rig.now).await);
    let places = Places::Seats((1..=10).filter_map(|n| SeatId::new(1, n)).collect());
    rig.store.put_event(rig.seated, event(BookingMode::Visual, places), rig.now).await.expect("unchanged");
    assert_eq!(rig.refused(&late).await, Refusal::SalesClosed, "a repeated put does not open it again");
}

#[tokio::test]
async fn a_customer_s_limit_counts_payments_and_sales() {
    let rig = Rig::new().await;
    let buyer = UserId::new();
    let owned = |begin: Begin| Begin { owner: buyer, ..begin };
    let (first, second) = (owned(rig.seats(&["A1", "A2"], 7)), owned(rig.seats(&["A3", "A4"], 8)));
    rig.started(&first).await;
    assert!(rig.sold(&first, rig.now).await);
    rig.started(&second).await;
    let over = owned(rig.seats(&["A5"], 9));
    assert_eq!(rig.refused(&over).await, Refusal::OverLimit { limit: 4, taken: 4 });
    rig.store.release(second.booking, rig.now).await.expect("released");
    rig.started(&over).await;
}

#[tokio::test]
async fn a_late_payment_does_not_sell_past_the_limit() {
    let rig = Rig::new().await;
    let late = rig.seats(&["A1", "A2"], 7);
    rig.started(&late).await;
    let now = late.until;
    let owner = late.owner;
    let since = Rig::at(Begin { owner, ..rig.seats(&["A3", "A4", "A5"], 8) }, now);
    rig.started(&since).await;
    assert!(!rig.sold(&late, now).await, "its seats are free, but its buyer has three of four");
    assert!(rig.sold(&since, now).await);

    let (first, second) = (rig.places(2, 9), rig.places(2, 10));
    rig.started(&first).await;
    rig.started(&Rig::at(Begin { owner: first.owner, ..second }, now)).await;
    assert!(rig.sold(&first, now).await, "both together are within the limit");
}

#[tokio::test]
async fn what_is_on_sale_keeps_its_layout() {
    let rig = Rig::new().await;
    let other = event(BookingMode::Tatkal, Places::Capacity(6));
    let put = rig.store.put_event(rig.area, other.clone(), rig.now).await;
    assert!(matches!(put, Err(Error::Refused(Refusal::OnSale))), "{put:?}");
    let mut limit = event(BookingMode::Tatkal, Places::Capacity(5));
    limit.max_seats_per_customer = 9;
    assert!(!rig.store.put_event(rig.area, limit, rig.now).await.expect("the limit may change"));
    let later = EventId::new();
    let mut scheduled = other;
    scheduled.sales_start = Some(rig.now + Duration::from_secs(60));
    assert!(rig.store.put_event(later, scheduled.clone(), rig.now).await.expect("put"));
    scheduled.sections[0].price = 1;
    assert!(rig.store.put_event(later, scheduled.clone(), rig.now).await.expect("before the sale"));
    let (stored, closed) = rig.store.event(later).await.expect("read").expect("known");
    assert_eq!((stored, closed), (scheduled, false));
}

#[tokio::test]
async fn holds_lead_to_their_event() {
    let rig = Rig::new().await;
    let tag = HoldId::in_event(rig.area).event_tag();
    assert_eq!(rig.store.events_tagged(tag).await.expect("found"), [rig.area]);
}
