//! What other services tell: each message is claimed, and takes effect, in one commit.

use ticketblitz_core::sqlite::SqliteConnection;
use ticketblitz_core::{BookingId, Timestamp};
use ticketblitz_saga::{Delivery, Outcome as Ended, Signal, inbox};

use super::{request_refund, rows};
use crate::domain::{Booking, Status};
use crate::store::{Outcome, Received, StoreError};

/// The inbox's name for this service.
const CONSUMER: &str = "booking";

/// False if this message, or another one that says the same, took effect before.
async fn claim(conn: &mut SqliteConnection, received: &Received) -> Result<bool, StoreError> {
    Ok(inbox::claim(conn, CONSUMER, &received.message.to_string()).await?
        && inbox::claim(conn, CONSUMER, &received.says).await?)
}

pub(super) async fn payment(
    conn: &mut SqliteConnection,
    received: Received,
    id: BookingId,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), StoreError> {
    if !claim(conn, &received).await? {
        return Ok(());
    }
    let (signal, paid) = match &outcome {
        Outcome::Succeeded(signal) => (signal, true),
        Outcome::Failed(signal) => (signal, false),
    };
    match signal.apply(conn).await? {
        Delivery::Late(Ended::Failed | Ended::Compensating) if paid => {
            let mut booking = rows::load(conn, id).await?;
            refund_late(conn, &mut booking, now).await
        }
        Delivery::Early => Err(StoreError::TooEarly(id)),
        // An ended saga is forgotten in time, its booking never.
        Delivery::Unknown => match rows::by_id(&mut *conn, id).await? {
            None | Some(Booking { status: Status::Pending, .. }) => Err(StoreError::TooEarly(id)),
            Some(mut booking) if paid && booking.status != Status::Confirmed => {
                refund_late(conn, &mut booking, now).await
            }
            Some(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

async fn refund_late(
    conn: &mut SqliteConnection,
    booking: &mut Booking,
    now: Timestamp,
) -> Result<(), StoreError> {
    request_refund(conn, booking, "it was paid after it had ended", now).await?;
    Ok(rows::update(conn, booking).await?)
}

pub(super) async fn refunded(
    conn: &mut SqliteConnection,
    received: Received,
    id: BookingId,
    back: Signal,
) -> Result<(), StoreError> {
    if !claim(conn, &received).await? {
        return Ok(());
    }
    match back.apply(conn).await? {
        Delivery::Early => Err(StoreError::TooEarly(id)),
        // Unknown: a booking that was never confirmed has no cancellation saga; its money came too late, and
        // that it went back changes nothing more. A cancellation is there before its refund is asked for.
        _ => Ok(()),
    }
}
