//! Bookings in SQLite. Every write is one closure behind a savepoint, in a commit shared with its neighbours.

mod changes;
mod messages;
mod rows;

use async_trait::async_trait;
use contract::TicketId;
use contract::booking::Ticket;
use ticketblitz_core::sqlite::{self, BoxFuture, Sqlite, SqliteConnection};
use ticketblitz_core::{BookingId, EventId, Timestamp, UserId};
use ticketblitz_idempotency::sqlite::Finish;
use ticketblitz_lock::HoldId;
use ticketblitz_saga::{Advance, Advanced, Cancelled, Signal, Start, outbox};

use super::{CallOff, Cancelling, Condition, Created, Outcome, Received, Store, StoreError};
use crate::audit::Snapshot;
use crate::domain::{Booking, Cancellation, Ending, Status};
use crate::events;
use crate::tickets;
use changes::Changes;

/// Why a booking is called off when its event is.
const EVENT_CANCELLED: &str = "the event was cancelled";

/// Bookings in the service's own database file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    db: Sqlite,
    changes: Changes,
}

impl SqliteStore {
    /// A store over a migrated database. Only changes made through this store and its clones wake whoever
    /// [waits](Store::wait_until).
    #[must_use]
    pub fn new(db: Sqlite) -> Self {
        Self { db, changes: Changes::new() }
    }

    /// Changes one booking: all that `work` does to it and around it is one commit.
    async fn change<T, F>(&self, id: BookingId, work: F) -> Result<T, StoreError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection, Booking) -> BoxFuture<'c, Result<T, StoreError>>
            + Send
            + 'static,
        T: Send + 'static,
    {
        let done = self
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let booking = rows::load(conn, id).await?;
                    work(conn, booking).await
                })
            })
            .await;
        self.changes.tell(id);
        done
    }
}

/// Every booking, and every ticket, that the connection's transaction sees.
pub(crate) async fn snapshot(conn: &mut SqliteConnection) -> Result<Snapshot, sqlite::Error> {
    let bookings = rows::all(&mut *conn).await?;
    Ok(Snapshot { bookings, tickets: rows::all_tickets(conn).await? })
}

/// Publishes `refund.requested` unless that was done before. The caller writes the booking.
async fn request_refund(
    conn: &mut SqliteConnection,
    booking: &mut Booking,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    if booking.request_refund() {
        outbox::push(conn, &events::refund_requested(booking, reason, now)).await?;
    }
    Ok(())
}

/// CANCELLED at once, the money asked back, and the saga started that sees it through.
async fn refund(
    conn: &mut SqliteConnection,
    booking: &mut Booking,
    saga: &Start,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    booking.call_off(reason)?;
    saga.apply(conn).await?;
    request_refund(conn, booking, reason, now).await?;
    rows::update(conn, booking).await?;
    Ok(())
}

async fn call_off(
    conn: &mut SqliteConnection,
    mut booking: Booking,
    how: &CallOff,
    reason: &str,
    now: Timestamp,
) -> Result<Cancelling, StoreError> {
    match booking.cancellation() {
        Cancellation::TurnBack => match how.turn_back.apply(conn).await? {
            Cancelled::TooLate => Ok(Cancelling::Refused),
            _ => Ok(Cancelling::UnderWay),
        },
        Cancellation::Refund => {
            refund(conn, &mut booking, &how.refund, reason, now).await?;
            Ok(Cancelling::UnderWay)
        }
        Cancellation::Done => Ok(Cancelling::UnderWay),
        Cancellation::Refused => Ok(Cancelling::Refused),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create(&self, mut booking: Booking, saga: Start, answer: Finish) -> Result<Created, StoreError> {
        self.db
            .write(move |conn| {
                Box::pin(async move {
                    if let Some(first) = rows::by_hold(&mut *conn, booking.hold).await? {
                        return Ok(Created::Exists(first.id));
                    }
                    if rows::is_cancelled(conn, booking.event).await? {
                        return Ok(Created::EventCancelled);
                    }
                    let created = events::created(&mut booking);
                    rows::insert(conn, &booking).await?;
                    saga.apply(conn).await?;
                    outbox::push(conn, &created).await?;
                    answer.apply(conn).await?;
                    Ok(Created::Made)
                })
            })
            .await
    }

    async fn confirm(
        &self,
        id: BookingId,
        refund_saga: Start,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.change(id, move |conn, mut booking| {
            Box::pin(async move {
                if rows::is_cancelled(conn, booking.event).await? {
                    refund(conn, &mut booking, &refund_saga, EVENT_CANCELLED, now).await?;
                } else {
                    booking.confirm(now)?;
                    let tickets = booking.tickets(tickets::fresh);
                    rows::insert_tickets(conn, booking.id, &tickets).await?;
                    outbox::push(conn, &events::confirmed(&mut booking, tickets, now)).await?;
                    rows::update(conn, &booking).await?;
                }
                Ok(advance.apply(conn).await?)
            })
        })
        .await
    }

    async fn end(
        &self,
        id: BookingId,
        ending: Ending,
        advance: Advance,
        now: Timestamp,
    ) -> Result<Advanced, StoreError> {
        self.change(id, move |conn, mut booking| {
            Box::pin(async move {
                booking.end(ending, now)?;
                let told = match booking.status {
                    Status::Cancelled => events::cancelled(&mut booking, now),
                    _ => events::failed(&mut booking, now),
                };
                outbox::push(conn, &told).await?;
                rows::update(conn, &booking).await?;
                Ok(advance.apply(conn).await?)
            })
        })
        .await
    }

    async fn void_payment(&self, id: BookingId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        self.change(id, move |conn, mut booking| {
            Box::pin(async move {
                request_refund(conn, &mut booking, &reason, now).await?;
                Ok(rows::update(conn, &booking).await?)
            })
        })
        .await
    }

    async fn call_off(&self, how: CallOff, reason: &str, now: Timestamp) -> Result<Cancelling, StoreError> {
        let reason = reason.to_owned();
        self.change(how.booking, move |conn, booking| {
            Box::pin(async move { call_off(conn, booking, &how, &reason, now).await })
        })
        .await
    }

    async fn close(&self, id: BookingId, advance: Advance, now: Timestamp) -> Result<Advanced, StoreError> {
        self.change(id, move |conn, mut booking| {
            Box::pin(async move {
                booking.close(now);
                outbox::push(conn, &events::cancelled(&mut booking, now)).await?;
                rows::update(conn, &booking).await?;
                Ok(advance.apply(conn).await?)
            })
        })
        .await
    }

    async fn payment(
        &self,
        received: Received,
        booking: BookingId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.db.write(move |conn| Box::pin(messages::payment(conn, received, booking, outcome, now))).await
    }

    async fn refunded(&self, received: Received, booking: BookingId, back: Signal) -> Result<(), StoreError> {
        self.db.write(move |conn| Box::pin(messages::refunded(conn, received, booking, back))).await
    }

    async fn cancel_event(&self, event: EventId, now: Timestamp) -> Result<(), StoreError> {
        self.db
            .write(move |conn| Box::pin(async move { Ok(rows::mark_cancelled(conn, event, now).await?) }))
            .await
    }

    async fn live_bookings(
        &self,
        event: EventId,
        after: Option<BookingId>,
        limit: u32,
    ) -> Result<Vec<BookingId>, StoreError> {
        Ok(rows::live_of_event(self.db.readers(), event, after, limit).await?)
    }

    async fn call_off_all(&self, all: Vec<CallOff>, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        let ids: Vec<_> = all.iter().map(|how| how.booking).collect();
        let done = self
            .db
            .write(move |conn| {
                Box::pin(async move {
                    for how in &all {
                        let booking = rows::load(conn, how.booking).await?;
                        call_off(conn, booking, how, &reason, now).await?;
                    }
                    Ok(())
                })
            })
            .await;
        ids.into_iter().for_each(|id| self.changes.tell(id));
        done
    }

    async fn get(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        Ok(rows::by_id(self.db.readers(), id).await?)
    }

    async fn of_hold(&self, hold: HoldId) -> Result<Option<Booking>, StoreError> {
        Ok(rows::by_hold(self.db.readers(), hold).await?)
    }

    async fn list(
        &self,
        user: UserId,
        before: Option<BookingId>,
        limit: u32,
    ) -> Result<Vec<Booking>, StoreError> {
        Ok(rows::newest(self.db.readers(), user, before, limit).await?)
    }

    async fn tickets(
        &self,
        id: BookingId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<Ticket>, StoreError> {
        Ok(rows::valid_tickets(self.db.readers(), id, after, limit).await?)
    }

    async fn wait_until(&self, id: BookingId, so: Condition) -> Result<Option<Booking>, StoreError> {
        loop {
            let changed = self.changes.of(id).notified();
            tokio::pin!(changed);
            // Before the read, so that a change right after it is not missed.
            changed.as_mut().enable();
            match self.get(id).await? {
                Some(booking) if !so(&booking) => changed.await,
                settled => return Ok(settled),
            }
        }
    }
}

#[cfg(test)]
mod tests;
