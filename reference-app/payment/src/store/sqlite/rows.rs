//! The rows of a payment, read and written whole.

use contract::PaymentId;
use ticketblitz_core::sqlite::{self, SqliteConnection};
use ticketblitz_core::{BookingId, Timestamp, UserId};

use crate::domain::{Payment, Status};

ticketblitz_core::sqlite_text!(Status);

impl sqlite::FromRow for Payment {
    fn from_row(row: &sqlite::Row) -> Result<Self, sqlite::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            booking: row.try_get("booking_id")?,
            user: row.try_get("user_id")?,
            event: row.try_get("event_id")?,
            amount: row.try_get("amount")?,
            currency: row.try_get("currency")?,
            method: row.try_get("method")?,
            deadline: row.try_get("deadline")?,
            status: row.try_get("status")?,
            sent_at: row.try_get("sent_at")?,
            charge: row.try_get("provider_charge_id")?,
            voided: row.try_get("voided")?,
            failure: row.try_get("failure_reason")?,
            created_at: row.try_get("created_at")?,
            sequence: row.try_get("sequence")?,
        })
    }
}

pub(super) async fn by_id(
    db: impl sqlite::Executor,
    id: PaymentId,
) -> Result<Option<Payment>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM payments WHERE id = $1").bind(id).fetch_optional(db).await
}

pub(super) async fn all(db: impl sqlite::Executor) -> Result<Vec<Payment>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM payments ORDER BY id").fetch_all(db).await
}

pub(super) async fn by_booking(
    db: impl sqlite::Executor,
    booking: BookingId,
) -> Result<Option<Payment>, sqlite::Error> {
    sqlite::query_as("SELECT * FROM payments WHERE booking_id = $1").bind(booking).fetch_optional(db).await
}

pub(super) async fn newest(
    db: impl sqlite::Executor,
    user: UserId,
    before: Option<PaymentId>,
    limit: u32,
) -> Result<Vec<Payment>, sqlite::Error> {
    // Ids sort by the time they were made, so the id is the cursor and the order at once.
    let query =
        "SELECT * FROM payments WHERE user_id = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3";
    let query = sqlite::query_as(query).bind(user).bind(before).bind(limit);
    query.fetch_all(db).await
}

pub(super) async fn insert(conn: &mut SqliteConnection, payment: &Payment) -> Result<(), sqlite::Error> {
    sqlite::query(
        "INSERT INTO payments (id, booking_id, user_id, event_id, amount, currency, method, deadline, status,
             voided, failure_reason, created_at, sequence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(payment.id)
    .bind(payment.booking)
    .bind(payment.user)
    .bind(payment.event)
    .bind(payment.amount)
    .bind(payment.currency)
    .bind(&payment.method)
    .bind(payment.deadline)
    .bind(payment.status)
    .bind(payment.voided)
    .bind(&payment.failure)
    .bind(payment.created_at)
    .bind(i64::try_from(payment.sequence).unwrap_or(i64::MAX))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes what changes in a payment's life. The time a charge was sent is not among it: see [`mark_sent`].
pub(super) async fn update(conn: &mut SqliteConnection, payment: &Payment) -> Result<(), sqlite::Error> {
    sqlite::query(
        "UPDATE payments SET status = $1, provider_charge_id = $2, voided = $3, failure_reason = $4,
             sequence = $5 WHERE id = $6",
    )
    .bind(payment.status)
    .bind(&payment.charge)
    .bind(payment.voided)
    .bind(&payment.failure)
    .bind(i64::try_from(payment.sequence).unwrap_or(i64::MAX))
    .bind(payment.id)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn mark_sent(
    conn: &mut SqliteConnection,
    id: PaymentId,
    now: Timestamp,
) -> Result<(), sqlite::Error> {
    sqlite::query("UPDATE payments SET sent_at = $1 WHERE id = $2").bind(now).bind(id).execute(conn).await?;
    Ok(())
}

pub(super) async fn is_voided(
    conn: &mut SqliteConnection,
    booking: BookingId,
) -> Result<bool, sqlite::Error> {
    sqlite::query_scalar("SELECT EXISTS (SELECT 1 FROM voided_bookings WHERE booking_id = $1)")
        .bind(booking)
        .fetch_one(conn)
        .await
}

pub(super) async fn mark_voided(
    conn: &mut SqliteConnection,
    booking: BookingId,
    now: Timestamp,
) -> Result<(), sqlite::Error> {
    sqlite::query(
        "INSERT INTO voided_bookings (booking_id, voided_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(booking)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn forget_voided(
    conn: &mut SqliteConnection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, sqlite::Error> {
    let forget = sqlite::query(
        "DELETE FROM voided_bookings WHERE booking_id IN
             (SELECT booking_id FROM voided_bookings WHERE voided_at < $1 ORDER BY voided_at LIMIT $2)",
    );
    forget.bind(before).bind(limit).execute(conn).await
}
