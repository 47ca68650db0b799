//! Who sends slowly, stops in the middle, or takes no answer.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{connected, gateway, id, post, refused};
use crate::common::wire::Lost;
use crate::common::{Buyer, System, until};

/// Between two bytes: a head or a body takes far longer than it may.
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_head_that_drips_in_ends_the_connection() {
    let system = System::start(&[("TICKETBLITZ_HEAD_TIMEOUT", "1s")]).await;
    let (mut slow, began) = (connected(&system).await, Instant::now());
    let head = format!("GET /api/events HTTP/1.1\r\nHost: x\r\nX-Slow: {}", "x".repeat(10_000));
    slow.drip(head, PAUSE).await.expect_err("nobody listens any more");
    assert!(began.elapsed() >= Duration::from_secs(1), "after {:?}", began.elapsed());
    // One that says nothing at all, or nothing more, goes the same way.
    let (mut silent, mut done) = (connected(&system).await, connected(&system).await);
    let answer =
        done.exchange(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n", false).await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(silent.rest().await, Ok(Vec::new()));
    assert_eq!(done.rest().await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_body_that_drips_in_is_400() {
    let system = System::start(&[("TICKETBLITZ_BODY_TIMEOUT", "1s")]).await;
    let ann = system.buyer("Ann").await;
    let (head, body) =
        post("/api/inventory/holds", &ann, "", &json!({"eventId": "x".repeat(10_000)}).to_string());
    let mut slow = connected(&system).await;
    slow.send(head).await;
    let _ = slow.drip(&body[..200], PAUSE).await; // the end may come before the last of them
    refused(&slow.reply().await.expect("an answer"), 400, "malformed-request");
    assert!(matches!(slow.rest().await, Ok(rest) if rest.is_empty()), "nothing after it");
    assert_eq!(ann.get("/api/events").await.status, 200);
}

#[tokio::test]
async fn an_endless_body_is_413() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let head = format!(
        "POST /api/inventory/holds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        ann.token.as_deref().expect("a token")
    );
    let mut endless = connected(&system).await;
    // Far more than is read off, and no end.
    let chunks = format!("1000\r\n{}\r\n", " ".repeat(4_096)).repeat(5_000);
    match endless.exchange((head + &chunks).as_bytes(), false).await {
        Ok(reply) => refused(&reply, 413, "too-large"),
        // Told while it still sends, it may not hear it.
        Err(lost) => assert!(matches!(lost, Lost::Broken(_)), "{lost}"),
    }
    assert!(!matches!(endless.rest().await, Err(Lost::Silent)), "the connection is over");
    assert_eq!(ann.get("/api/events").await.status, 200);
}

#[tokio::test]
async fn who_takes_no_answer_is_let_go() {
    // One place: whoever has it keeps everybody else out.
    let settings = [("TICKETBLITZ_BODY_TIMEOUT", "1s"), ("TICKETBLITZ_MAX_CONNECTIONS", "1")];
    let system = System::start(&settings).await;
    let mut greedy = TcpStream::connect(("127.0.0.1", gateway(&system))).await.expect("connects");
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let asked = request.repeat(5_000);
    // Connected until the end, and never reading.
    let greedy = tokio::spawn(async move {
        let _ = greedy.write_all(&asked).await; // the server stops reading, then it hangs up
        std::future::pending::<()>().await;
        drop(greedy);
    });
    until("there is a place again", || async {
        let mut next = connected(&system).await;
        let reply =
            next.exchange(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n", false).await.expect("an answer");
        (reply.status == 200).then_some(())
    })
    .await;
    greedy.abort();
}

#[tokio::test]
async fn who_has_said_everything_still_gets_the_answer() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let mut half = connected(&system).await;
    half.send("GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n").await;
    half.close_sending().await;
    let reply = half.reply().await.expect("an answer");
    assert_eq!(reply.json()["items"].as_array().map(Vec::len), Some(2), "{}", reply.text());
    assert_eq!(half.rest().await, Ok(Vec::new()));
    // In the middle of a body there is nothing to be done, and that is said.
    let (head, body) = post("/api/inventory/holds", &ann, "", "{\"eventId\": 1}");
    let mut half = connected(&system).await;
    half.send(head + &body[..5]).await;
    half.close_sending().await;
    refused(&half.reply().await.expect("an answer"), 400, "malformed-request");
}

/// Cut off anywhere, a booking is there as a whole or not at all, and the same key asked again ends in exactly one.
#[tokio::test]
async fn a_booking_that_is_cut_off_is_whole_or_none() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let event = ann.sample("VISUAL").await;
    for (seat, part) in [0.2, 0.5, 0.9, 0.99, 1.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
        let seat = format!("A{}", seat + 1);
        let hold = ann.hold(&event, &[&seat]).await.expect(201);
        let key = Uuid::now_v7().to_string();
        let body = json!({"holdId": hold["holdId"], "paymentMethod": "pm_ok"}).to_string();
        let (head, body) = post("/api/bookings", &ann, &format!("Idempotency-Key: {key}\r\n"), &body);
        let bytes = head + &body;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sent = (bytes.len() as f64 * part) as usize;
        cut_off(&system, &bytes.as_bytes()[..sent]).await;
        let booking = ann.send(ann.book_request(&hold, "pm_ok", &key)).await.expect(201);
        assert_eq!(ann.settled(&booking).await["status"], "CONFIRMED");
        assert_eq!(
            (ann.seat(&event, &seat).await, ann.tickets(&booking).await.len()),
            ("SOLD".to_owned(), 1)
        );
        let again = ann.send(ann.book_request(&hold, "pm_ok", &key)).await.expect(201);
        assert_eq!(id(&again["id"]), id(&booking["id"]));
    }
    let bookings = ann.get("/api/bookings").await.expect(200);
    assert_eq!(bookings["items"].as_array().map(Vec::len), Some(8), "{bookings}");
    let audit = system.run(&["audit", "--port-offset", &system.offset.to_string()]).await;
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
}

/// Sends, and is gone without a goodbye.
async fn cut_off(system: &System, bytes: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway(system))).await.expect("connects");
    stream.set_zero_linger().expect("set");
    stream.write_all(bytes).await.expect("sent");
    drop(stream);
    // Whatever it began is under way before the next request comes.
    Buyer::nobody(&system.url(8080)).get("/actuator/health").await.expect(200);
}
