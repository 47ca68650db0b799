//! Many connections, and many requests.
//!
//! `WIRE_IDLE` is how many connections idle, `WIRE_ROUNDS` how many rounds of requests memory is watched for.

#![allow(clippy::print_stdout)] // what was measured

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;

use super::{connected, gateway, post, refused};
use crate::common::wire::Wire;
use crate::common::{Buyer, OPEN_FILES, System, setting, until};

const GET: &[u8] = b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n";

/// What a request takes: the median of many, on a connection of its own.
async fn usual(system: &System) -> Duration {
    let mut wire = connected(system).await;
    let mut took = Vec::new();
    for _ in 0..300 {
        let began = Instant::now();
        assert_eq!(wire.exchange(GET, false).await.map(|reply| reply.status), Ok(200));
        took.push(began.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

#[tokio::test]
async fn a_crowd_that_idles_slows_nobody_and_is_let_go() {
    let crowd = setting("WIRE_IDLE").unwrap_or(1_000);
    // Each connection is a file here and one there.
    let files = platform::server::raise_open_file_limit();
    assert!(files > usize::try_from(crowd).expect("small") + 200, "only {files} files may be open");
    let system = System::start(&[("TICKETBLITZ_HEAD_TIMEOUT", "10s")]).await;
    usual(&system).await; // warm
    let before = usual(&system).await;
    let mut idle: Vec<Wire> = Vec::new();
    for _ in 0..crowd {
        idle.push(connected(&system).await);
    }
    // Half of them have been served once.
    let served = idle.iter_mut().step_by(2).map(|wire| wire.exchange(GET, false));
    assert!(join_all(served).await.into_iter().all(|reply| reply.is_ok_and(|reply| reply.status == 200)));
    let beside = usual(&system).await;
    println!("{before:?} before, {beside:?} beside {crowd}");
    assert!(beside <= before * 5 + Duration::from_millis(5), "{before:?} before, {beside:?} beside {crowd}");
    for ended in join_all(idle.iter_mut().map(Wire::rest)).await {
        assert_eq!(ended, Ok(Vec::new()), "closed in order");
    }
}

#[tokio::test]
async fn one_too_many_is_told_so() {
    let system = System::start(&[("TICKETBLITZ_MAX_CONNECTIONS", "20")]).await;
    let mut inside: Vec<Wire> = join_all((0..20).map(|_| connected(&system))).await;
    for wire in &mut inside {
        assert_eq!(wire.exchange(GET, false).await.map(|reply| reply.status), Ok(200));
    }
    let body = "x".repeat(1_000);
    for request in
        [GET.to_vec(), format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{body}").into()]
    {
        let mut outside = connected(&system).await;
        let reply = outside.exchange(&request, false).await.expect("an answer");
        refused(&reply, 503, "overloaded");
        assert_eq!((reply.header("retry-after"), reply.is_last()), (Some("1"), true), "{reply:?}");
        assert_eq!(outside.rest().await, Ok(Vec::new()));
    }
    // Another port has places of its own.
    Buyer::nobody(&system.url(8082)).get("/api/events").await.expect(200);
    inside.truncate(10);
    until("a place is free", || async {
        let reply = connected(&system).await.exchange(GET, false).await.expect("an answer");
        (reply.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn few_files_are_fewer_connections_and_nothing_breaks() {
    let system = System::start(&[(OPEN_FILES, "700")]).await;
    let mut crowd: Vec<Wire> = join_all((0..500).map(|_| connected(&system))).await;
    let ask = |wire| async { Wire::exchange(wire, GET, false).await.map(|reply| reply.status) };
    let answers = join_all(crowd.iter_mut().map(ask)).await;
    let served = answers.iter().filter(|answer| **answer == Ok(200)).count();
    // The rest is told so, or let go without a word where too many are told at once.
    assert!((100..400).contains(&served), "{served} of 500: {answers:?}");
    assert!(answers.contains(&Ok(503)), "{answers:?}");
    // What there is behind the gateway has files enough, and a port of its own.
    let ann = Buyer::register(&system.url(8081), "Ann").await;
    let event = ann.at(&system.url(8082)).sample("VISUAL").await;
    let hold = ann.at(&system.url(8083)).hold(&event, &["A1"]).await.expect(201);
    let ann = ann.at(&system.url(8084));
    let booking = ann.book(&hold, "pm_ok").await.expect(201);
    assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
}

/// Requests of every kind, some of them large, each on a connection of its own.
async fn round(system: &System, ann: &Buyer) {
    let large = |length: usize| post("/api/inventory/holds", ann, "", &" ".repeat(length));
    let wrong = json!({"eventId": "x", "seatIds": vec!["Z9"; 1_000]}).to_string();
    for number in 0..40 {
        let (head, body) = match number % 4 {
            0 => large(60_000),
            1 => large(600_000),
            2 => post("/api/inventory/holds", ann, &format!("Idempotency-Key: {number}\r\n"), &wrong),
            _ => post(&format!("/api/nothing/{}", "x".repeat(20_000)), ann, "", "{}"),
        };
        let requests = (0..4).map(|_| async {
            let mut wire = connected(system).await;
            wire.exchange(format!("{head}{body}").as_bytes(), false).await.expect("an answer")
        });
        assert!(join_all(requests).await.iter().all(|reply| (400..500).contains(&reply.status)));
        // And one that breaks off.
        let mut gone = Wire::connect(gateway(system)).await;
        gone.send(&head).await;
    }
}

#[tokio::test]
async fn memory_stays_flat() {
    let rounds = setting("WIRE_ROUNDS").unwrap_or(12);
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    for _ in 0..rounds.clamp(2, 10) {
        round(&system, &ann).await; // warm
    }
    let before = system.resident();
    for _ in 0..rounds {
        round(&system, &ann).await;
    }
    let after = system.resident();
    println!("{before} bytes before {rounds} rounds, {after} after");
    // One body of 60 kB in a round of 40 that is kept would be more.
    let most = before + 16 * 1_024 * 1_024;
    assert!(after < most, "{before} bytes before {rounds} rounds, {after} after");
}
