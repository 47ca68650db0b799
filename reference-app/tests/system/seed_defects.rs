//! The known defects of the system that this one re-implements, each a regression test.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::common::client::charged;
use crate::common::{System, until};

#[tokio::test]
async fn a_confirmed_seat_cannot_be_held_again() {
    let system = System::start(&[]).await;
    let (ann, bob) = (system.buyer("Ann").await, system.buyer("Bob").await);
    let event = ann.sample("VISUAL").await;
    assert_eq!(ann.buy(&event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
    for buyer in [&ann, &bob] {
        let refused = buyer.hold(&event, &["A1", "A2"]).await.refused(409, "seats-unavailable");
        assert_eq!(refused["seats"][0]["seatId"], "A1");
        assert_eq!(refused["seats"][0]["state"], "SOLD");
        assert_eq!(refused["seats"].as_array().map(Vec::len), Some(1), "{refused}");
    }
    assert_eq!(ann.seat(&event, "A2").await, "AVAILABLE", "half a hold was taken");
}

#[tokio::test]
async fn two_bookings_from_one_hold_are_one_charge() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let hold = ann.hold(&event, &["A1"]).await.expect(201);
    let answers = futures::future::join_all((0..8).map(|_| ann.book(&hold, "pm_ok"))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1);
    let booking = made.into_iter().next().expect("one").body;
    for answer in refused {
        assert_eq!(answer.refused(409, "booking-exists")["bookingId"], booking["id"]);
    }
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
    ann.book(&hold, "pm_ok").await.refused(409, "booking-exists");
    assert_eq!(system.ledger().await["charges"].as_array().map(Vec::len), Some(1));
    assert_eq!(ann.get("/api/bookings").await.expect(200)["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let hold = ann.hold(&event, &["A1"]).await.expect(201);
    let key = Uuid::now_v7().to_string();
    let send = || ann.send(ann.book_request(&hold, "pm_ok", &key));
    let answers = futures::future::join_all((0..20).map(|_| send())).await;
    assert_eq!(answers.iter().filter(|a| a.header("idempotent-replayed").is_empty()).count(), 1);
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (201, &answers[0].text));
    }
    assert_eq!(ann.settled(&answers[0].body).await["status"], "CONFIRMED");
    let late = send().await;
    assert_eq!((late.header("idempotent-replayed"), &late.text), ("true", &answers[0].text));
    // Compared as JSON: another order of the members is the same body, another value is not.
    let body = format!(r#"{{"paymentMethod":"pm_ok","holdId":{}}}"#, hold["holdId"]);
    let raw = |body: String| {
        ann.request(reqwest::Method::POST, "/api/bookings")
            .header("Idempotency-Key", &key)
            .header("Content-Type", "application/json")
            .body(body)
    };
    assert_eq!(ann.send(raw(body)).await.expect(201), late.body);
    let other = format!(r#"{{"paymentMethod":"pm_slow","holdId":{}}}"#, hold["holdId"]);
    ann.send(raw(other)).await.refused(422, "idempotency-key-reused");
    assert_eq!(charged(&system.ledger().await, &late.body), (1, 0));
}

#[tokio::test]
async fn the_client_sets_neither_amount_nor_user() {
    let system = System::start(&[]).await;
    let (ann, bob) = (system.buyer("Ann").await, system.buyer("Bob").await);
    let event = ann.sample("VISUAL").await;
    let body =
        json!({"eventId": event["id"], "seatIds": ["A1"], "userId": bob.session["userId"], "price": 1});
    let hold = ann.post("/api/inventory/holds", &body).await.expect(201);
    let body =
        json!({"holdId": hold["holdId"], "amount": 1, "currency": "USD", "userId": bob.session["userId"]});
    let request =
        ann.request(reqwest::Method::POST, "/api/bookings").header("Idempotency-Key", "k1").json(&body);
    let booking = ann.send(request).await.expect(201);
    assert_eq!(booking["userId"], ann.session["userId"]);
    assert_eq!((&booking["amount"], &booking["currency"]), (&json!(10_000), &json!("INR")));
    ann.settled(&booking).await;
    let ledger = system.ledger().await;
    assert_eq!(ledger["charges"][0]["amount"], 10_000, "{ledger}");
}

#[tokio::test]
async fn unknown_seats_and_events_are_refused() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    for seats in
        [&["Z99"][..], &["A11"], &["a1"], &["A1", "A1"], &["A1", "nonsense"], &[], &["A01"], &["\u{0}"]]
    {
        ann.hold(&event, seats).await.refused(422, "validation-failed");
    }
    let unknown = json!({"id": Uuid::now_v7().to_string()});
    ann.hold(&unknown, &["A1"]).await.refused(404, "not-found");
    let tatkal = ann.sample("TATKAL").await;
    for quantity in [0, -1] {
        ann.hold_area(&tatkal, quantity).await.refused(422, "validation-failed");
    }
    assert_eq!(ann.seat(&event, "A1").await, "AVAILABLE");
    for path in ["/api/events", "/api/inventory/events"] {
        let id = Uuid::now_v7();
        ann.get(&format!("{path}/{id}/seats")).await.refused(404, "not-found");
        ann.get(&format!("{path}/no-uuid/seats")).await.refused(404, "not-found");
    }
}

#[tokio::test]
async fn nobody_else_uses_a_hold_or_a_booking() {
    let system = System::start(&[]).await;
    let (ann, eve) = (system.buyer("Ann").await, system.buyer("Eve").await);
    let event = ann.sample("VISUAL").await;
    let hold = ann.hold(&event, &["A1"]).await.expect(201);
    let path = format!("/api/inventory/holds/{}", hold["holdId"].as_str().expect("an id"));
    eve.get(&path).await.refused(404, "not-found");
    eve.post(&format!("{path}/extend"), &json!({"seconds": 900})).await.refused(404, "not-found");
    eve.delete(&path).await.refused(404, "not-found");
    eve.book(&hold, "pm_ok").await.refused(409, "hold-not-live");
    assert_eq!(ann.get(&path).await.expect(200)["expiresAt"], hold["expiresAt"]);

    let booking = ann.book(&hold, "pm_ok").await.expect(201);
    let path = format!("/api/bookings/{}", booking["id"].as_str().expect("an id"));
    eve.get(&path).await.refused(404, "not-found");
    eve.get(&format!("{path}/tickets")).await.refused(404, "not-found");
    eve.delete(&path).await.refused(404, "not-found");
    let payment = until("it is paid", || async {
        let payment = ann.payment(&booking).await;
        (payment["status"] == "SUCCEEDED").then_some(payment)
    })
    .await;
    eve.get(&format!("/api/payments/{}", payment["id"].as_str().expect("an id")))
        .await
        .refused(404, "not-found");
    assert!(eve.payment(&booking).await.is_null());
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
}

#[tokio::test]
async fn a_hold_in_payment_is_neither_released_nor_extended() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let hold = ann.hold(&event, &["A1"]).await.expect(201);
    ann.book(&hold, "pm_slow").await.expect(201);
    let path = format!("/api/inventory/holds/{}", hold["holdId"].as_str().expect("an id"));
    ann.delete(&path).await.refused(409, "hold-in-payment");
    ann.post(&format!("{path}/extend"), &json!({"seconds": 900})).await.refused(409, "hold-in-payment");
    assert_eq!(ann.seat(&event, "A1").await, "PAYING");
}

#[tokio::test]
async fn of_a_hold_of_several_seats_all_are_taken_or_none() {
    let system = System::start(&[]).await;
    let event = system.buyer("Ann").await.sample("VISUAL").await;
    let buyers = futures::future::join_all((0..6).map(|n| {
        let system = &system;
        async move { system.buyer(&format!("Buyer {n}")).await }
    }))
    .await;
    // Everybody wants B2 with another seat: one gets both, nobody else keeps one.
    let answers = futures::future::join_all(buyers.iter().enumerate().map(|(n, buyer)| {
        let own = format!("B{}", n + 3);
        let event = &event;
        async move { (own.clone(), buyer.hold(event, &[&own, "B2"]).await.status) }
    }))
    .await;
    assert_eq!(answers.iter().filter(|(_, status)| *status == 201).count(), 1);
    for (seat, status) in answers {
        let expected = if status == 201 { "HELD" } else { "AVAILABLE" };
        assert_eq!(buyers[0].seat(&event, &seat).await, expected, "{seat}");
    }
}

#[tokio::test]
async fn releasing_never_inflates_the_stock() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("TATKAL").await;
    let hold = ann.hold_area(&event, 5).await.expect(201);
    let path = format!("/api/inventory/holds/{}", hold["holdId"].as_str().expect("an id"));
    ann.delete(&path).await.expect(204);
    for _ in 0..3 {
        ann.delete(&path).await.refused(404, "not-found");
    }
    let area = ann.live(&event).await["areas"][0].clone();
    assert_eq!((&area["available"], &area["held"]), (&json!(200), &json!(0)), "{area}");
    assert_eq!(ann.event(&event).await["availableSeats"], 200);
}

#[tokio::test]
async fn seats_are_listed_in_row_order_and_past_z() {
    let system = System::start(&[]).await;
    let admin = system.admin().await;
    let body = json!({"name": "Stadium", "venue": "Arena", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "Asia/Kolkata",
        "currency": "INR", "bookingMode": "VISUAL", "totalSeats": 275});
    let event = admin.post("/api/events", &body).await.expect(201);
    let layout =
        admin.get(&format!("/api/events/{}/seats", event["id"].as_str().expect("an id"))).await.expect(200);
    let seats: Vec<Value> = layout["sections"]
        .as_array()
        .expect("sections")
        .iter()
        .flat_map(|section| section["seats"].as_array().expect("seats").clone())
        .collect();
    assert_eq!(seats.len(), 275);
    assert_eq!((&seats[1], &seats[9], &seats[10]), (&json!("A2"), &json!("A10"), &json!("B1")));
    assert_eq!((&seats[259], &seats[260], &seats[274]), (&json!("Z10"), &json!("AA1"), &json!("AB5")));
    // It can be held as soon as its 201 is answered.
    let hold = admin.hold(&event, &["AB5", "AA10"]).await.expect(201);
    assert_eq!(hold["seatIds"], json!(["AA10", "AB5"]), "in row order");
}

#[tokio::test]
async fn the_largest_event_can_be_made_and_held() {
    let system = System::start(&[]).await;
    let admin = system.admin().await;
    let body = json!({"name": "Everybody", "venue": "Stadium", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "UTC",
        "currency": "EUR", "bookingMode": "VISUAL", "totalSeats": 100_000});
    let event = admin.post("/api/events", &body).await.expect(201);
    assert_eq!(event["totalSeats"], 100_000);
    let last =
        event["sections"].as_array().and_then(|all| all.last()?["seats"].as_array()?.last()).expect("a seat");
    let last = last.as_str().expect("a seat");
    admin.hold(&event, &["A1", last]).await.expect(201);
    assert_eq!(admin.seat(&event, last).await, "HELD");
}

/// Each result was published twice and counted twice; here the counts of ten sales agree in every service.
#[tokio::test]
async fn each_result_is_told_and_counted_once() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    let seats: Vec<String> = (1..=10).map(|n| format!("D{n}")).collect();
    let bookings = futures::future::join_all(seats.iter().map(|seat| {
        let (ann, event) = (&ann, &event);
        async move { ann.buy(event, &[seat], "pm_ok").await }
    }))
    .await;
    assert!(bookings.iter().all(|booking| booking["status"] == "CONFIRMED"));
    let told = || async {
        let sent = ann.notifications().await.into_iter().filter(|n| n["status"] == "SENT").count();
        (sent == 10 && ann.event(&event).await["availableSeats"] == 90).then_some(())
    };
    until("ten mails and ninety seats", told).await;
    let mails = std::fs::read_dir(system.data_dir().join("mail")).expect("mails").count();
    assert_eq!(mails, 10);
    assert_eq!(system.ledger().await["charges"].as_array().map(Vec::len), Some(10));
    assert_eq!(ann.event(&event).await["availableSeats"], 90);
}
