//! Calling bookings off, one by one or with their event.

use contract::booking::BookingStatus;
use contract::events::{
    BOOKING_CANCELLED, BOOKING_CONFIRMED, EVENT_CANCELLED, EventCancelled, REFUND_REQUESTED,
};
use ticketblitz_core::BookingId;

use crate::fake::Fault;
use crate::world::World;

#[tokio::test]
async fn a_pending_booking_is_cancelled_with_its_seats_free() {
    let world = World::new().await;
    let id = world.booked().await;
    let booking = world.cancel(id).await.booking();
    assert_eq!(booking.status, BookingStatus::Cancelled);
    assert!(world.inventory.is_released(id));
    assert_eq!(world.cancel(id).await.booking(), booking, "again is the same");
    // The charge that may be on its way is void.
    assert_eq!(world.service.told(id).await, [REFUND_REQUESTED, BOOKING_CANCELLED]);
    world.service.pay(id).await.unwrap();
    let published = world.service.published(id).await;
    assert_eq!(published.len(), 3, "it was void already");
    assert_eq!(published[2].data["wasConfirmed"], false);
}

#[tokio::test]
async fn a_confirmed_booking_is_refunded_and_its_seats_are_opened() {
    let world = World::new().await;
    let id = world.confirmed().await;
    let (answer, ()) = tokio::join!(world.cancel(id), async {
        world.service.until_told(id, REFUND_REQUESTED).await;
        assert!(world.service.tickets(world.user, id).await.is_empty(), "void at once");
        let seen = world.service.get(world.user, &format!("/api/bookings/{id}")).await.booking();
        assert_eq!(seen.status, BookingStatus::Cancelled);
        assert!(!world.inventory.is_reopened(id), "not before the money is back");
        world.service.refund(id).await.unwrap();
        world.service.refund(id).await.unwrap();
    });
    assert_eq!(answer.booking().status, BookingStatus::Cancelled);
    assert!(world.inventory.is_reopened(id));
    assert_eq!(world.cancel(id).await.booking().status, BookingStatus::Cancelled);
    let told = world.service.told(id).await;
    assert_eq!(told, [BOOKING_CONFIRMED, REFUND_REQUESTED, BOOKING_CANCELLED]);
    assert_eq!(world.service.published(id).await[3].data["wasConfirmed"], true);
}

#[tokio::test]
async fn a_booking_that_is_being_sold_cannot_be_cancelled() {
    let mut world = World::new().await;
    world.inventory.script("sell", [Fault::StuckBefore]);
    let id = world.booked().await;
    world.service.pay(id).await.unwrap();
    world.inventory.called("sell", 1).await;
    let seen = world.service.get(world.user, &format!("/api/bookings/{id}")).await.booking();
    assert_eq!(seen.status, BookingStatus::Pending);
    assert_eq!(world.cancel(id).await.problem(), (409, "not-cancellable"));
    world.crash().await;
    assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed);
}

#[tokio::test]
async fn what_has_failed_cannot_be_cancelled() {
    let world = World::new().await;
    let id = world.booked().await;
    world.service.decline(id).await.unwrap();
    world.settled(id).await;
    assert_eq!(world.cancel(id).await.problem(), (409, "not-cancellable"));
    assert_eq!(world.cancel(BookingId::new()).await.problem(), (404, "not-found"));
}

#[tokio::test]
async fn a_cancelled_event_takes_all_its_bookings_along() {
    let mut world = World::new().await;
    let (pending, confirmed) = (world.booked().await, world.confirmed().await);
    world.inventory.script("sell", [Fault::StuckBefore]);
    let selling = world.booked().await;
    world.service.pay(selling).await.unwrap();
    world.inventory.called("sell", 2).await;

    let told = EventCancelled { event_id: world.event };
    for _ in 0..2 {
        world.service.tell(EVENT_CANCELLED, world.event.to_string(), &told).await.unwrap();
    }
    assert_eq!(world.settled(pending).await.status, BookingStatus::Cancelled);
    assert!(world.inventory.is_released(pending));

    // The one that stood at its pivot is sold after all, and never shows CONFIRMED.
    world.crash().await;
    assert_eq!(world.settled(selling).await.status, BookingStatus::Cancelled);
    for id in [confirmed, selling] {
        world.service.refund_when_asked(id).await;
        world.service.until_told(id, BOOKING_CANCELLED).await;
        assert!(world.inventory.is_reopened(id));
        assert!(world.service.tickets(world.user, id).await.is_empty());
    }
    let told = world.service.told(confirmed).await;
    assert_eq!(told, [BOOKING_CONFIRMED, REFUND_REQUESTED, BOOKING_CANCELLED]);
    assert_eq!(world.service.told(selling).await, [REFUND_REQUESTED, BOOKING_CANCELLED]);
    assert_eq!(world.service.published(selling).await[2].data["wasConfirmed"], false);

    let hold = world.hold();
    let late = world.service.book(world.user, hold, "late").await;
    assert_eq!(late.problem(), (409, "sales-closed"));
    assert_eq!(world.inventory.calls("release"), 2, "the seats of the late one are let go");
}

#[tokio::test]
async fn more_bookings_than_a_batch_are_cancelled_with_their_event() {
    let mut world = World::new().await;
    world.crash_into(false).await;
    let mut ids = Vec::new();
    for _ in 0..130 {
        ids.push(world.booked().await);
    }
    let told = EventCancelled { event_id: world.event };
    world.service.tell(EVENT_CANCELLED, world.event.to_string(), &told).await.unwrap();
    world.crash().await;
    for id in ids {
        assert_eq!(world.settled(id).await.status, BookingStatus::Cancelled);
    }
}
