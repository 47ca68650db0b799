//! Payment, deadline and cancellation at the same moment: one of them wins, and money and seats agree.
#![allow(clippy::print_stdout)] // the figures of a soak

use std::sync::Arc;
use std::time::Duration;

use contract::booking::BookingStatus;
use contract::events::{BOOKING_CANCELLED, BOOKING_CONFIRMED, REFUND_REQUESTED};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use ticketblitz_core::{BookingId, Clock, ManualClock, SystemClock};

use crate::soak::{chance, size};
use crate::world::{DEADLINE, World};

/// When a contender starts. The engine looks at the clock every 20 ms, so the deadline comes that much later.
fn start(chance: &mut StdRng, latest: Duration) -> Duration {
    latest.mul_f64(chance.random())
}

const LATE: Duration = Duration::from_millis(60);
const EARLY: Duration = Duration::from_millis(10);

async fn assert_consistent(world: &World, id: BookingId) {
    let booking = world.settled(id).await;
    let told = world.service.told(id).await;
    let refunds = told.iter().filter(|kind| *kind == REFUND_REQUESTED).count();
    if booking.status == BookingStatus::Confirmed {
        assert_eq!(
            (told.as_slice(), world.inventory.is_sold(id)),
            (&[BOOKING_CONFIRMED.to_owned()][..], true)
        );
        return;
    }
    assert_eq!(refunds, 1, "{:?} {told:?}", booking.status);
    if booking.confirmed_at.is_some() {
        assert!(world.inventory.is_sold(id));
        assert_eq!(booking.status, BookingStatus::Cancelled);
    } else {
        assert!(world.inventory.is_released(id) && !world.inventory.is_sold(id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payment_deadline_and_cancellation_have_one_winner() {
    let clock = ManualClock::at(SystemClock.now());
    let world = World::at(Arc::new(clock.clone())).await;
    let mut chance = chance("payment, deadline and cancellation");
    world.inventory.take_time(StdRng::from_rng(&mut chance));
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for round in 0..size(60, 1_000) {
        let id = world.booked().await;
        let (service, user, at) = (world.service.clone(), world.user, start(&mut chance, LATE));
        let paid = tokio::spawn(async move {
            tokio::time::sleep(at).await; // the provider answers
            service.pay(id).await
        });
        let (service, at) = (world.service.clone(), start(&mut chance, LATE));
        let cancelled = (round % 2 == 0).then(|| {
            tokio::spawn(async move {
                tokio::time::sleep(at).await; // the buyer decides
                service.cancel(user, id).await
            })
        });
        let service = world.service.clone();
        // Whoever cancels what was paid gets the money back.
        let refunds = tokio::spawn(async move { service.refund_when_asked(id).await });
        if round % 3 != 0 {
            tokio::time::sleep(start(&mut chance, EARLY)).await; // the deadline comes
            clock.advance(DEADLINE);
        }
        paid.await.unwrap().unwrap();
        if let Some(cancelled) = cancelled {
            let answer = cancelled.await.unwrap();
            assert!([200, 409].contains(&answer.status.as_u16()), "{}", answer.body);
        }
        let status = world.settled(id).await.status;
        if status == BookingStatus::Confirmed {
            refunds.abort();
        } else {
            refunds.await.unwrap();
        }
        assert_consistent(&world, id).await;
        *seen.entry(format!("{status:?}")).or_default() += 1;
    }
    println!("  {seen:?}");
    for end in ["Confirmed", "Cancelled", "Expired"] {
        assert!(seen.contains_key(end), "never {end}, which is no race: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_at_the_same_moment_refunds_once() {
    let world = World::new().await;
    world.inventory.take_time(chance("three cancellations"));
    for _ in 0..size(10, 1_000) {
        let id = world.confirmed().await;
        let (a, b, c, ()) = tokio::join!(
            world.cancel(id),
            world.cancel(id),
            world.cancel(id),
            world.service.refund_when_asked(id),
        );
        for answer in [a, b, c] {
            assert_eq!(answer.booking().status, BookingStatus::Cancelled);
        }
        let told = world.service.told(id).await;
        assert_eq!(told, [BOOKING_CONFIRMED, REFUND_REQUESTED, BOOKING_CANCELLED]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bookings_on_one_hold_are_one() {
    let world = World::new().await;
    world.inventory.take_time(chance("four bookings on one hold"));
    for _ in 0..size(20, 1_000) {
        let hold = world.hold();
        let tries = ["one", "two", "three", "four"].map(|key| {
            let (service, user) = (world.service.clone(), world.user);
            tokio::spawn(async move { service.book(user, hold, &format!("{key} {hold}")).await })
        });
        let mut made = Vec::new();
        let mut refused = Vec::new();
        for answer in tries {
            let answer = answer.await.unwrap();
            match answer.status.as_u16() {
                201 => made.push(answer.booking().id.to_string()),
                _ => {
                    assert_eq!(answer.problem(), (409, "booking-exists"));
                    refused.push(answer.body["bookingId"].as_str().unwrap().to_owned());
                }
            }
        }
        assert_eq!(made.len(), 1);
        assert_eq!(refused, vec![made[0].clone(); 3], "they name the one that was made");
        assert_eq!(world.service.published(made[0].parse().unwrap()).await.len(), 1);
    }
}
