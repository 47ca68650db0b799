//! From a hold to a sale, and back.

use super::*;

#[tokio::test]
async fn a_hold_is_paid_and_sold() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1", "A2"]).await;
    let booking = ticketblitz_core::BookingId::new().to_string();
    let (status, paying) = rig.begin(&booking, &hold, user).await;
    assert_eq!((status, &paying["amount"], &paying["currency"]), (200, &json!(10_000), &json!("INR")));
    assert_eq!(paying["deadline"], json!(rig.now() + Duration::from_secs(600)));
    assert_eq!(rig.state(event, "A1").await, "PAYING");
    assert_eq!(rig.sell(&booking).await, "SOLD");
    assert_eq!(rig.sell(&booking).await, "SOLD");
    assert_eq!(rig.state(event, "A1").await, "SOLD");
    let answer = rig.hold(UserId::new(), event, &["A1"]).await;
    assert_eq!(answer.1["seats"], json!([{"seatId": "A1", "state": "SOLD", "retryAfterSeconds": null}]));
}

#[tokio::test]
async fn a_hold_in_payment_is_neither_released_nor_extended() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    rig.paying(&hold, user).await;
    let path = format!("/api/inventory/holds/{hold}");
    let extend = rig.as_user(user, "POST", &format!("{path}/extend"), &json!({"seconds": 60})).await;
    assert_eq!(kind(&extend), refused(409, "hold-in-payment"));
    assert_eq!(
        kind(&rig.as_user(user, "DELETE", &path, &Value::Null).await),
        refused(409, "hold-in-payment")
    );
    let (stranger, get) = (UserId::new(), "GET");
    assert_eq!(rig.as_user(stranger, "DELETE", &path, &Value::Null).await.0, 404);
    assert_eq!(rig.as_user(user, get, &path, &Value::Null).await.0, 200);
    rig.clock.advance(Duration::from_secs(630));
    assert_eq!(rig.state(event, "A1").await, "PAYING", "it cannot lapse while it may be charged");
}

#[tokio::test]
async fn the_first_booking_of_a_hold_is_answered_to_the_second() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let first = rig.paying(&hold, user).await;
    rig.clock.advance(Duration::from_secs(5));
    let (status, second) = rig.begin(&ticketblitz_core::BookingId::new().to_string(), &hold, user).await;
    assert_eq!((status, text(&second, "bookingId")), (200, first));
    assert_eq!(second["deadline"], json!(rig.now() + Duration::from_secs(595)));
    let foreign = rig.begin(&ticketblitz_core::BookingId::new().to_string(), &hold, UserId::new()).await;
    assert_eq!(kind(&foreign), refused(409, "hold-not-live"));
}

#[tokio::test]
async fn a_hold_that_is_unknown_lapsed_or_somebody_else_s_is_not_paid() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let booking = ticketblitz_core::BookingId::new().to_string();
    assert_eq!(kind(&rig.begin(&booking, &hold, UserId::new()).await), refused(409, "hold-not-live"));
    assert_eq!(kind(&rig.begin(&booking, &booking, user).await), refused(409, "hold-not-live"));
    rig.clock.advance(Duration::from_secs(600));
    assert_eq!(kind(&rig.begin(&booking, &hold, user).await), refused(409, "hold-not-live"));
}

#[tokio::test]
async fn a_released_payment_frees_its_places_for_good() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let booking = rig.paying(&hold, user).await;
    for _ in 0..2 {
        assert_eq!(rig.booking(&booking, "release").await.0, 204);
    }
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
    assert_eq!(rig.sell(&booking).await, "REFUSED");
    assert_eq!(kind(&rig.begin(&booking, &hold, user).await), refused(409, "hold-not-live"));
    rig.held(UserId::new(), event, &["A1"]).await;
    let unknown = ticketblitz_core::BookingId::new().to_string();
    assert_eq!(rig.booking(&unknown, "release").await.0, 204);
    assert_eq!(rig.booking(&unknown, "reopen").await.0, 204);
    assert_eq!(rig.sell(&unknown).await, "REFUSED");
}

#[tokio::test]
async fn a_payment_released_before_it_began_does_not_keep_the_hold_either() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let booking = ticketblitz_core::BookingId::new().to_string();
    assert_eq!(rig.booking(&booking, "release").await.0, 204);
    assert_eq!(kind(&rig.begin(&booking, &hold, user).await), refused(409, "hold-not-live"));
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
}

#[tokio::test]
async fn a_refunded_seat_is_sold_again() {
    let rig = Rig::new().await;
    let (event, user, next) = (rig.seated().await, UserId::new(), UserId::new());
    let booking = rig.paying(&rig.held(user, event, &["A1"]).await, user).await;
    rig.sell(&booking).await;
    for _ in 0..2 {
        assert_eq!(rig.booking(&booking, "reopen").await.0, 204);
    }
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
    let second = rig.paying(&rig.held(next, event, &["A1"]).await, next).await;
    assert_eq!(rig.sell(&second).await, "SOLD");
    assert_eq!(rig.booking(&booking, "reopen").await.0, 204);
    assert_eq!(rig.state(event, "A1").await, "SOLD", "a late repeat takes nothing from the next buyer");
}

#[tokio::test]
async fn a_payment_that_lapsed_is_free_for_all_and_still_sold_if_nobody_came() {
    let rig = Rig::new().await;
    let (event, user, rival) = (rig.seated().await, UserId::new(), UserId::new());
    let lucky = rig.paying(&rig.held(user, event, &["A1"]).await, user).await;
    let unlucky = rig.paying(&rig.held(user, event, &["A2"]).await, user).await;
    rig.clock.advance(Duration::from_secs(660));
    rig.desk.sweep().await.expect("swept");
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
    let taken = rig.paying(&rig.held(rival, event, &["A2"]).await, rival).await;
    assert_eq!(rig.sell(&lucky).await, "SOLD");
    assert_eq!(rig.state(event, "A1").await, "SOLD");
    assert_eq!(rig.sell(&unlucky).await, "REFUSED");
    assert_eq!(rig.state(event, "A2").await, "PAYING", "the refusal left the rival alone");
    assert_eq!(rig.sell(&taken).await, "SOLD");
}

#[tokio::test]
async fn a_customer_s_limit_is_checked_again_at_payment() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let first = rig.paying(&rig.held(user, event, &["A1", "A2", "A3"]).await, user).await;
    rig.sell(&first).await;
    // A lock that lost its memory, and was loaded by somebody who knew nothing, lets the limit pass.
    rig.locks.unload(event).await.expect("forgotten");
    rig.locks.load(&ticketblitz_lock::EventSnapshot::new(event)).await.expect("loaded");
    let hold = rig.held(user, event, &["B1", "B2"]).await;
    let over = rig.begin(&ticketblitz_core::BookingId::new().to_string(), &hold, user).await;
    assert_eq!(kind(&over), refused(422, "customer-limit-exceeded"));
}

#[tokio::test]
async fn a_seat_that_the_lock_forgot_is_not_sold_twice() {
    let rig = Rig::new().await;
    let (event, user, rival) = (rig.seated().await, UserId::new(), UserId::new());
    let booking = rig.paying(&rig.held(user, event, &["A1"]).await, user).await;
    rig.locks.unload(event).await.expect("forgotten");
    rig.locks.load(&ticketblitz_lock::EventSnapshot::new(event)).await.expect("loaded");
    let hold = rig.held(rival, event, &["A1"]).await;
    let answer = rig.begin(&ticketblitz_core::BookingId::new().to_string(), &hold, rival).await;
    assert_eq!(kind(&answer), refused(409, "hold-not-live"));
    assert_eq!(rig.state(event, "A1").await, "PAYING", "the lock has learnt who has it");
    assert_eq!(rig.sell(&booking).await, "SOLD");
    assert_eq!(rig.state(event, "A1").await, "SOLD");
}

#[tokio::test]
async fn two_bookings_of_one_hold_at_once_are_one_payment() {
    let rig = Arc::new(Rig::new().await);
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let voided = ticketblitz_core::BookingId::new().to_string();
    rig.booking(&voided, "release").await;
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (rig, hold) = (Arc::clone(&rig), hold.clone());
            let booking =
                if n % 5 == 0 { voided.clone() } else { ticketblitz_core::BookingId::new().to_string() };
            tokio::spawn(async move { rig.begin(&booking, &hold, user).await })
        })
        .collect();
    let mut bookings = std::collections::BTreeSet::new();
    for task in tasks {
        let (status, body) = task.await.expect("no panic");
        if status == 200 {
            bookings.insert(text(&body, "bookingId"));
        }
    }
    // The voided booking may have come first and taken the hold with it; two bookings never share it.
    assert!(bookings.len() <= 1, "{bookings:?}");
    let expected = if bookings.is_empty() { "AVAILABLE" } else { "PAYING" };
    assert_eq!(rig.state(event, "A1").await, expected);
}

#[tokio::test]
async fn with_the_clock_set_back_a_payment_is_sold_and_lapses_no_earlier() {
    let rig = Rig::new().await;
    let (event, user, hour) = (rig.seated().await, UserId::new(), Duration::from_secs(3_600));
    let sold = rig.held(user, event, &["A1"]).await;
    let sold = rig.paying(&sold, user).await;
    let unpaid = rig.held(user, event, &["A2"]).await;
    rig.paying(&unpaid, user).await;
    let until = rig.now() + Duration::from_secs(660);
    rig.clock.set(rig.now() - hour);
    assert_eq!(rig.sell(&sold).await, "SOLD");
    for seat in ["A1", "A2"] {
        assert_eq!(rig.hold(UserId::new(), event, &[seat]).await.0, 409, "{seat}");
    }
    // What is begun meanwhile is of the clock as it is now, and in nobody's way.
    let other = rig.held(UserId::new(), event, &["A3"]).await;
    assert_ne!(other, unpaid);
    rig.clock.set(until - Duration::from_micros(1));
    rig.desk.sweep().await.expect("swept");
    assert_eq!(rig.state(event, "A2").await, "PAYING");
    rig.clock.set(until);
    rig.desk.sweep().await.expect("swept");
    assert_eq!(
        (rig.state(event, "A1").await.as_str(), rig.state(event, "A2").await.as_str()),
        ("SOLD", "AVAILABLE")
    );
}
