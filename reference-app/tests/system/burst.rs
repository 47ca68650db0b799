//! A crowd that wants one seat, each of them somebody else, on connections that were open before the sale was.
#![allow(clippy::print_stdout)] // the figures of a soak

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::System;
use crate::common::accounts::Accounts;
use crate::common::load::{Crowd, Floor, Raw, post};
use crate::common::soak::size;

/// Everybody's request for this seat.
fn all_want(seat: &str, event: &Value, tokens: &[String]) -> Arc<Vec<Vec<u8>>> {
    let body = json!({"eventId": event["id"], "seatIds": [seat]}).to_string();
    Arc::new(tokens.iter().map(|token| post("/api/inventory/holds", token, &[], &body)).collect())
}

/// One has the seat; every other one is told so, with the seat and its state. Returns such a refusal.
#[track_caller]
fn one_has_it(seat: &str, answers: &[Raw], users: usize) -> String {
    assert_eq!(answers.len(), users, "everybody is answered");
    let (held, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 201);
    assert_eq!(held.len(), 1, "the seat is held {} times", held.len());
    for answer in &refused {
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert_eq!(answer.status(), 409, "{body}");
        assert_eq!(body["type"], "urn:ticketblitz:problem:seats-unavailable", "{body}");
        let seats = body["seats"].as_array().expect("the seats that are not to be had");
        assert!(matches!(&seats[..], [one] if one["seatId"] == seat && one["state"] == "HELD"), "{body}");
    }
    String::from_utf8(refused[0].body().to_vec()).expect("a text")
}

#[allow(clippy::cast_precision_loss)] // a figure to be read
fn each_second(requests: usize, took: Duration) -> f64 {
    requests as f64 / took.as_secs_f64()
}

/// The time is compared with what the same requests on the same connections take where a handler does nothing.
#[tokio::test]
async fn of_a_crowd_that_wants_one_seat_one_has_it() {
    let (users, connections) = (size(1_000, 10_000), size(100, 1_000));
    let system = System::start(&[]).await;
    let accounts = Accounts::of(&system).await;
    let buyer = accounts.organizer(&system.url(8080)).await;
    let event = buyer.sample("VISUAL").await;
    let mut crowd = Crowd::connect(system.address(8080), connections).await.expect("connections");

    let mut ratios = Vec::new();
    for seat in ["A1", "A2", "A3"] {
        // Others each time: nobody's token has been seen before.
        let requests = all_want(seat, &event, &accounts.buyers(users).await);
        let (answers, took) = crowd.send(&requests).await.expect("no connection breaks");
        let refusal = one_has_it(seat, &answers, users);
        assert_eq!(buyer.seat(&event, seat).await, "HELD");

        let floor = Floor::start(refusal);
        let mut same = Crowd::connect(floor.address, connections).await.expect("connections");
        let (answers, least) = same.send(&requests).await.expect("no connection breaks");
        assert!(answers.len() == users && answers.iter().all(|answer| answer.status() == 409));
        let ratio = took.as_secs_f64() / least.as_secs_f64();
        println!(
            "{users} requests for seat {seat} over {connections} connections: 1 held, {} refused, {took:.2?} \
             ({:.0}/s); a bare handler {least:.2?} ({:.0}/s): ratio {ratio:.1}",
            users - 1,
            each_second(users, took),
            each_second(users, least),
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("burst: median ratio to a bare handler {:.1}", ratios[1]);
}

/// A hundred at a time: one booking, one charge, one answer.
#[tokio::test]
async fn every_repeat_of_a_booking_gets_the_first_answer() {
    let (repeats, connections) = (size(1_000, 10_000), 100);
    let system = System::start(&[]).await;
    let buyer = system.buyer("Ann").await;
    let event = buyer.sample("VISUAL").await;
    let hold = buyer.hold(&event, &["A1", "A2"]).await.expect(201);
    let body = json!({"holdId": hold["holdId"], "paymentMethod": "pm_ok"}).to_string();
    let token = buyer.token.clone().expect("registered");
    let request = post("/api/bookings", &token, &[("Idempotency-Key", "once-and-for-all")], &body);
    let mut crowd = Crowd::connect(system.address(8080), connections).await.expect("connections");
    let requests = Arc::new(vec![request; repeats]);
    let (answers, took) = crowd.send(&requests).await.expect("no connection breaks");

    assert_eq!(answers.len(), repeats);
    for answer in &answers {
        let text = String::from_utf8_lossy(answer.body());
        assert_eq!((answer.status(), answer.body()), (201, answers[0].body()), "{text}");
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    let replayed = |answer: &&Raw| answer.header("idempotent-replayed") == Some("true");
    assert_eq!(answers.iter().filter(replayed).count(), repeats - 1);
    let booking: Value = serde_json::from_slice(answers[0].body()).expect("JSON");
    assert_eq!(buyer.settled(&booking).await["status"], "CONFIRMED");
    let bookings = buyer.get("/api/bookings").await.expect(200);
    assert_eq!(bookings["items"].as_array().map(Vec::len), Some(1), "{bookings}");
    let ledger = system.ledger().await;
    assert_eq!(ledger["charges"].as_array().map(Vec::len), Some(1), "{ledger}");
    assert_eq!(ledger["refunds"], json!([]));
    println!(
        "{repeats} times one booking over {connections} connections: 1 booking, 1 charge, the same answer {repeats} \
         times, {took:.2?} ({:.0}/s)",
        each_second(repeats, took),
    );
}
