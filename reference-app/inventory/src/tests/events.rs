//! What the event service tells.

use super::*;

#[tokio::test]
async fn live_seats_are_in_row_order() {
    let rig = Rig::new().await;
    let event = EventId::new();
    let body = rig.event("VISUAL", &json!({"seats": ["A10", "AA1", "A2", "Z1"]}));
    assert_eq!(rig.put(event, &body).await.0, 204);
    let request = Request::builder().uri(format!("/api/inventory/events/{event}/seats"));
    let response = rig.router.clone().oneshot(request.body(Body::empty()).expect("a request")).await;
    let body = response.expect("infallible").into_body().collect().await.expect("a body").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("text");
    let at = |seat: &str| text.find(&format!("\"{seat}\"")).unwrap_or_else(|| panic!("no {seat} in {text}"));
    assert!(at("A2") < at("A10") && at("A10") < at("Z1") && at("Z1") < at("AA1"), "{text}");
}

#[tokio::test]
async fn versions_rise() {
    let rig = Rig::new().await;
    let event = rig.seated().await;
    let before = rig.live(event).await["version"].as_u64();
    rig.held(UserId::new(), event, &["A1"]).await;
    assert!(rig.live(event).await["version"].as_u64() > before);
}

#[tokio::test]
async fn before_and_after_its_sale_nothing_is_held() {
    let rig = Rig::new().await;
    let event = EventId::new();
    let mut body = rig.event("VISUAL", &json!({"seats": ["A1"]}));
    body["salesStart"] = json!(rig.now() + Duration::from_secs(60));
    assert_eq!(rig.put(event, &body).await.0, 204);
    assert_eq!(kind(&rig.hold(UserId::new(), event, &["A1"]).await), refused(409, "sales-closed"));
    rig.clock.advance(Duration::from_secs(60));
    rig.held(UserId::new(), event, &["A1"]).await;
    rig.clock.advance(Duration::from_secs(86_400));
    assert_eq!(kind(&rig.hold(UserId::new(), event, &["A1"]).await), refused(409, "sales-closed"));
}

#[tokio::test]
async fn a_layout_changes_before_the_sale_and_not_after() {
    let rig = Rig::new().await;
    let event = EventId::new();
    let mut body = rig.event("VISUAL", &json!({"seats": ["A1"]}));
    body["salesStart"] = json!(rig.now() + Duration::from_secs(60));
    assert_eq!(rig.put(event, &body).await.0, 204);
    assert_eq!(rig.live(event).await["seats"], json!({"A1": "AVAILABLE"}));
    body["sections"][0]["seats"] = json!(["B1", "B2"]);
    assert_eq!(rig.put(event, &body).await.0, 204);
    assert_eq!(rig.live(event).await["seats"], json!({"B1": "AVAILABLE", "B2": "AVAILABLE"}));
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.put(event, &body).await.0, 204, "the same again is no change");
    body["sections"][0]["price"] = json!(1);
    assert_eq!(kind(&rig.put(event, &body).await), refused(409, "event-on-sale"));
}

#[tokio::test]
async fn a_closed_event_has_no_holds_and_sells_nothing() {
    let rig = Rig::new().await;
    let (event, user) = (rig.seated().await, UserId::new());
    let sold = rig.paying(&rig.held(user, event, &["A1"]).await, user).await;
    rig.sell(&sold).await;
    let paying = rig.paying(&rig.held(user, event, &["A2"]).await, user).await;
    let held = rig.held(user, event, &["A3"]).await;
    let close = format!("/internal/inventory/events/{event}/close");
    for _ in 0..2 {
        assert_eq!(rig.as_service("POST", &close, &Value::Null).await.0, 204);
    }
    assert_eq!(kind(&rig.hold(user, event, &["A4"]).await), refused(409, "sales-closed"));
    let begin = rig.begin(&ticketblitz_core::BookingId::new().to_string(), &held, user).await;
    assert_eq!(begin.0, 409);
    assert_eq!(rig.sell(&paying).await, "REFUSED");
    assert_eq!(rig.sell(&sold).await, "SOLD");
    assert_eq!(
        (rig.state(event, "A1").await.as_str(), rig.state(event, "A2").await.as_str()),
        ("SOLD", "AVAILABLE")
    );
}

#[tokio::test]
async fn a_wrong_event_and_a_user_are_refused() {
    let rig = Rig::new().await;
    let twice = rig.event("VISUAL", &json!({"seats": ["A1", "A1"]}));
    assert_eq!(kind(&rig.put(EventId::new(), &twice).await), refused(422, "validation-failed"));
    let path = format!("/internal/inventory/events/{}", EventId::new());
    let good = rig.event("VISUAL", &json!({"seats": ["A1"]}));
    let answer = rig.as_user(UserId::new(), "PUT", &path, &good).await;
    assert_eq!(answer.0, 401, "no service token");
}

#[tokio::test]
async fn the_largest_layout_is_put_shown_held_and_sold_without_delay() {
    let rig = Rig::new().await;
    let (event, user) = (EventId::new(), UserId::new());
    let seats: Vec<String> = (0..100_000)
        .filter_map(|n| ticketblitz_core::SeatId::new(n / 10 + 1, n % 10 + 1))
        .map(|seat| seat.to_string())
        .collect();
    let body = serde_json::from_value(rig.event("VISUAL", &json!({"seats": seats}))).expect("an event");
    let began = std::time::Instant::now();
    rig.desk.put_event(event, body).await.expect("put");
    assert_eq!(rig.live(event).await["seats"].as_object().map(serde_json::Map::len), Some(100_000));
    let booking = rig.paying(&rig.held(user, event, &["A1", &seats[99_999]]).await, user).await;
    assert_eq!(rig.sell(&booking).await, "SOLD");
    assert_eq!(rig.state(event, &seats[99_999]).await, "SOLD");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
