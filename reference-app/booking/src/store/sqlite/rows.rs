//! The rows of a booking, read and written whole.

use contract::TicketId;
use contract::booking::Ticket;
use ticketblitz_core::sqlite::{self, SqliteConnection};
use ticketblitz_core::{BookingId, EventId, SeatId, Timestamp, UserId};
use ticketblitz_lock::HoldId;

use crate::domain::{Booking, PaymentMethod, Status};
use crate::store::StoreError;

ticketblitz_core::sqlite_text!(Status);
ticketblitz_core::sqlite_text!(PaymentMethod);

impl sqlite::FromRow for Booking {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        let seats: String = row.try_get("seat_ids")?;
        let sequence: i64 = row.try_get("sequence")?;
        Ok(Self {
            id: row.try_get("id")?,
            user: row.try_get("user_id")?,
            event: row.try_get("event_id")?,
            hold: row.try_get("hold_id")?,
            seats: serde_json::from_str(&seats).map_err(sqlite::Error::decode)?,
            section: row.try_get("section")?,
            quantity: row.try_get("quantity")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            method: row.try_get("payment_method")?,
            status: row.try_get("status")?,
            failure: row.try_get("failure_reason")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            confirmed_at: row.try_get("confirmed_at")?,
            closed_at: row.try_get("closed_at")?,
            refund_requested: row.try_get("refund_requested")?,
            sequence: u64::try_from(sequence).map_err(sqlite::Error::decode)?,
        })
    }
}

pub(super) async fn by_id(
    db: impl sqlite::Executor,
    id: BookingId,
) -> Result<Option<Booking>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM bookings WHERE id = $1").bind(id).fetch_optional(db).await
}

pub(super) async fn all(db: impl sqlite::Executor) -> Result<Vec<Booking>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM bookings ORDER BY id").fetch_all(db).await
}

/// Every ticket's booking and seat, void ones too.
pub(super) async fn all_tickets(
    db: impl sqlite::Executor,
) -> Result<Vec<(BookingId, Option<SeatId>)>, sqlite::Error> {
    sqlite::query_as("SELECT booking_id, seat_id FROM tickets ORDER BY booking_id, id").fetch_all(db).await
}

pub(super) async fn by_hold(
    db: impl sqlite::Executor,
    hold: HoldId,
) -> Result<Option<Booking>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM bookings WHERE hold_id = $1").bind(hold).fetch_optional(db).await
}

/// A booking that a saga or a message speaks of.
pub(super) async fn load(conn: &mut SqliteConnection, id: BookingId) -> Result<Booking, StoreError> {
    by_id(conn, id).await?.ok_or(StoreError::NoSuchBooking(id))
}

pub(super) async fn newest(
    db: impl sqlite::Executor,
    user: UserId,
    before: Option<BookingId>,
    limit: u32,
) -> Result<Vec<Booking>, sqlite::Error> {
    // Ids sort by the time they were made, so the id is the cursor and the order at once.
    sqlite::query_as(
        "SELECT * FROM bookings WHERE user_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
    )
    .bind(user)
    .bind(before)
    .bind(limit)
    .fetch_all(db)
    .await
}

pub(super) async fn live_of_event(
    db: impl sqlite::Executor,
    event: EventId,
    after: Option<BookingId>,
    limit: u32,
) -> Result<Vec<BookingId>, sqlite::Error> {
    sqlite::query_scalar(
        "SELECT id FROM bookings
         WHERE event_id = $1 AND status IN ('PENDING', 'CONFIRMED') AND ($2 IS NULL OR id > $2)
         ORDER BY id LIMIT $3",
    )
    .bind(event)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await
}

pub(super) async fn insert(conn: &mut SqliteConnection, booking: &Booking) -> Result<(), StoreError> {
    sqlite::query(
        "INSERT INTO bookings (id, user_id, event_id, hold_id, seat_ids, section, quantity, amount, currency,
             payment_method, status, created_at, expires_at, sequence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(booking.id)
    .bind(booking.user)
    .bind(booking.event)
    .bind(booking.hold)
    .bind(serde_json::to_string(&booking.seats)?)
    .bind(&booking.section)
    .bind(booking.quantity)
    .bind(booking.amount)
    .bind(booking.currency)
    .bind(booking.method)
    .bind(booking.status)
    .bind(booking.created_at)
    .bind(booking.expires_at)
    .bind(i64::try_from(booking.sequence).unwrap_or(i64::MAX))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what changes in a booking's life.
pub(super) async fn update(conn: &mut SqliteConnection, booking: &Booking) -> Result<(), sqlite::Error> {
    sqlite::query(
        "UPDATE bookings SET status = $1, failure_reason = $2, confirmed_at = $3, closed_at = $4,
             refund_requested = $5, sequence = $6 WHERE id = $7",
    )
    .bind(booking.status)
    .bind(&booking.failure)
    .bind(booking.confirmed_at)
    .bind(booking.closed_at)
    .bind(booking.refund_requested)
    .bind(i64::try_from(booking.sequence).unwrap_or(i64::MAX))
    .bind(booking.id)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_tickets(
    conn: &mut SqliteConnection,
    booking: BookingId,
    tickets: &[Ticket],
) -> Result<(), sqlite::Error> {
    for ticket in tickets {
        sqlite::query(
            "INSERT INTO tickets (id, booking_id, seat_id, section, code) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(ticket.ticket_id)
        .bind(booking)
        .bind(ticket.seat_id)
        .bind(&ticket.section)
        .bind(&ticket.code)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The tickets in the order in which they were made, that of the seats.
pub(super) async fn valid_tickets(
    db: impl sqlite::Executor,
    booking: BookingId,
    after: Option<TicketId>,
    limit: u32,
) -> Result<Vec<Ticket>, sqlite::Error> {
    let rows = sqlite::query(
        "SELECT tickets.id, seat_id, tickets.section, code FROM tickets
         JOIN bookings ON bookings.id = booking_id
         WHERE booking_id = $1 AND status = 'CONFIRMED' AND ($2 IS NULL OR tickets.id > $2)
         ORDER BY tickets.id LIMIT $3",
    )
    .bind(booking)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Ticket {
                ticket_id: row.try_get("id")?,
                seat_id: row.try_get("seat_id")?,
                section: row.try_get("section")?,
                code: row.try_get("code")?,
            })
        })
        .collect()
}

pub(super) async fn mark_cancelled(
    conn: &mut SqliteConnection,
    event: EventId,
    now: Timestamp,
) -> Result<(), sqlite::Error> {
    sqlite::query(
        "INSERT INTO cancelled_events (event_id, cancelled_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(event)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn is_cancelled(conn: &mut SqliteConnection, event: EventId) -> Result<bool, sqlite::Error> {
    sqlite::query_scalar("SELECT EXISTS (SELECT 1 FROM cancelled_events WHERE event_id = $1)")
        .bind(event)
        .fetch_one(conn)
        .await
}
