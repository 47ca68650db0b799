//! A booking from hold to ticket, and every way it can end.

use serde_json::{Value, json};

use crate::common::client::charged;
use crate::common::provider::{HoldUp, Provider};
use crate::common::{System, until};

#[tokio::test]
async fn a_seat_is_sold_and_every_witness_agrees() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    assert_eq!((&event["totalSeats"], &event["availableSeats"]), (&json!(100), &json!(100)));

    let hold = buyer.hold(&event, &["A1", "A2"]).await.expect(201);
    assert_eq!(hold["seatIds"], json!(["A1", "A2"]));
    assert!(hold["ttlSeconds"].as_u64().is_some_and(|ttl| (595..=600).contains(&ttl)), "{hold}");
    assert_eq!(buyer.seat(&event, "A1").await, "HELD");

    let answer = buyer.book(&hold, "pm_ok").await;
    let booking = answer.expect(201);
    assert_eq!((&booking["status"], &booking["amount"]), (&json!("PENDING"), &json!(20_000)));
    assert_eq!(booking["userId"], buyer.session["userId"]);

    let booking = buyer.settled(&booking).await;
    assert_eq!(booking["status"], "CONFIRMED", "{booking}");
    assert!(booking["confirmedAt"].is_string(), "{booking}");
    // As soon as CONFIRMED shows, the seats are sold and the tickets are there.
    assert_eq!(buyer.seat(&event, "A1").await, "SOLD");
    let tickets = buyer.tickets(&booking).await;
    let seats: Vec<_> = tickets.iter().map(|ticket| ticket["seatId"].clone()).collect();
    assert_eq!(seats, [json!("A1"), json!("A2")]);
    assert_ne!(tickets[0]["code"], tickets[1]["code"]);

    let payment = buyer.payment(&booking).await;
    assert_eq!((&payment["status"], &payment["amount"]), (&json!("SUCCEEDED"), &json!(20_000)));
    assert_eq!(charged(&system.ledger().await, &booking), (1, 0));
    let counted = || async { (buyer.event(&event).await["availableSeats"] == 98).then_some(()) };
    until("the seats are counted", counted).await;
    let mail = sent_mail(&system, &buyer, &booking).await;
    for part in ["A1", "A2", tickets[0]["code"].as_str().expect("a code")] {
        assert!(mail.contains(part), "no {part} in {mail}");
    }
}

/// The one mail of a booking, once its notification says SENT.
async fn sent_mail(system: &System, buyer: &crate::common::Buyer, booking: &Value) -> String {
    let notification = until("the mail is sent", || async {
        let all = buyer.notifications().await;
        all.into_iter().find(|n| n["bookingId"] == booking["id"] && n["status"] == "SENT")
    })
    .await;
    assert!(notification["sentAt"].is_string(), "{notification}");
    let marker = format!("X-Booking-Id: {}", booking["id"].as_str().expect("an id"));
    let mails: Vec<String> = std::fs::read_dir(system.data_dir().join("mail"))
        .expect("the mails")
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a mail"))
        .filter(|mail| mail.contains(&marker))
        .collect();
    assert_eq!(mails.len(), 1, "one mail a confirmed booking");
    mails[0].clone()
}

#[tokio::test]
async fn places_without_seats_are_sold_by_quantity() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("TATKAL").await;
    let hold = buyer.hold_area(&event, 3).await.expect(201);
    assert_eq!((&hold["section"], &hold["quantity"]), (&json!("GENERAL"), &json!(3)));
    let booking = buyer.book(&hold, "pm_ok").await.expect(201);
    let booking = buyer.settled(&booking).await;
    assert_eq!((&booking["status"], &booking["amount"]), (&json!("CONFIRMED"), &json!(15_000)));
    assert_eq!(buyer.tickets(&booking).await.len(), 3);
    let area = &buyer.live(&event).await["areas"][0];
    assert_eq!(
        area,
        &json!({"name": "GENERAL", "capacity": 200, "available": 197, "held": 0, "paying": 0, "sold": 3})
    );
}

#[tokio::test]
async fn a_lost_reply_of_the_provider_is_one_charge() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    for (seat, method) in
        [("B1", "pm_lost_reply_charged"), ("B2", "pm_lost_reply_not_charged"), ("B3", "pm_slow")]
    {
        let booking = buyer.buy(&event, &[seat], method).await;
        assert_eq!(booking["status"], "CONFIRMED", "{method}: {booking}");
        assert_eq!(charged(&system.ledger().await, &booking), (1, 0), "{method}");
    }
}

#[tokio::test]
async fn a_declined_payment_frees_the_seats_before_it_shows() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let booking = buyer.buy(&event, &["C1"], "pm_declined").await;
    assert_eq!(buyer.seat(&event, "C1").await, "AVAILABLE");
    assert_eq!(booking["status"], "FAILED");
    assert!(booking["failureReason"].is_string(), "{booking}");
    assert_eq!(buyer.payment(&booking).await["status"], "FAILED");
    assert!(buyer.tickets(&booking).await.is_empty());
    assert_eq!(charged(&system.ledger().await, &booking), (0, 0));
    let other = system.buyer("Bob").await;
    assert_eq!(other.buy(&event, &["C1"], "pm_ok").await["status"], "CONFIRMED");
}

/// The provider charges, and its answer comes only after the booking has ended another way.
async fn paid_too_late(settings: &[(&str, &str)], cancel: bool, ends: &str) {
    let provider = Provider::start().await;
    provider.hold_up(HoldUp::After);
    let url = provider.url();
    let settings: Vec<_> = settings.iter().copied().chain([("TICKETBLITZ_PSP_URL", &*url)]).collect();
    let system = System::start(&settings).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let hold = buyer.hold(&event, &["A1"]).await.expect(201);
    let booking = buyer.book(&hold, "pm_ok").await.expect(201);
    provider.reached().await;
    assert_eq!(buyer.seat(&event, "A1").await, "PAYING");
    if cancel {
        let path = format!("/api/bookings/{}", booking["id"].as_str().expect("an id"));
        assert_eq!(buyer.delete(&path).await.expect(200)["status"], "CANCELLED");
    }
    assert_eq!(buyer.settled(&booking).await["status"], ends);
    assert_eq!(buyer.seat(&event, "A1").await, "AVAILABLE");
    // Somebody else has the seat by the time the charge is known.
    let other = system.buyer("Bob").await;
    let second = other.hold(&event, &["A1"]).await.expect(201);
    provider.hold_up(HoldUp::Never);
    let second = other.book(&second, "pm_ok").await.expect(201);
    assert_eq!(other.settled(&second).await["status"], "CONFIRMED");
    let refunded = || async { (charged(&provider.ledger().await, &booking) == (1, 1)).then_some(()) };
    until("the late payment is refunded", refunded).await;
    let shows = || async { (buyer.payment(&booking).await["status"] == "REFUNDED").then_some(()) };
    until("the payment shows it", shows).await;
    assert_eq!(buyer.settled(&booking).await["status"], ends);
    assert_eq!(charged(&provider.ledger().await, &booking), (1, 1), "refunded exactly once");
    assert_eq!(charged(&provider.ledger().await, &second), (1, 0));
}

#[tokio::test]
async fn a_payment_after_the_deadline_is_refunded_once() {
    paid_too_late(&[("TICKETBLITZ_PAYMENT_DEADLINE", "2s")], false, "EXPIRED").await;
}

#[tokio::test]
async fn a_payment_after_cancellation_is_refunded_once() {
    paid_too_late(&[], true, "CANCELLED").await;
}

#[tokio::test]
async fn cancelling_a_confirmed_booking_refunds_once_and_reopens_the_seats() {
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let booking = buyer.buy(&event, &["A1", "A2"], "pm_ok").await;
    assert_eq!(booking["status"], "CONFIRMED");
    let path = format!("/api/bookings/{}", booking["id"].as_str().expect("an id"));
    let (one, two) = tokio::join!(buyer.delete(&path), buyer.delete(&path));
    assert_eq!(one.expect(200)["status"], "CANCELLED");
    assert_eq!(two.expect(200)["status"], "CANCELLED");
    assert_eq!(buyer.delete(&path).await.expect(200)["status"], "CANCELLED");
    assert!(buyer.tickets(&booking).await.is_empty(), "tickets of a cancelled booking");
    assert_eq!(buyer.seat(&event, "A1").await, "AVAILABLE");
    assert_eq!(charged(&system.ledger().await, &booking), (1, 1));
    let counted = || async { (buyer.event(&event).await["availableSeats"] == 100).then_some(()) };
    until("the seats are counted back", counted).await;
    let other = system.buyer("Bob").await;
    assert_eq!(other.buy(&event, &["A1"], "pm_ok").await["status"], "CONFIRMED");
}

#[tokio::test]
async fn an_expired_hold_cannot_be_booked_and_is_free() {
    let system = System::start(&[("TICKETBLITZ_HOLD_TTL", "1s")]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let hold = buyer.hold(&event, &["A1"]).await.expect(201);
    let free = || async { (buyer.seat(&event, "A1").await == "AVAILABLE").then_some(()) };
    until("the hold lapses", free).await;
    buyer.book(&hold, "pm_ok").await.refused(409, "hold-not-live");
    system.buyer("Bob").await.hold(&event, &["A1"]).await.expect(201);
}

#[tokio::test]
async fn a_cancelled_event_refunds_every_confirmed_booking() {
    let system = System::start(&[]).await;
    let admin = system.admin().await;
    let event = admin.sample("VISUAL").await;
    let (ann, bob) = (system.buyer("Ann").await, system.buyer("Bob").await);
    let first = ann.buy(&event, &["A1"], "pm_ok").await;
    let second = bob.buy(&event, &["J10"], "pm_ok").await;
    admin.delete(&format!("/api/events/{}", event["id"].as_str().expect("an id"))).await.expect(204);
    ann.hold(&event, &["A2"]).await.refused(409, "sales-closed");
    for booking in [&first, &second] {
        let refunded = || async { (charged(&system.ledger().await, booking) == (1, 1)).then_some(()) };
        until("it is refunded", refunded).await;
    }
    let shows = || async { (ann.settled(&first).await["status"] == "CANCELLED").then_some(()) };
    until("it shows CANCELLED", shows).await;
    assert_eq!(ann.event(&event).await["status"], "CANCELLED");
}

#[tokio::test]
async fn a_free_place_is_confirmed_without_a_charge() {
    let system = System::start(&[]).await;
    let admin = system.admin().await;
    let body = json!({"name": "Open Day", "venue": "Hall", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "Europe/Paris",
        "currency": "EUR", "bookingMode": "TATKAL", "sections": [{"name": "HALL", "price": 0, "capacity": 5}]});
    let event = admin.post("/api/events", &body).await.expect(201);
    let buyer = system.buyer("Ann").await;
    let hold = buyer.hold_area(&event, 2).await.expect(201);
    let booking = buyer.book(&hold, "pm_ok").await.expect(201);
    assert_eq!(buyer.settled(&booking).await["status"], "CONFIRMED");
    assert_eq!(system.ledger().await["charges"], json!([]));
}
