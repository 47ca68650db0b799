//! What becomes of a booking when Payment has spoken, or has not.

use std::sync::Arc;

use contract::booking::BookingStatus;
use contract::events::{BOOKING_CONFIRMED, BOOKING_FAILED, REFUND_REQUESTED};
use platform::bus::HandleError;
use ticketblitz_core::{BookingId, Clock, ManualClock, SystemClock};

use crate::fake::Fault;
use crate::world::{DEADLINE, World};

#[tokio::test]
async fn a_paid_booking_gets_its_seats_and_tickets() {
    let world = World::new().await;
    let id = world.booked().await;
    assert!(world.service.tickets(world.user, id).await.is_empty());

    world.service.pay(id).await.unwrap();
    let booking = world.settled(id).await;
    assert_eq!(booking.status, BookingStatus::Confirmed);
    assert!(booking.confirmed_at.is_some() && booking.failure_reason.is_none());
    assert!(world.inventory.is_sold(id));

    let tickets = world.service.tickets(world.user, id).await;
    let seats: Vec<_> = tickets.iter().map(|ticket| ticket["seatId"].as_str().unwrap()).collect();
    assert_eq!(seats, ["A1", "A2"]);
    assert_ne!(tickets[0]["code"], tickets[1]["code"]);
    assert!(tickets.iter().all(|ticket| ticket["code"].as_str().unwrap().len() >= 22));
    let published = world.service.published(id).await;
    assert_eq!(published.last().unwrap().kind, BOOKING_CONFIRMED);
    assert_eq!(published.last().unwrap().data["tickets"], serde_json::json!(tickets));
}

#[tokio::test]
async fn a_declined_booking_fails_with_its_seats_free_and_nothing_to_refund() {
    let world = World::new().await;
    let id = world.booked().await;
    world.service.decline(id).await.unwrap();
    let booking = world.settled(id).await;
    assert!(world.inventory.is_released(id), "free before FAILED shows");
    assert_eq!(booking.status, BookingStatus::Failed);
    assert_eq!(booking.failure_reason.as_deref(), Some("the card was declined"));
    assert_eq!(world.service.told(id).await, [BOOKING_FAILED]);
}

#[tokio::test]
async fn a_booking_that_is_not_paid_expires_and_late_money_goes_back_once() {
    let clock = ManualClock::at(SystemClock.now());
    let world = World::at(Arc::new(clock.clone())).await;
    let id = world.booked().await;
    clock.advance(DEADLINE);
    let booking = world.settled(id).await;
    assert!(world.inventory.is_released(id), "free before EXPIRED shows");
    assert_eq!(booking.status, BookingStatus::Expired);

    for _ in 0..3 {
        world.service.pay(id).await.unwrap();
    }
    world.service.refund(id).await.unwrap();
    assert_eq!(world.service.told(id).await, [REFUND_REQUESTED, BOOKING_FAILED]);
    assert_eq!(world.settled(id).await.status, BookingStatus::Expired);
    assert_eq!(world.inventory.calls("sell"), 0);
}

#[tokio::test]
async fn late_money_goes_back_also_when_the_saga_is_forgotten() {
    let clock = ManualClock::at(SystemClock.now());
    let world = World::at(Arc::new(clock.clone())).await;
    let (expired, confirmed) = (world.booked().await, world.confirmed().await);
    world.service.pay(BookingId::new()).await.expect_err("nobody knows that booking: it may come");
    clock.advance(DEADLINE);
    assert_eq!(world.settled(expired).await.status, BookingStatus::Expired);
    clock.advance(DEADLINE);
    assert_eq!(ticketblitz_saga::purge(&world.service.db, clock.now(), 10).await.unwrap(), 2);
    for _ in 0..3 {
        world.service.pay(expired).await.unwrap();
        world.service.pay(confirmed).await.unwrap();
    }
    assert_eq!(world.service.told(expired).await, [REFUND_REQUESTED, BOOKING_FAILED]);
    assert_eq!(world.service.told(confirmed).await, [BOOKING_CONFIRMED]);
}

#[tokio::test]
async fn with_the_clock_set_back_bookings_are_paid_and_expire_no_earlier() {
    let clock = ManualClock::at(SystemClock.now());
    let world = World::at(Arc::new(clock.clone())).await;
    let begun = clock.now();
    let (paid, unpaid) = (world.booked().await, world.booked().await);
    clock.set(begun - std::time::Duration::from_secs(3_600));
    let later = world.booked().await;
    assert_ne!(paid, later);
    world.service.pay(paid).await.unwrap();
    assert_eq!(world.settled(paid).await.status, BookingStatus::Confirmed);
    world.service.pay(later).await.unwrap();
    assert_eq!(world.settled(later).await.status, BookingStatus::Confirmed);
    clock.set(begun + DEADLINE - std::time::Duration::from_micros(1));
    let pending = world.service.get(world.user, &format!("/api/bookings/{unpaid}")).await.booking();
    assert_eq!(pending.status, BookingStatus::Pending);
    clock.set(begun + DEADLINE);
    assert_eq!(world.settled(unpaid).await.status, BookingStatus::Expired);
    assert_eq!(world.service.told(paid).await, [BOOKING_CONFIRMED]);
}

#[tokio::test]
async fn money_that_comes_after_a_decline_goes_back_once() {
    let world = World::new().await;
    let id = world.booked().await;
    world.service.decline(id).await.unwrap();
    world.settled(id).await;
    for _ in 0..3 {
        world.service.pay(id).await.unwrap();
    }
    assert_eq!(world.service.told(id).await, [BOOKING_FAILED, REFUND_REQUESTED]);
}

#[tokio::test]
async fn a_refused_sale_is_refunded_once_and_told() {
    let world = World::new().await;
    world.inventory.script("sell", [Fault::Unavailable, Fault::Refused]);
    let id = world.booked().await;
    world.service.pay(id).await.unwrap();
    let booking = world.settled(id).await;
    assert_eq!(booking.status, BookingStatus::Failed);
    assert!(booking.failure_reason.unwrap().contains("returned"), "the buyer is told why");
    assert!(world.inventory.is_released(id));
    world.service.pay(id).await.unwrap();
    assert_eq!(world.service.told(id).await, [REFUND_REQUESTED, BOOKING_FAILED]);
}

#[tokio::test]
async fn a_sale_is_asked_for_until_the_answer_is_definite() {
    let world = World::new().await;
    world.inventory.script("sell", [Fault::Unavailable, Fault::LostReply, Fault::Unavailable]);
    let id = world.booked().await;
    world.service.pay(id).await.unwrap();
    assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed);
    assert_eq!(world.inventory.calls("sell"), 4);
    assert_eq!(world.service.told(id).await, [BOOKING_CONFIRMED]);
}

#[tokio::test]
async fn the_same_payment_told_five_times_confirms_once() {
    let world = World::new().await;
    let id = world.booked().await;
    let service = &world.service;
    let (a, b, c) = tokio::join!(service.pay(id), service.pay(id), service.pay(id));
    assert_eq!((a, b, c), (Ok(()), Ok(()), Ok(())));
    assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed);
    service.pay(id).await.unwrap();
    service.decline(id).await.unwrap();
    assert_eq!(service.told(id).await, [BOOKING_CONFIRMED]);
    assert_eq!(service.tickets(world.user, id).await.len(), 2);
}

#[tokio::test]
async fn a_payment_of_a_booking_that_is_not_here_yet_is_delivered_again() {
    let world = World::new().await;
    let id = BookingId::new();
    assert!(matches!(world.service.pay(id).await, Err(HandleError::Retry(_))));
    assert!(matches!(world.service.pay(id).await, Err(HandleError::Retry(_))), "and was not taken as seen");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_poison() {
    let world = World::new().await;
    let told =
        world.service.tell("payment.succeeded", "x".into(), &serde_json::json!({"bookingId": 7})).await;
    assert!(matches!(told, Err(HandleError::Poison(_))), "{told:?}");
}
