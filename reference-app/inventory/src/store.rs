//! What the inventory remembers. The lock makes losing cheap; this decides.

pub(crate) mod sqlite;

use async_trait::async_trait;
use contract::inventory::InventoryEvent;
pub(crate) use sqlite::SqliteStore;
use ticketblitz_core::{BookingId, Currency, EventId, Timestamp, UserId};
use ticketblitz_lock::{EventSnapshot, EventTag, Fence, HoldId, HoldRef, Want};

/// The stored events and claims. Each method is one transaction: all of it happens, or none.
///
/// Every method that changes something is idempotent, because whoever loses a reply asks again.
#[async_trait]
pub(crate) trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Makes the event sellable, or changes it. Once it is on sale (its stored start of sales is past, or
    /// something of it was ever claimed) its layout, mode, prices and currency are fixed: [`Refusal::OnSale`].
    /// A closed event stays closed. Answers whether the layout is another than before.
    async fn put_event(&self, id: EventId, event: InventoryEvent, now: Timestamp) -> Result<bool, Error>;

    /// Ends the sale: no payment begins or ends in a sale any more; what is sold stays sold. Unknown: nothing.
    async fn close_event(&self, id: EventId) -> Result<(), Error>;

    /// The event and whether it is closed.
    async fn event(&self, id: EventId) -> Result<Option<(InventoryEvent, bool)>, Error>;

    /// The events whose holds carry this tag: one, or a few that collide.
    async fn events_tagged(&self, tag: EventTag) -> Result<Vec<EventId>, Error>;

    /// The events whose sales have not ended.
    async fn open_events(&self, now: Timestamp) -> Result<Vec<EventId>, Error>;

    /// Moves a hold into payment. The first booking of a hold is answered to everybody who asks for that hold.
    ///
    /// # Errors
    /// [`Refusal::NotLive`]: the booking was released, or has another hold; [`Refusal::SalesClosed`];
    /// [`Refusal::OverLimit`]; [`Refusal::Taken`]: a place is in another payment or sold, or was claimed with
    /// a fence as high: the lock has lost its memory.
    async fn begin_payment(&self, begin: Begin) -> Result<Claim, Error>;

    /// The claim on this hold.
    async fn claim_on(&self, hold: HoldId) -> Result<Option<Claim>, Error>;

    /// The claim of this booking.
    async fn claim_of(&self, booking: BookingId) -> Result<Option<Claim>, Error>;

    /// Sells a booking its places: while it is in payment, and also after it lapsed if nobody has taken any of
    /// them since. `SOLD` again for what is sold. Everything else is refused, and stays refused.
    async fn sell(&self, booking: BookingId, now: Timestamp) -> Result<Sale, Error>;

    /// Frees what a booking has in payment. A booking that never began is remembered, so that it never does.
    /// Sold places stay sold.
    async fn release(&self, booking: BookingId, now: Timestamp) -> Result<Option<Claim>, Error>;

    /// Frees what was sold to a booking, once.
    async fn reopen(&self, booking: BookingId, now: Timestamp) -> Result<Option<Claim>, Error>;

    /// What the lock must know of an event: what is in payment, what is sold, and the highest fence.
    async fn snapshot(&self, event: EventId, now: Timestamp) -> Result<Option<EventSnapshot>, Error>;

    /// Frees the places of payments that lapsed, oldest first, and answers them; a few hundred at most.
    async fn lapse(&self, now: Timestamp) -> Result<Vec<Claim>, Error>;

    /// Forgets at most `limit` bookings that were released before they began, and before `before`; answers how many.
    async fn forget_voided(&self, before: Timestamp, limit: u32) -> Result<u64, Error>;
}

/// A hold that is to be paid.
#[derive(Debug, Clone)]
pub(crate) struct Begin {
    pub(crate) booking: BookingId,
    pub(crate) owner: UserId,
    pub(crate) hold: HoldRef,
    pub(crate) want: Want,
    pub(crate) fence: Fence,
    pub(crate) deadline: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) now: Timestamp,
}

/// A booking's claim on the places of its hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub booking: BookingId,
    pub hold: HoldRef,
    pub owner: UserId,
    pub want: Want,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub fence: Fence,
    pub state: ClaimState,
    /// No charge starts after this moment.
    pub deadline: Timestamp,
    /// The claim lapses at this moment unless it is sold.
    pub until: Timestamp,
}

impl Claim {
    /// Whether the places are in payment at `now`, swept or not.
    pub(crate) fn in_payment(&self, now: Timestamp) -> bool {
        self.state == ClaimState::Paying && now < self.until
    }
}

/// How far a claim has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    Paying,
    /// In payment for too long. Still this booking's to buy if nobody took the places.
    Lapsed,
    Sold,
    Released,
    Reopened,
}

impl ClaimState {
    /// The word for it in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paying => "PAYING",
            Self::Lapsed => "LAPSED",
            Self::Sold => "SOLD",
            Self::Released => "RELEASED",
            Self::Reopened => "REOPENED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Paying, Self::Lapsed, Self::Sold, Self::Released, Self::Reopened]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// Whether a booking got its places.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sale {
    pub(crate) sold: bool,
    /// The claim afterwards; `None` if the booking never began.
    pub(crate) claim: Option<Claim>,
}

/// Why the store will not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotLive,
    SalesClosed,
    OverLimit { limit: u32, taken: u32 },
    Taken,
    OnSale,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("refused: {0:?}")]
    Refused(Refusal),
    #[error(transparent)]
    Database(#[from] ticketblitz_core::sqlite::Error),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[cfg(test)]
mod tests;
