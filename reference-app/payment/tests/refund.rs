//! A voided payment is forbidden or given back, exactly once, whenever the word for it comes.

mod support;

use contract::events::{
    PAYMENT_FAILED, PAYMENT_REFUNDED, PAYMENT_SUCCEEDED, REFUND_REQUESTED, RefundRequested,
};
use support::{Ledger, World};

const REFUNDED: Ledger = Ledger { succeeded: 1, failed: 0, refunds: 1 };
const NOTHING: Ledger = Ledger { succeeded: 0, failed: 0, refunds: 0 };

#[tokio::test]
async fn voided_before_the_order_nothing_is_charged() {
    let world = World::new().await;
    let order = world.ordered(10_000, "pm_ok");
    world.void(order.booking_id).await;
    world.order(&order).await;
    world.void(order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_FAILED]);
    assert_eq!((world.wire.sent(), world.ledger().await), (0, NOTHING));
    assert_eq!(world.status(&order).await, "FAILED");
}

#[tokio::test]
async fn voided_in_flight_the_money_goes_back_once_it_has_landed() {
    let world = World::new().await;
    world.wire.hold_answers();
    let order = world.order_by("pm_ok").await;
    world.eventually("a charge", async || (world.wire.held() == 1).then_some(())).await;
    for _ in 0..5 {
        world.void(order.booking_id).await;
    }
    world.wire.let_answers_through();
    world.hears(PAYMENT_REFUNDED, order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_SUCCEEDED, PAYMENT_REFUNDED]);
    assert_eq!(world.ledger().await, REFUNDED);
    assert_eq!(world.status(&order).await, "REFUNDED");
}

#[tokio::test]
async fn voided_while_its_charge_is_in_doubt_nothing_is_sent_again() {
    let world = World::new().await;
    world.wire.swallow_charges();
    let order = world.order_by("pm_ok").await;
    world.eventually("a lost charge", async || (world.wire.sent() > 0).then_some(())).await;
    world.void(order.booking_id).await;
    let sent = world.wire.sent();
    world.hears(PAYMENT_FAILED, order.booking_id).await;
    assert!(world.wire.sent() <= sent + 1, "but for one on its way, none is sent");
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_FAILED]);
    assert_eq!(world.ledger().await, NOTHING);
}

#[tokio::test]
async fn voided_between_a_crash_and_the_next_start_the_charge_is_found_and_given_back() {
    let mut world = World::new().await;
    world.wire.hold_answers();
    let order = world.order_by("pm_ok").await;
    world.eventually("a charge", async || (world.wire.held() == 1).then_some(())).await;
    world.void(order.booking_id).await;
    world.crash().await;
    world.wire.let_answers_through();
    world.start().await;
    world.hears(PAYMENT_REFUNDED, order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_SUCCEEDED, PAYMENT_REFUNDED]);
    assert_eq!(world.ledger().await, REFUNDED);
    assert_eq!(world.wire.sent(), 1, "a voided payment is looked up, not charged again");
}

#[tokio::test]
async fn voided_after_the_charge_five_times_the_money_goes_back_once() {
    let world = World::new().await;
    let order = world.order_by("pm_ok").await;
    world.hears(PAYMENT_SUCCEEDED, order.booking_id).await;
    let request = RefundRequested { booking_id: order.booking_id, reason: "given up".to_owned() };
    let message = world.message(REFUND_REQUESTED, order.booking_id, &request);
    for _ in 0..5 {
        world.deliver(&message).await;
        world.void(order.booking_id).await;
    }
    world.hears(PAYMENT_REFUNDED, order.booking_id).await;
    world.void(order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_SUCCEEDED, PAYMENT_REFUNDED]);
    assert_eq!(world.ledger().await, REFUNDED);
    let sequences: Vec<u64> = world.told_of(order.booking_id).iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2]);
}

#[tokio::test]
async fn a_refund_that_a_crash_interrupted_is_made_once() {
    let mut world = World::new().await;
    let order = world.order_by("pm_ok").await;
    world.hears(PAYMENT_SUCCEEDED, order.booking_id).await;
    world.void(order.booking_id).await;
    world.crash().await;
    world.start().await;
    world.hears(PAYMENT_REFUNDED, order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_SUCCEEDED, PAYMENT_REFUNDED]);
    assert_eq!(world.ledger().await, REFUNDED);
}

#[tokio::test]
async fn a_free_booking_is_refunded_by_saying_so() {
    let world = World::new().await;
    let order = world.ordered(0, "pm_ok");
    world.order(&order).await;
    world.hears(PAYMENT_SUCCEEDED, order.booking_id).await;
    world.void(order.booking_id).await;
    world.hears(PAYMENT_REFUNDED, order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_SUCCEEDED, PAYMENT_REFUNDED]);
    assert_eq!(world.ledger().await, NOTHING);
}

#[tokio::test]
async fn a_declined_payment_has_nothing_to_give_back() {
    let world = World::new().await;
    let order = world.order_by("pm_declined").await;
    world.hears(PAYMENT_FAILED, order.booking_id).await;
    world.void(order.booking_id).await;
    assert_eq!(world.at_rest(order.booking_id).await, [PAYMENT_FAILED]);
    assert_eq!(world.ledger().await.refunds, 0);
}
