//! Holds: all or nothing, and their owner's alone.

use super::*;

#[tokio::test]
async fn a_hold_is_answered_with_what_it_holds() {
    let rig = Rig::new().await;
    let event = rig.seated().await;
    let (status, hold) = rig.hold(UserId::new(), event, &["A10", "A2"]).await;
    assert_eq!(status, 201);
    assert_eq!(hold["seatIds"], json!(["A2", "A10"]));
    assert_eq!(
        (&hold["ttlSeconds"], &hold["quantity"], &hold["section"]),
        (&json!(600), &json!(2), &Value::Null)
    );
    assert_eq!(hold["expiresAt"], json!(rig.now() + Duration::from_secs(600)));
    assert_eq!(rig.state(event, "A2").await, "HELD");
    assert_eq!(rig.state(event, "A3").await, "AVAILABLE");
}

#[tokio::test]
async fn a_hold_that_lacks_one_seat_takes_none_and_names_each_blocked_one() {
    let rig = Rig::new().await;
    let event = rig.seated().await;
    rig.held(UserId::new(), event, &["A1", "A3"]).await;
    let answer = rig.hold(UserId::new(), event, &["A1", "A2", "A3"]).await;
    assert_eq!(kind(&answer), refused(409, "seats-unavailable"));
    let blocked: Vec<_> =
        answer.1["seats"].as_array().expect("seats").iter().map(|s| text(s, "seatId")).collect();
    assert_eq!(blocked, ["A1", "A3"]);
    assert_eq!(answer.1["seats"][0]["state"], "HELD");
    assert_eq!(answer.1["seats"][0]["retryAfterSeconds"], 600);
    assert_eq!(rig.state(event, "A2").await, "AVAILABLE");
}

#[tokio::test]
async fn the_caller_s_own_seats_are_unavailable_too() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    rig.held(user, event, &["A1"]).await;
    assert_eq!(kind(&rig.hold(user, event, &["A1"]).await), refused(409, "seats-unavailable"));
}

#[tokio::test]
async fn nobody_else_sees_extends_or_releases_a_hold() {
    let rig = Rig::new().await;
    let (event, owner, other) = (rig.seated().await, UserId::new(), UserId::new());
    let hold = rig.held(owner, event, &["A1"]).await;
    let path = format!("/api/inventory/holds/{hold}");
    for (method, path, body) in [
        ("GET", path.clone(), Value::Null),
        ("DELETE", path.clone(), Value::Null),
        ("POST", format!("{path}/extend"), json!({"seconds": 60})),
    ] {
        assert_eq!(
            kind(&rig.as_user(other, method, &path, &body).await),
            refused(404, "not-found"),
            "{method}"
        );
    }
    assert_eq!(rig.as_user(owner, "GET", &path, &Value::Null).await.0, 200);
    assert_eq!(rig.as_user(owner, "DELETE", &path, &Value::Null).await.0, 204);
    assert_eq!(rig.as_user(owner, "DELETE", &path, &Value::Null).await.0, 404);
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
}

#[tokio::test]
async fn unknown_events_seats_and_sections_are_refused() {
    let rig = Rig::new().await;
    let (event, area, user) = (rig.seated().await, rig.area(5).await, UserId::new());
    assert_eq!(kind(&rig.hold(user, EventId::new(), &["A1"]).await), refused(404, "not-found"));
    let answer = rig.hold(user, event, &["A1", "Z9", "A1"]).await;
    assert_eq!(
        (kind(&answer), fields(&answer)),
        (refused(422, "validation-failed"), vec!["seatIds".to_owned()])
    );
    assert_eq!(rig.hold(user, area, &["A1"]).await.0, 422);
    assert_eq!(rig.hold_area(user, event, 1).await.0, 422);
    assert_eq!(rig.hold_area(user, area, 0).await.0, 422);
    assert_eq!(rig.hold_area(user, area, -1).await.0, 422);
    for body in [
        json!({}),
        json!({"eventId": event}),
        json!({"eventId": "nonsense", "seatIds": ["A1"]}),
        json!({"eventId": event, "seatIds": []}),
        json!({"eventId": event, "seatIds": ["A1"], "section": "GENERAL", "quantity": 1}),
        json!({"eventId": area, "section": "BALCONY", "quantity": 1}),
        json!({"eventId": area, "section": "GENERAL"}),
    ] {
        let answer = rig.as_user(user, "POST", "/api/inventory/holds", &body).await;
        assert_eq!(kind(&answer), refused(422, "validation-failed"), "{body}");
    }
    let malformed = json!({"eventId": event, "seatIds": "A1"});
    let answer = rig.as_user(user, "POST", "/api/inventory/holds", &malformed).await;
    assert_eq!(kind(&answer), refused(400, "malformed-request"));
    assert_eq!(rig.as_user(user, "GET", "/api/inventory/holds/nonsense", &Value::Null).await.0, 404);
    let request = Request::builder().uri(format!("/api/inventory/events/{}/seats", EventId::new()));
    assert_eq!(rig.send(request.body(Body::empty()).expect("a request")).await.0, 404);
}

#[tokio::test]
async fn a_customer_has_a_limit_over_all_holds() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let too_many = rig.hold(user, event, &["A1", "A2", "A3", "A4", "A5"]).await;
    assert_eq!(kind(&too_many), refused(422, "customer-limit-exceeded"));
    rig.held(user, event, &["A1", "A2", "A3"]).await;
    assert_eq!(kind(&rig.hold(user, event, &["A4", "A5"]).await), refused(422, "customer-limit-exceeded"));
    rig.held(user, event, &["A4"]).await;
}

#[tokio::test]
async fn the_same_key_is_the_same_hold() {
    let rig = Rig::new().await;
    let (event, other, user) = (rig.seated().await, rig.seated().await, UserId::new());
    let place = async |user, event: EventId, seats: &[&str]| {
        let body = json!({"eventId": event, "seatIds": seats});
        rig.with_key(user, "POST", "/api/inventory/holds", &body, Some("key-1")).await
    };
    let (status, first) = place(user, event, &["A1"]).await;
    assert_eq!(status, 201);
    rig.clock.advance(Duration::from_secs(100));
    let (status, again) = place(user, event, &["A1"]).await;
    assert_eq!((status, &again["holdId"], &again["fence"]), (201, &first["holdId"], &first["fence"]));
    assert_eq!(again["ttlSeconds"], 500);
    assert_eq!(kind(&place(user, event, &["A2"]).await), refused(422, "idempotency-key-reused"));
    assert_eq!(kind(&place(user, other, &["A1"]).await), refused(422, "idempotency-key-reused"));
    assert_eq!(place(UserId::new(), event, &["A2"]).await.0, 201, "another user's key is another key");
    rig.clock.advance(Duration::from_secs(500));
    assert_eq!(kind(&place(user, event, &["A1"]).await), refused(409, "hold-not-live"));
}

#[tokio::test]
async fn a_key_whose_attempt_was_refused_can_choose_again() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    rig.held(UserId::new(), event, &["A1"]).await;
    let place = async |seat| {
        let body = json!({"eventId": event, "seatIds": [seat]});
        rig.with_key(user, "POST", "/api/inventory/holds", &body, Some("key-1")).await.0
    };
    assert_eq!((place("A1").await, place("A2").await, place("A3").await), (409, 201, 422));
}

#[tokio::test]
async fn a_bad_key_is_malformed() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let body = json!({"eventId": event, "seatIds": ["A1"]});
    for key in ["", "a, b", "\"open", &"k".repeat(256)] {
        let answer = rig.with_key(user, "POST", "/api/inventory/holds", &body, Some(key)).await;
        assert_eq!(kind(&answer), refused(400, "malformed-request"), "{key:?}");
    }
    // The same grammar as of every other key: quoted or bare, it is one key.
    let (_, bare) = rig.with_key(user, "POST", "/api/inventory/holds", &body, Some("two words")).await;
    let (_, quoted) = rig.with_key(user, "POST", "/api/inventory/holds", &body, Some("\"two words\"")).await;
    assert_eq!((&bare["holdId"], bare["holdId"].is_string()), (&quoted["holdId"], true), "{quoted}");
}

#[tokio::test]
async fn a_hold_is_extended_up_to_its_ceiling_and_no_further() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let hold = rig.held(user, event, &["A1"]).await;
    let path = format!("/api/inventory/holds/{hold}/extend");
    let extend = async |seconds: Value| rig.as_user(user, "POST", &path, &json!({"seconds": seconds})).await;
    rig.clock.advance(Duration::from_secs(300));
    let (status, extended) = extend(json!(1_500)).await;
    assert_eq!((status, &extended["ttlSeconds"]), (200, &json!(1_500)));
    assert_eq!(kind(&extend(json!(1_501)).await), refused(422, "hold-ceiling-reached"));
    assert_eq!(kind(&extend(json!(i64::MAX)).await), refused(422, "hold-ceiling-reached"));
    let (_, unchanged) =
        rig.as_user(user, "GET", &format!("/api/inventory/holds/{hold}"), &Value::Null).await;
    assert_eq!(unchanged["expiresAt"], extended["expiresAt"]);
    for wrong in [json!(0), json!(-5), Value::Null] {
        assert_eq!(kind(&extend(wrong).await), refused(422, "validation-failed"));
    }
    rig.clock.advance(Duration::from_secs(1_500));
    assert_eq!(kind(&extend(json!(60)).await), refused(404, "not-found"), "it has lapsed");
    assert_eq!(rig.state(event, "A1").await, "AVAILABLE");
}

#[tokio::test]
async fn an_area_is_never_held_beyond_its_capacity_nor_inflated_by_releases() {
    let rig = Rig::new().await;
    let (event, user) = (rig.area(5).await, UserId::new());
    let (status, hold) = rig.hold_area(user, event, 4).await;
    assert_eq!((status, &hold["section"], &hold["seatIds"]), (201, &json!("GENERAL"), &json!([])));
    let short = rig.hold_area(UserId::new(), event, 2).await;
    assert_eq!(kind(&short), refused(409, "seats-unavailable"));
    assert_eq!(short.1["areas"], json!([{"section": "GENERAL", "requested": 2, "available": 1}]));
    let path = format!("/api/inventory/holds/{}", text(&hold, "holdId"));
    assert_eq!(rig.as_user(user, "DELETE", &path, &Value::Null).await.0, 204);
    assert_eq!(rig.as_user(user, "DELETE", &path, &Value::Null).await.0, 404);
    let area = json!({"name": "GENERAL", "capacity": 5, "available": 5, "held": 0, "paying": 0, "sold": 0});
    assert_eq!(rig.live(event).await["areas"], json!([area]));
}

#[tokio::test]
async fn two_hundred_buyers_of_one_seat_are_one_holder() {
    let rig = Arc::new(Rig::new().await);
    let event = rig.seated().await;
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move { rig.hold(UserId::new(), event, &["A1", "A2"]).await.0 })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|status| **status == 409).count(), 199);
}
