//! A booking is charged once, or not at all, whatever happens on the way to the provider.

mod support;

use std::time::Duration;
use ticketblitz_core::sqlite;

use contract::events::{
    BOOKING_CREATED, BookingCreated, PAYMENT_FAILED, PAYMENT_SUCCEEDED, PaymentFailed, PaymentSucceeded,
};
use platform::Transport;
use support::{Ledger, PROVIDER_TIMEOUT, TIME_TO_PAY, World};
use ticketblitz_core::Clock;

const ONE_CHARGE: Ledger = Ledger { succeeded: 1, failed: 0, refunds: 0 };
const NO_CHARGE: Ledger = Ledger { succeeded: 0, failed: 0, refunds: 0 };

async fn charged_once(world: &World, order: &BookingCreated) {
    let event = world.hears(PAYMENT_SUCCEEDED, order.booking_id).await;
    let told: PaymentSucceeded = serde_json::from_value(event.data).expect("readable");
    assert_eq!((told.amount, told.currency), (order.amount, order.currency));
    assert!(told.provider_charge_id.is_some());
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_SUCCEEDED]);
    assert_eq!(world.ledger().await, ONE_CHARGE);
    assert_eq!(world.status(order).await, "SUCCEEDED");
}

async fn fails(world: &World, order: &BookingCreated, reason: &str) {
    let event = world.hears(PAYMENT_FAILED, order.booking_id).await;
    let told: PaymentFailed = serde_json::from_value(event.data).expect("readable");
    assert!(told.reason.contains(reason), "{}", told.reason);
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_FAILED]);
    assert_eq!(world.status(order).await, "FAILED");
}

#[tokio::test]
async fn an_order_is_charged_and_told() {
    let world = World::new().await;
    let order = world.order_by("pm_ok").await;
    charged_once(&world, &order).await;
}

#[tokio::test]
async fn an_order_told_five_times_is_charged_once() {
    let world = World::new().await;
    let order = world.ordered(10_000, "pm_ok");
    let message = world.message(BOOKING_CREATED, order.booking_id, &order);
    for _ in 0..5 {
        world.deliver(&message).await;
    }
    for _ in 0..5 {
        world.order(&order).await; // under another message's id
    }
    charged_once(&world, &order).await;
    assert_eq!(world.wire.sent(), 1);
}

#[tokio::test]
async fn a_lost_reply_is_looked_up_not_guessed() {
    for method in ["pm_lost_reply_charged", "pm_lost_reply_not_charged"] {
        let world = World::new().await;
        let order = world.order_by(method).await;
        charged_once(&world, &order).await;
    }
}

#[tokio::test]
async fn a_reply_that_is_not_waited_for_is_looked_up() {
    let world = World::new().await;
    let order = world.order_by("pm_slow").await;
    charged_once(&world, &order).await;
}

#[tokio::test]
async fn a_declined_card_fails_the_payment() {
    let world = World::new().await;
    let order = world.order_by("pm_declined").await;
    fails(&world, &order, "declined").await;
    assert_eq!(world.ledger().await, Ledger { failed: 1, ..NO_CHARGE });
}

#[tokio::test]
async fn a_decline_whose_reply_was_lost_fails_the_payment() {
    let world = World::new().await;
    world.wire.hold_answers();
    let order = world.order_by("pm_declined").await;
    fails(&world, &order, "declined").await;
    assert_eq!(world.ledger().await, Ledger { failed: 1, ..NO_CHARGE });
}

#[tokio::test]
async fn a_request_that_the_provider_refuses_fails_the_payment() {
    let world = World::new().await;
    let order = world.order_by("pm_nobody_knows").await;
    fails(&world, &order, "refused").await;
    assert_eq!(world.ledger().await, NO_CHARGE);
}

#[tokio::test]
async fn no_charge_starts_after_the_deadline() {
    let world = World::new().await;
    let order = world.ordered(10_000, "pm_ok");
    world.past(order.expires_at);
    world.order(&order).await;
    fails(&world, &order, "deadline").await;
    assert_eq!((world.wire.sent(), world.ledger().await), (0, NO_CHARGE));
}

#[tokio::test]
async fn a_charge_in_doubt_is_given_up_only_when_it_can_no_longer_land() {
    let world = World::new().await;
    world.wire.swallow_charges();
    let order = world.order_by("pm_ok").await;
    world.eventually("UNKNOWN", async || (world.status(&order).await == "UNKNOWN").then_some(())).await;
    let sent = world.wire.sent();
    world
        .eventually("another try under the same key", async || (world.wire.sent() > sent).then_some(()))
        .await;
    // The last one is sent just before the deadline, however slow the machine is: none is under way when the clock
    // is set, and it stands still until the next one is sent.
    world
        .meanwhile("a pause", async || {
            let resting: i64 = sqlite::query_scalar("SELECT count(*) FROM saga_instance WHERE wake_at > $1")
                .bind(world.clock.now())
                .fetch_one(world.running().db.readers())
                .await
                .expect("counts");
            (resting == 1).then_some(())
        })
        .await;
    let last = order.expires_at - Duration::from_millis(100);
    let sent = world.wire.sent();
    world.clock.set(last);
    world.meanwhile("the last try", async || (world.wire.sent() > sent).then_some(())).await;
    fails(&world, &order, "").await;
    let settled = last + PROVIDER_TIMEOUT + Duration::from_secs(5);
    assert!(world.clock.now() >= settled, "given up at {}, while it could land", world.clock.now());
    assert_eq!(world.ledger().await, NO_CHARGE);
}

#[tokio::test]
async fn a_free_booking_is_paid_without_the_provider() {
    let world = World::new().await;
    let order = world.ordered(0, "pm_ok");
    world.order(&order).await;
    let event = world.hears(PAYMENT_SUCCEEDED, order.booking_id).await;
    let told: PaymentSucceeded = serde_json::from_value(event.data).expect("readable");
    assert_eq!(told.provider_charge_id, None);
    assert_eq!((world.wire.sent(), world.ledger().await), (0, NO_CHARGE));
}

#[tokio::test]
async fn a_provider_that_is_away_is_tried_again() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let transport =
        Transport::http(&format!("http://{address}"), Duration::from_secs(5)).expect("an address");
    let world = World::over(transport).await;
    let order = world.order_by("pm_ok").await;
    world
        .eventually("a failed try", async || {
            let failed: Option<i64> =
                sqlite::query_scalar("SELECT failures FROM saga_instance WHERE failures > 0 AND doubt = 0")
                    .fetch_optional(world.running().db.readers())
                    .await
                    .expect("reads");
            failed
        })
        .await;
    assert_eq!(world.status(&order).await, "PENDING", "what was never sent is not in doubt");
    let listener = tokio::net::TcpListener::bind(address).await.expect("the port is free");
    let provider = world.provider();
    tokio::spawn(async move { axum::serve(listener, provider).await });
    charged_once(&world, &order).await;
}

#[tokio::test]
async fn a_charge_made_before_a_crash_is_found_after_the_deadline() {
    let mut world = World::new().await;
    world.wire.hold_answers();
    let order = world.order_by("pm_ok").await;
    world.eventually("a charge", async || (world.wire.held() == 1).then_some(())).await;
    world.crash().await;
    world.clock.advance(TIME_TO_PAY * 2);
    world.wire.let_answers_through();
    world.start().await;
    charged_once(&world, &order).await;
    assert_eq!(world.wire.sent(), 1, "the deadline forbids a second try");
}

#[tokio::test]
async fn a_crash_before_the_deadline_charges_again_under_the_same_key() {
    let mut world = World::new().await;
    world.wire.hold_answers();
    let order = world.order_by("pm_ok").await;
    world.eventually("a charge", async || (world.wire.held() == 1).then_some(())).await;
    world.crash().await;
    world.wire.let_answers_through();
    world.start().await;
    charged_once(&world, &order).await;
    assert_eq!(world.wire.sent(), 2);
}
