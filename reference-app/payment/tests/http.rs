//! What customers see of their payments, and of other people's.

mod support;

use contract::PaymentId;
use contract::events::PAYMENT_SUCCEEDED;
use platform::auth::Role;
use support::World;
use ticketblitz_core::{BookingId, UserId};

#[tokio::test]
async fn a_payment_is_its_owners_and_the_administrators() {
    let world = World::new().await;
    let order = world.order_by("pm_ok").await;
    world.hears(PAYMENT_SUCCEEDED, order.booking_id).await;
    let by_booking = format!("/api/payments?bookingId={}", order.booking_id);
    let (status, list) = world.get(order.user_id, Role::User, &by_booking).await;
    assert_eq!(status, 200);
    let payment = &list["items"][0];
    assert_eq!(payment["bookingId"], order.booking_id.to_string());
    assert_eq!((&payment["amount"], &payment["currency"]), (&10_000.into(), &"INR".into()));
    assert!(payment["providerChargeId"].as_str().is_some_and(|id| id.starts_with("ch_")), "{payment}");
    assert!(list["nextCursor"].is_null());

    let by_id = format!("/api/payments/{}", payment["id"].as_str().expect("an id"));
    assert_eq!(world.get(order.user_id, Role::User, &by_id).await, (200, payment.clone()));
    assert_eq!(
        world.get(UserId::new(), Role::Admin, &by_id).await.0,
        404,
        "an administrator is somebody else"
    );

    let (status, problem) = world.get(UserId::new(), Role::User, &by_id).await;
    assert_eq!((status, &problem["type"]), (404, &"urn:ticketblitz:problem:not-found".into()));
    let (status, list) = world.get(UserId::new(), Role::Organizer, &by_booking).await;
    assert_eq!((status, list["items"].as_array().map(Vec::len)), (200, Some(0)));
}

#[tokio::test]
async fn what_is_no_id_is_the_callers_mistake() {
    let world = World::new().await;
    let user = UserId::new();
    assert_eq!(world.get(user, Role::User, "/api/payments?bookingId=x").await.0, 400);
    assert_eq!(world.get(user, Role::User, "/api/payments?cursor=x").await.0, 400);
    assert_eq!(world.get(user, Role::User, "/api/payments/x").await.0, 404);
    assert_eq!(world.get(user, Role::User, &format!("/api/payments/{}", PaymentId::new())).await.0, 404);
    let unknown = format!("/api/payments?bookingId={}", BookingId::new());
    assert_eq!(world.get(user, Role::User, &unknown).await.1["items"], serde_json::json!([]));
}

#[tokio::test]
async fn payments_come_newest_first_in_pages() {
    let world = World::new().await;
    let user = UserId::new();
    let mut made = Vec::new();
    for amount in 1..=5 {
        let order = contract::events::BookingCreated { user_id: user, ..world.ordered(amount, "pm_ok") };
        world.order(&order).await;
        made.insert(0, amount);
    }
    world.order_by("pm_ok").await; // somebody else's
    let (mut seen, mut path) = (Vec::new(), "/api/payments?limit=2".to_owned());
    loop {
        let (status, page) = world.get(user, Role::User, &path).await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|payment| payment["amount"].as_i64().expect("an amount")));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/payments?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made);
}
