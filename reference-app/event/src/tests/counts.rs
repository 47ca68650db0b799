//! Places left, as bookings come and go.

use contract::events::{BOOKING_CANCELLED, BOOKING_CONFIRMED, BookingCancelled, BookingConfirmed};
use platform::bus::{self, HandleError, Handler};
use ticketblitz_core::{BookingId, Clock, Currency, Envelope, EventId};

use super::*;
use crate::counts::Counts;

fn confirmed(rig: &Rig, event: &Value, booking: BookingId) -> Envelope {
    let data = BookingConfirmed {
        booking_id: booking,
        user_id: UserId::new(),
        event_id: text(event, "id").parse::<EventId>().expect("an id"),
        seat_ids: Vec::new(),
        section: None,
        quantity: 2,
        amount: 1,
        currency: Currency::EUR,
        tickets: Vec::new(),
    };
    bus::event(BOOKING_CONFIRMED, booking.to_string(), 1, &data, rig.clock.now())
}

fn cancelled(rig: &Rig, event: &Value, booking: BookingId, was_confirmed: bool) -> Envelope {
    let data = BookingCancelled {
        booking_id: booking,
        user_id: UserId::new(),
        event_id: text(event, "id").parse::<EventId>().expect("an id"),
        quantity: 2,
        was_confirmed,
    };
    bus::event(BOOKING_CANCELLED, booking.to_string(), 2, &data, rig.clock.now())
}

#[tokio::test]
async fn places_drop_once_a_booking_and_come_back_once() {
    let rig = Rig::new().await;
    let event = rig.created(&organizer(), &concert()).await;
    let counts = Counts::new(Arc::clone(&rig.catalog));
    let left = async || rig.get(&path(&event)).await.1["availableSeats"].clone();
    let booking = BookingId::new();
    let confirmation = confirmed(&rig, &event, booking);
    assert_eq!(left().await, 100);
    for _ in 0..3 {
        counts.handle(&confirmation).await.expect("counted");
        assert_eq!(left().await, 98, "shown at once, and once");
    }
    let cancellation = cancelled(&rig, &event, booking, true);
    for message in [&cancellation, &cancellation, &confirmation] {
        counts.handle(message).await.expect("counted");
        assert_eq!(left().await, 100);
    }
    counts.handle(&cancelled(&rig, &event, BookingId::new(), false)).await.expect("nothing to count");
    assert_eq!(left().await, 100);
}

#[tokio::test]
async fn counting_reads_no_layout_again() {
    let rig = Rig::new().await;
    let owner = organizer();
    let event = rig.created(&owner, &concert()).await;
    let counts = Counts::new(Arc::clone(&rig.catalog));
    let left = async || {
        let (one, list) = (rig.get(&path(&event)).await.1, rig.get("/api/events").await.1);
        assert_eq!(list["items"][0], one);
        one
    };
    let before = left().await;
    // Whoever reads it now cannot read it.
    let broken: Result<_, crate::store::Error> = rig
        .db
        .write(|conn| {
            Box::pin(async move {
                sqlite::query("UPDATE layouts SET sections = 'broken'").execute(conn).await?;
                Ok(())
            })
        })
        .await;
    broken.expect("broken");
    assert!(
        rig.catalog.store.get(before["id"].as_str().expect("text").parse().expect("an id")).await.is_err()
    );
    for n in 1..=3 {
        counts.handle(&confirmed(&rig, &event, BookingId::new())).await.expect("counted");
        let now = left().await;
        assert_eq!(now["availableSeats"], 100 - 2 * n);
        assert_eq!(now["sections"], before["sections"]);
    }
}

#[tokio::test]
async fn a_full_event_is_sold_out() {
    let rig = Rig::new().await;
    let mut body = concert();
    body["totalSeats"] = json!(2);
    let event = rig.created(&organizer(), &body).await;
    let counts = Counts::new(Arc::clone(&rig.catalog));
    counts.handle(&confirmed(&rig, &event, BookingId::new())).await.expect("counted");
    assert_eq!(rig.get(&path(&event)).await.1["status"], "SOLD_OUT");
    assert_eq!(rig.get("/api/events?filter=available").await.1["items"], json!([]));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_poison() {
    let rig = Rig::new().await;
    let counts = Counts::new(Arc::clone(&rig.catalog));
    let message = bus::event(BOOKING_CONFIRMED, "key", 1, &json!({"bookingId": 7}), rig.clock.now());
    assert!(matches!(counts.handle(&message).await, Err(HandleError::Poison(_))));
}
