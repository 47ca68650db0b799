//! Making, changing and cancelling.

use super::*;

#[tokio::test]
async fn an_event_is_known_to_the_inventory_before_it_is_answered() {
    let rig = Rig::new().await;
    let organizer = organizer();
    let event = rig.created(&organizer, &concert()).await;
    assert_eq!(
        (&event["status"], &event["totalSeats"], &event["availableSeats"]),
        (&json!("ON_SALE"), &json!(100), &json!(100))
    );
    assert_eq!(event["organizerId"], json!(organizer.user));
    let calls = rig.inventory.calls();
    assert_eq!(calls[0].0, format!("PUT /internal/inventory/events/{}", text(&event, "id")));
    assert_eq!(calls[0].1["salesEnd"], event["startsAt"]);
    assert_eq!(rig.get(&path(&event)).await, (200, event));
    assert_eq!(rig.told().await, ["event.created"]);
}

#[tokio::test]
async fn an_event_that_the_inventory_did_not_take_never_appears() {
    let rig = Rig::new().await;
    rig.inventory.set_down(true);
    let answer = rig.as_staff(&organizer(), "POST", "/api/events", &concert()).await;
    assert_eq!(kind(&answer), refused(503, "dependency-unavailable"));
    rig.inventory.set_down(false);
    assert_eq!(rig.get("/api/events").await.1["items"], json!([]));
    assert!(rig.told().await.is_empty());
    let rig = rig.restarted().await;
    assert_eq!(rig.get("/api/events").await.1["items"], json!([]));
}

#[tokio::test]
async fn wrong_requests_name_every_field() {
    let rig = Rig::new().await;
    let mut body = concert();
    body["currency"] = json!("euro");
    body["timeZone"] = json!("Nowhere");
    body["totalSeats"] = json!(0);
    let answer = rig.as_staff(&organizer(), "POST", "/api/events", &body).await;
    assert_eq!(kind(&answer), refused(422, "validation-failed"));
    let fields: Vec<_> =
        answer.1["errors"].as_array().expect("errors").iter().map(|e| text(e, "field")).collect();
    assert_eq!(fields, ["timeZone", "currency", "totalSeats"]);
    body["totalSeats"] = json!("many");
    let answer = rig.as_staff(&organizer(), "POST", "/api/events", &body).await;
    assert_eq!(kind(&answer), refused(400, "malformed-request"));
}

#[tokio::test]
async fn customers_make_no_events_and_are_told_before_their_body_is_read() {
    let rig = Rig::new().await;
    let customer = Caller { role: Role::User, ..organizer() };
    let answer = rig.as_staff(&customer, "POST", "/api/events", &json!("nonsense")).await;
    assert_eq!(kind(&answer), refused(403, "forbidden"));
}

#[tokio::test]
async fn only_its_organizer_and_administrators_change_an_event() {
    let rig = Rig::new().await;
    let owner = organizer();
    let event = rig.created(&owner, &concert()).await;
    let (other, admin) = (organizer(), Caller { role: Role::Admin, ..organizer() });
    let mut body = concert();
    body["name"] = json!("Concert II");
    for method in ["PUT", "DELETE"] {
        let answer = rig.as_staff(&other, method, &path(&event), &body).await;
        assert_eq!(kind(&answer), refused(403, "forbidden"));
    }
    for caller in [&owner, &admin] {
        let (status, changed) = rig.as_staff(caller, "PUT", &path(&event), &body).await;
        assert_eq!(
            (status, &changed["name"], &changed["organizerId"]),
            (200, &json!("Concert II"), &json!(owner.user))
        );
    }
    assert_eq!(rig.get(&path(&event)).await.1["name"], "Concert II");
    let unknown = format!("/api/events/{}", ticketblitz_core::EventId::new());
    assert_eq!(rig.as_staff(&admin, "PUT", &unknown, &body).await.0, 404);
    assert_eq!(rig.as_staff(&admin, "DELETE", &unknown, &body).await.0, 404);
    assert_eq!(rig.told().await, ["event.created", "event.changed", "event.changed"]);
}

#[tokio::test]
async fn once_on_sale_what_is_sold_is_fixed() {
    let rig = Rig::new().await;
    let owner = organizer();
    let mut body = concert();
    body["salesStart"] = json!("2026-06-02T10:00:00Z");
    let event = rig.created(&owner, &body).await;
    assert_eq!(event["status"], "SCHEDULED");
    body["totalSeats"] = json!(50);
    let (status, changed) = rig.as_staff(&owner, "PUT", &path(&event), &body).await;
    assert_eq!((status, &changed["totalSeats"]), (200, &json!(50)));
    rig.clock.advance(Duration::from_secs(86_400));
    for (field, value) in
        [("totalSeats", json!(60)), ("currency", json!("USD")), ("bookingMode", json!("TATKAL"))]
    {
        let mut other = body.clone();
        other[field] = value;
        let answer = rig.as_staff(&owner, "PUT", &path(&event), &other).await;
        assert_eq!(kind(&answer), refused(409, "event-on-sale"), "{field}");
    }
    body["venue"] = json!("Elsewhere");
    body["maxSeatsPerCustomer"] = json!(3);
    assert_eq!(rig.as_staff(&owner, "PUT", &path(&event), &body).await.0, 200);
}

#[tokio::test]
async fn cancelling_closes_the_sale_first_and_is_done_once() {
    let rig = Rig::new().await;
    let owner = organizer();
    let event = rig.created(&owner, &concert()).await;
    rig.inventory.set_down(true);
    let answer = rig.as_staff(&owner, "DELETE", &path(&event), &Value::Null).await;
    assert_eq!(kind(&answer), refused(503, "dependency-unavailable"));
    assert_eq!(rig.get(&path(&event)).await.1["status"], "ON_SALE");
    rig.inventory.set_down(false);
    for _ in 0..2 {
        assert_eq!(rig.as_staff(&owner, "DELETE", &path(&event), &Value::Null).await.0, 204);
    }
    let closed = format!("POST /internal/inventory/events/{}/close", text(&event, "id"));
    assert_eq!(rig.inventory.calls().iter().filter(|(call, _)| *call == closed).count(), 1);
    assert_eq!(rig.get(&path(&event)).await.1["status"], "CANCELLED");
    assert_eq!(rig.told().await, ["event.created", "event.cancelled"]);
    let answer = rig.as_staff(&owner, "PUT", &path(&event), &concert()).await;
    assert_eq!(kind(&answer), refused(409, "sales-closed"));
}

#[tokio::test]
async fn changes_at_once_are_one_after_the_other() {
    let rig = Arc::new(Rig::new().await);
    let owner = organizer();
    let event = rig.created(&owner, &concert()).await;
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (rig, owner, path) = (Arc::clone(&rig), owner.clone(), path(&event));
            let mut body = concert();
            body["maxSeatsPerCustomer"] = json!(n + 1);
            tokio::spawn(async move { rig.as_staff(&owner, "PUT", &path, &body).await.0 })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), 200);
    }
    let last = rig.inventory.calls().pop().expect("calls").1;
    assert_eq!(rig.get(&path(&event)).await.1["maxSeatsPerCustomer"], last["maxSeatsPerCustomer"]);
}
