//! What a crash leaves behind.

use ticketblitz_lock::{HoldId, HoldRef, LockError, Owner};

use super::*;

#[tokio::test]
async fn what_was_sold_or_in_payment_shows_at_once_and_holds_are_lost() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let sold = rig.paying(&rig.held(user, event, &["A1"]).await, user).await;
    rig.sell(&sold).await;
    let paying_hold = rig.held(user, event, &["A2"]).await;
    let paying = rig.paying(&paying_hold, user).await;
    let held = rig.held(user, event, &["A3"]).await;
    let rig = rig.restarted().await;
    assert_eq!(rig.state(event, "A1").await, "SOLD");
    assert_eq!(rig.state(event, "A2").await, "PAYING");
    assert_eq!(rig.state(event, "A3").await, "AVAILABLE");
    let path = |hold: &str| format!("/api/inventory/holds/{hold}");
    assert_eq!(rig.as_user(user, "GET", &path(&held), &Value::Null).await.0, 404);
    let release = rig.as_user(user, "DELETE", &path(&paying_hold), &Value::Null).await;
    assert_eq!(kind(&release), refused(409, "hold-in-payment"));
    let again = rig.hold(UserId::new(), event, &["A1", "A2"]).await;
    assert_eq!(kind(&again), refused(409, "seats-unavailable"));
    assert_eq!(rig.sell(&paying).await, "SOLD");
    assert_eq!(rig.state(event, "A2").await, "SOLD");
}

#[tokio::test]
async fn fences_rise_across_a_restart_even_if_the_clock_goes_back() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let (_, first) = rig.hold(user, event, &["A1"]).await;
    let booking = rig.paying(&text(&first, "holdId"), user).await;
    rig.booking(&booking, "release").await;
    rig.clock.set("2026-05-31T10:00:00Z".parse().expect("a moment"));
    let rig = rig.restarted().await;
    let (_, second) = rig.hold(user, event, &["A1"]).await;
    assert!(second["fence"].as_u64() > first["fence"].as_u64());
    rig.paying(&text(&second, "holdId"), user).await;
}

#[tokio::test]
async fn a_crash_after_the_lock_and_before_the_store_leaves_a_payment_that_ends() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let reference = HoldRef { event, hold: hold.parse::<HoldId>().expect("an id") };
    let grace = Duration::from_secs(660);
    rig.locks.begin_commit(reference, &Owner::from(user), grace).await.expect("in payment");
    // The booking asks again and goes on from there.
    let booking = rig.paying(&hold, user).await;
    assert_eq!(rig.sell(&booking).await, "SOLD");
}

#[tokio::test]
async fn a_hold_in_payment_that_no_store_noted_can_be_given_back() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let reference = HoldRef { event, hold: hold.parse::<HoldId>().expect("an id") };
    let grace = Duration::from_secs(660);
    rig.locks.begin_commit(reference, &Owner::from(user), grace).await.expect("in payment");
    let path = format!("/api/inventory/holds/{hold}");
    assert_eq!(rig.as_user(UserId::new(), "DELETE", &path, &Value::Null).await.0, 404);
    assert_eq!(rig.state(event, "A1").await, "PAYING");
    assert_eq!(rig.as_user(user, "DELETE", &path, &Value::Null).await.0, 204);
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
    assert_eq!(rig.hold(UserId::new(), event, &["A1"]).await.0, 201);
}

#[tokio::test]
async fn a_crash_after_the_store_and_before_the_lock_is_made_up_at_the_next_start() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let booking = rig.paying(&rig.held(user, event, &["A1"]).await, user).await;
    rig.desk.store.sell(booking.parse().expect("an id"), rig.now()).await.expect("sold");
    assert_eq!(rig.state(event, "A1").await, "PAYING", "the lock was not told");
    rig.desk.refresh().await.expect("caught up");
    assert_eq!(rig.state(event, "A1").await, "SOLD");
}

#[tokio::test]
async fn a_hold_that_the_lock_believes_held_but_is_paid_stays() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let (_, hold) = rig.hold(user, event, &["A1"]).await;
    let reference = HoldRef { event, hold: text(&hold, "holdId").parse::<HoldId>().expect("an id") };
    let now = rig.now();
    // As after a failover to an older copy of the lock.
    let begin = crate::store::Begin {
        booking: ticketblitz_core::BookingId::new(),
        owner: user,
        hold: reference,
        want: rig.locks.get(reference).await.expect("live").want,
        fence: rig.locks.get(reference).await.expect("live").fence,
        deadline: now + Duration::from_secs(600),
        until: now + Duration::from_secs(660),
        now,
    };
    rig.desk.store.begin_payment(begin).await.expect("in payment");
    let path = format!("/api/inventory/holds/{}", reference.hold);
    assert_eq!(
        kind(&rig.as_user(user, "DELETE", &path, &Value::Null).await),
        refused(409, "hold-in-payment")
    );
    let extend = rig.as_user(user, "POST", &format!("{path}/extend"), &json!({"seconds": 60})).await;
    assert_eq!(kind(&extend), refused(409, "hold-in-payment"));
}

#[tokio::test]
async fn a_crowd_after_a_restart_loads_the_event_and_one_of_them_wins() {
    let rig = Rig::new().await;
    let event = rig.seated().await;
    let rig = Arc::new(rig.restarted().await);
    assert!(matches!(rig.locks.status(event).await, Err(LockError::NotLoaded)));
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.hold(UserId::new(), event, &["A1"]).await.0 })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.expect("no panic") == 201);
    }
    assert_eq!(winners, 1);
}
