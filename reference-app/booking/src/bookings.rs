//! What a buyer can do.

use std::sync::Arc;
use std::time::Duration;

use contract::booking::Ticket;
use contract::inventory::BeginPayment;
use contract::{InventoryClient, TicketId};
use ticketblitz_core::{BookingId, Clock, UserId};
use ticketblitz_idempotency::sqlite::Finish;
use ticketblitz_lock::HoldId;

use crate::domain::{Booking, PaymentMethod, Status};
use crate::error::Error;
use crate::sagas::Handles;
use crate::store::{Cancelling, Condition, Created, Store};

/// How long the answer to a cancellation waits for its end.
const CANCELLATION: Duration = Duration::from_secs(10);

/// The use cases of this service.
#[derive(Debug, Clone)]
pub struct Bookings {
    pub store: Arc<dyn Store>,
    pub inventory: InventoryClient,
    pub handles: Arc<Handles>,
    pub clock: Arc<dyn Clock>,
    /// From the request until the booking's deadline.
    pub payment_deadline: Duration,
    /// From the deadline until Inventory may let the seats lapse: longer than a charge takes.
    pub payment_grace: Duration,
}

impl Bookings {
    /// Books what `user` holds. `answer` words the answer, which is stored in the booking's own commit.
    pub async fn book(
        &self,
        user: UserId,
        hold: HoldId,
        method: PaymentMethod,
        answer: impl FnOnce(&Booking) -> Result<Finish, Error>,
    ) -> Result<Finish, Error> {
        if let Some(first) = self.store.of_hold(hold).await? {
            return Err(if first.user == user { Error::Exists(first.id) } else { Error::HoldNotLive });
        }
        let begin = BeginPayment {
            booking_id: BookingId::new(),
            hold_id: hold,
            user_id: user,
            deadline_seconds: whole_seconds(self.payment_deadline),
            grace_seconds: whole_seconds(self.payment_grace),
        };
        // It may answer the id of another request, which either has made its booking, and the store says so, or
        // never will (it crashed, or lost the reply) or not yet: then the booking is made here, under its id.
        let paying = self.inventory.begin_payment(&begin).await?;
        let booking = Booking::begin(paying, user, method, self.clock.now());
        let id = booking.id;
        let answer = answer(&booking)?;
        match self.store.create(booking.clone(), self.handles.begin(&booking), answer.clone()).await? {
            Created::Made => Ok(answer),
            Created::Exists(first) => Err(Error::Exists(first)),
            Created::EventCancelled => {
                // The seats would lapse anyway; nobody waits for them.
                if let Err(error) = self.inventory.release(id).await {
                    tracing::debug!(%id, %error, "seats of a cancelled event are left to lapse");
                }
                Err(Error::SalesClosed)
            }
        }
    }

    /// The user's own booking.
    pub async fn get(&self, user: UserId, id: BookingId) -> Result<Booking, Error> {
        let found = self.store.get(id).await?;
        found.filter(|booking| booking.user == user).ok_or(Error::NotFound)
    }

    /// The user's own booking when it is no longer PENDING, or as it is after `patience`.
    pub async fn settled(&self, user: UserId, id: BookingId, patience: Duration) -> Result<Booking, Error> {
        let booking = self.get(user, id).await?;
        if booking.status != Status::Pending || patience.is_zero() {
            return Ok(booking);
        }
        self.wait(id, patience, |booking| booking.status != Status::Pending).await
    }

    /// The user's own bookings, newest first.
    pub async fn list(
        &self,
        user: UserId,
        before: Option<BookingId>,
        limit: u32,
    ) -> Result<Vec<Booking>, Error> {
        Ok(self.store.list(user, before, limit).await?)
    }

    /// The tickets of the user's own booking, in the order of its seats.
    pub async fn tickets(
        &self,
        user: UserId,
        id: BookingId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<Ticket>, Error> {
        self.get(user, id).await?;
        Ok(self.store.tickets(id, after, limit).await?)
    }

    /// Calls off the user's own booking, and answers it when its seats are free and its money is back. Of a paid
    /// booking that takes too long, CANCELLED is answered all the same: that is decided, and the rest follows.
    pub async fn cancel(&self, user: UserId, id: BookingId) -> Result<Booking, Error> {
        self.get(user, id).await?;
        let reason = "it was cancelled by its buyer";
        let how = self.handles.call_off(id, reason);
        if self.store.call_off(how, reason, self.clock.now()).await? == Cancelling::Refused {
            return Err(Error::NotCancellable);
        }
        let booking = self.wait(id, CANCELLATION, |booking| booking.closed_at.is_some()).await?;
        match booking.status {
            Status::Cancelled => Ok(booking),
            Status::Pending => Err(Error::StillCancelling),
            // Its deadline or a declined payment came first.
            Status::Confirmed | Status::Failed | Status::Expired => Err(Error::NotCancellable),
        }
    }

    async fn wait(&self, id: BookingId, patience: Duration, so: Condition) -> Result<Booking, Error> {
        let found = match tokio::time::timeout(patience, self.store.wait_until(id, so)).await {
            Ok(found) => found?,
            Err(_) => self.store.get(id).await?,
        };
        found.ok_or(Error::NotFound)
    }
}

/// Rounded up: a deadline of half a second is not one that has passed.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
