//! The process dies at every point where it has begun something, and the next one finishes it once.

use contract::booking::BookingStatus;
use contract::events::{BOOKING_CANCELLED, BOOKING_CONFIRMED, BOOKING_FAILED, REFUND_REQUESTED};

use crate::fake::Fault;
use crate::world::World;

#[tokio::test]
async fn before_and_after_the_payment_is_taken() {
    let mut world = World::new().await;
    world.crash_into(false).await;
    let id = world.booked().await;
    world.crash_into(false).await;
    world.service.pay(id).await.unwrap();
    world.crash().await;
    // The bus delivers again what it does not know to be handled.
    world.service.pay(id).await.unwrap();
    assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed);
    assert_eq!(world.service.told(id).await, [BOOKING_CONFIRMED]);
    world.crash().await;
    assert_eq!(world.service.tickets(world.user, id).await.len(), 2);
}

#[tokio::test]
async fn while_the_seats_are_being_sold() {
    for fault in [Fault::StuckBefore, Fault::StuckAfter] {
        let mut world = World::new().await;
        world.inventory.script("sell", [fault]);
        let id = world.booked().await;
        world.service.pay(id).await.unwrap();
        world.inventory.called("sell", 1).await;
        world.crash().await;
        assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed, "{fault:?}");
        assert_eq!(world.service.told(id).await, [BOOKING_CONFIRMED]);
    }
}

#[tokio::test]
async fn while_the_seats_are_being_released() {
    for fault in [Fault::StuckBefore, Fault::StuckAfter] {
        let mut world = World::new().await;
        world.inventory.script("sell", [Fault::Refused]);
        world.inventory.script("release", [fault]);
        let id = world.booked().await;
        world.service.pay(id).await.unwrap();
        world.inventory.called("release", 1).await;
        let seen = world.service.get(world.user, &format!("/api/bookings/{id}")).await.booking();
        assert_eq!(seen.status, BookingStatus::Pending, "it does not show before its seats are free");
        world.crash().await;
        assert_eq!(world.settled(id).await.status, BookingStatus::Failed, "{fault:?}");
        assert!(world.inventory.is_released(id));
        assert_eq!(world.service.told(id).await, [REFUND_REQUESTED, BOOKING_FAILED]);
    }
}

#[tokio::test]
async fn in_the_middle_of_a_cancellation() {
    for fault in [Fault::StuckBefore, Fault::StuckAfter] {
        let mut world = World::new().await;
        world.inventory.script("reopen", [fault]);
        let id = world.confirmed().await;
        let service = world.service.clone();
        let user = world.user;
        let cancelling = tokio::spawn(async move { service.cancel(user, id).await });
        world.service.until_told(id, REFUND_REQUESTED).await;
        world.crash().await;
        world.service.refund(id).await.unwrap();
        world.inventory.called("reopen", 1).await;
        world.crash().await;
        world.service.refund(id).await.unwrap();
        world.service.until_told(id, BOOKING_CANCELLED).await;
        let told = world.service.told(id).await;
        assert_eq!(told, [BOOKING_CONFIRMED, REFUND_REQUESTED, BOOKING_CANCELLED], "{fault:?}");
        cancelling.abort();
    }
}

#[tokio::test]
async fn after_inventory_took_the_hold_and_before_the_booking_was_made() {
    let mut world = World::new().await;
    let hold = world.hold();
    world.inventory.script("begin", [Fault::StuckAfter]);
    let (service, user) = (world.service.clone(), world.user);
    let dying = tokio::spawn(async move { service.book(user, hold, "key").await });
    world.inventory.called("begin", 1).await;
    world.crash().await;
    // The lease of the dead request does not keep the retry waiting, and the retry takes its place.
    let answer = world.service.book(world.user, hold, "key").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    dying.abort();
    let id = answer.booking().id;
    assert_eq!(world.inventory.calls("begin"), 2);
    world.service.pay(id).await.unwrap();
    assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed);
    assert!(world.inventory.is_sold(id), "under the id that Inventory knows");
}

#[tokio::test]
async fn a_lost_reply_of_inventory_frees_the_key_for_the_retry() {
    let world = World::new().await;
    let hold = world.hold();
    world.inventory.script("begin", [Fault::LostReply]);
    let lost = world.service.book(world.user, hold, "key").await;
    assert_eq!(lost.problem(), (503, "dependency-unavailable"));
    assert!(lost.headers.contains_key("retry-after"));
    // Even under another key: the orphan is adopted.
    let answer = world.service.book(world.user, hold, "another").await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let late = world.service.book(world.user, hold, "key").await;
    assert_eq!(late.problem(), (409, "booking-exists"));
}
