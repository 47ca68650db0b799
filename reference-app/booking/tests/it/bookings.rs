//! Requests and their answers.

use axum::http::Method;
use contract::booking::BookingStatus;
use serde_json::{Value, json};
use ticketblitz_core::UserId;

use crate::world::World;

async fn post(world: &World, headers: &[(&str, &str)], body: Value) -> (u16, String, Value) {
    let answer = world.service.call(world.user, Method::POST, "/api/bookings", headers, Some(body)).await;
    let (status, kind) = answer.problem();
    (status, kind.to_owned(), answer.body)
}

#[tokio::test]
async fn a_new_booking_is_pending_at_the_price_that_inventory_says() {
    let world = World::new().await;
    let hold = world.hold();
    let answer = world.service.book(world.user, hold, "key").await;
    assert_eq!(answer.status, 201);
    let booking = answer.booking();
    assert_eq!(answer.headers["location"], format!("/api/bookings/{}", booking.id));
    assert_eq!((booking.status, booking.amount, booking.quantity), (BookingStatus::Pending, 20_000, 2));
    assert_eq!((booking.user_id, booking.hold_id, booking.event_id), (world.user, hold, world.event));
    let mut fields: Vec<_> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let mut wanted = [
        "id",
        "userId",
        "eventId",
        "holdId",
        "seatIds",
        "section",
        "quantity",
        "amount",
        "currency",
        "status",
        "failureReason",
        "createdAt",
        "expiresAt",
        "confirmedAt",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted);
    assert_eq!(world.service.published(booking.id).await[0].data["paymentMethod"], "pm_ok");
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_again() {
    let world = World::new().await;
    let hold = world.hold();
    let key = [("idempotency-key", "key")];
    let first = world.service.book(world.user, hold, "key").await;
    assert!(!first.headers.contains_key("idempotent-replayed"));
    world.service.decline(first.booking().id).await.unwrap();
    world.settled(first.booking().id).await;

    let again = world.service.book(world.user, hold, "key").await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["location"], first.headers["location"]);
    let other = post(&world, &key, json!({"holdId": hold, "paymentMethod": "pm_slow"})).await;
    assert_eq!((other.0, other.1.as_str()), (422, "idempotency-key-reused"));
    assert_eq!(world.inventory.calls("begin"), 1);

    // Another user's key of the same text is another key, and the hold is not theirs.
    let stranger = world.service.book(UserId::new(), hold, "key").await;
    assert_eq!(stranger.problem(), (409, "hold-not-live"));
}

#[tokio::test]
async fn a_wrong_request_says_what_is_wrong_with_it() {
    let world = World::new().await;
    let hold = world.hold();
    let key = [("idempotency-key", "key")];
    let (status, kind, _) = post(&world, &[], json!({"holdId": hold})).await;
    assert_eq!((status, kind.as_str()), (400, "malformed-request"), "a key is required");
    let (status, kind, body) = post(&world, &key, json!({"paymentMethod": "pm_gold"})).await;
    assert_eq!((status, kind.as_str()), (422, "validation-failed"));
    let fields: Vec<_> = body["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["holdId", "paymentMethod"]);
    let (status, kind, body) = post(&world, &key, json!({"holdId": "x"})).await;
    assert_eq!(
        (status, kind.as_str(), &body["errors"][0]["field"]),
        (422, "validation-failed", &json!("holdId"))
    );
    let (status, kind, _) = post(&world, &key, json!({"holdId": 7})).await;
    assert_eq!((status, kind.as_str()), (400, "malformed-request"));
    let (status, kind, _) = post(&world, &key, json!({"holdId": UserId::new()})).await;
    assert_eq!((status, kind.as_str()), (409, "hold-not-live"));
    let key = [("idempotency-key", "another")];
    let (status, ..) = post(&world, &key, json!({"holdId": hold, "paymentMethod": "pm_declined"})).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn somebody_elses_booking_is_not_there() {
    let world = World::new().await;
    let id = world.confirmed().await;
    let stranger = UserId::new();
    for path in
        [format!("/api/bookings/{id}"), format!("/api/bookings/{id}/tickets"), "/api/bookings/x".into()]
    {
        assert_eq!(world.service.get(stranger, &path).await.problem(), (404, "not-found"), "{path}");
    }
    assert_eq!(world.service.cancel(stranger, id).await.problem(), (404, "not-found"));
    assert_eq!(world.service.get(stranger, "/api/bookings").await.body["items"], json!([]));
    assert_eq!(world.settled(id).await.status, BookingStatus::Confirmed);
}

#[tokio::test]
async fn a_list_is_newest_first_a_page_at_a_time() {
    let world = World::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, world.booked().await.to_string());
    }
    let mut listed = Vec::new();
    let mut path = "/api/bookings?limit=2".to_owned();
    loop {
        let page = world.service.get(world.user, &path).await.body;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        listed.extend(items.iter().map(|booking| booking["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/api/bookings?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, made);
    let wrong = world.service.get(world.user, "/api/bookings?cursor=nonsense").await;
    assert_eq!(wrong.problem(), (400, "malformed-request"));
}

#[tokio::test]
async fn a_wait_ends_when_the_booking_does_or_when_it_is_over() {
    let world = World::new().await;
    let id = world.booked().await;
    let path = format!("/api/bookings/{id}");
    let wait = async |preference: &str| {
        world.service.call(world.user, Method::GET, &path, &[("prefer", preference)], None).await
    };
    let over = wait("wait=1").await;
    assert_eq!(over.booking().status, BookingStatus::Pending);
    assert_eq!(over.headers["preference-applied"], "wait=1");
    let (waited, ()) = tokio::join!(wait("respond-async, wait=99"), async {
        world.service.pay(id).await.unwrap();
    });
    assert_eq!(waited.booking().status, BookingStatus::Confirmed);
    assert_eq!(waited.headers["preference-applied"], "wait=30");
    assert!(!world.service.get(world.user, &path).await.headers.contains_key("preference-applied"));
}
