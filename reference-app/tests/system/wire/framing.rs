//! Where a request begins and ends: pipelining, odd lengths, smuggling, and what is no HTTP.

use serde_json::json;

use super::{connected, post, refused};
use crate::common::System;
use crate::common::wire::{Lost, Reply};

/// Sends one thing; every answer until the connection ends or says nothing more, by asking for it to end.
async fn answers(system: &System, bytes: impl AsRef<[u8]>) -> Vec<Reply> {
    let mut wire = connected(system).await;
    wire.send(bytes).await;
    wire.close_sending().await;
    let mut answers = Vec::new();
    loop {
        match wire.reply().await {
            Ok(reply) => answers.push(reply),
            Err(Lost::Closed(0) | Lost::Broken(_)) => return answers,
            Err(lost) => panic!("after {answers:?}: {lost}"),
        }
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_whole() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let mut requests = String::new();
    for number in 0..60 {
        let (head, body) = post("/api/inventory/holds", &ann, "", &json!({"eventId": number}).to_string());
        requests += &match number % 3 {
            0 => head + &body,
            1 => format!("GET /api/nothing/{number} HTTP/1.1\r\nHost: x\r\n\r\n"),
            _ => "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        };
    }
    let answers = answers(&system, requests).await;
    assert_eq!(answers.len(), 60);
    for (number, answer) in answers.iter().enumerate() {
        match number % 3 {
            0 => refused(answer, 400, "malformed-request"),
            1 => {
                refused(answer, 404, "not-found");
                assert!(answer.text().contains(&format!("/api/nothing/{number}\"")), "{}", answer.text());
            }
            _ => assert!(answer.json()["paths"].is_object(), "{answer:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_too_long_is_refused_by_the_contract() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    let many: String = (0..150).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = "x".repeat(100_000);
    for head in [
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /api/events HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /api/events HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("{long} / HTTP/1.1\r\nHost: x\r\n\r\n"),
        // Never an end of it.
        format!("GET /api/events HTTP/1.1\r\nHost: x\r\nX-Long: {long}"),
    ] {
        let mut wire = connected(&system).await;
        let reply = wire.exchange(head.as_bytes(), false).await.expect("an answer");
        refused(&reply, 400, "malformed-request");
        assert!(reply.is_last() && reply.header("traceparent").is_some(), "{reply:?}");
    }
    let padded = |length: usize| format!("{}{{}}", " ".repeat(length - 2));
    for (length, status, kind) in
        [(65_536, 422, "validation-failed"), (65_537, 413, "too-large"), (1_024 * 1_024, 413, "too-large")]
    {
        let (head, body) = post("/api/inventory/holds", &ann, "", &padded(length));
        let mut wire = connected(&system).await;
        refused(&wire.exchange((head + &body).as_bytes(), false).await.expect("an answer"), status, kind);
        // All of it was read off: the connection is as good as before.
        let next = wire.exchange(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n", false).await;
        assert_eq!(next.map(|reply| reply.status), Ok(200), "after {length} bytes");
    }
}

#[tokio::test]
async fn a_request_within_a_request_is_none() {
    let system = System::start(&[]).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    let (chunked, length) =
        ("Transfer-Encoding: chunked\r\n", format!("Content-Length: {}\r\n", hidden.len()));
    let with = |headers: &str, body: &str| {
        format!(
            "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{body}"
        )
    };
    for (headers, body) in [
        // Two lengths.
        (format!("Content-Length: 0\r\n{length}"), hidden.to_owned()),
        (format!("{length}Content-Length: 0\r\n"), hidden.to_owned()),
        ("Content-Length: 0, 35\r\n".to_owned(), hidden.to_owned()),
        // What is no length.
        ("Content-Length: +5\r\n".to_owned(), hidden.to_owned()),
        ("Content-Length: -1\r\n".to_owned(), hidden.to_owned()),
        ("Content-Length: 0x23\r\n".to_owned(), hidden.to_owned()),
        ("Content-Length: 99999999999999999999999\r\n".to_owned(), hidden.to_owned()),
        ("Content-Length : 5\r\n".to_owned(), hidden.to_owned()),
        // Both a length and chunks: the chunks count, and nothing after them.
        (format!("{length}{chunked}"), format!("0\r\n\r\n{hidden}")),
        (format!("{chunked}{length}"), format!("0\r\n\r\n{hidden}")),
        // Chunks by another name.
        ("Transfer-Encoding: xchunked\r\n".to_owned(), format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding: chunked, identity\r\n".to_owned(), format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding : chunked\r\n".to_owned(), format!("0\r\n\r\n{hidden}")),
        ("Transfer-Encoding:\x0bchunked\r\n".to_owned(), format!("0\r\n\r\n{hidden}")),
        (format!("{length}Transfer-Encoding: identity\r\n"), format!("0\r\n\r\n{hidden}")),
        // Chunks that are none.
        (chunked.to_owned(), format!("-1\r\n{hidden}")),
        (chunked.to_owned(), format!("fffffffffffffffff\r\n{hidden}")),
        (chunked.to_owned(), format!("1\r\nab\r\n0\r\n\r\n{hidden}")),
        (chunked.to_owned(), format!("g\r\n{hidden}")),
        // A header that goes on in the next line.
        (format!("X: a\r\n {length}"), hidden.to_owned()),
    ] {
        let answers = answers(&system, with(&headers, &body)).await;
        assert!(answers.len() <= 1, "{headers}{body}: {answers:?}");
        for answer in answers {
            assert!((400..500).contains(&answer.status), "{headers}: {answer:?}");
            refused(&answer, answer.status, &answer.kind());
            assert!(!answer.text().contains("hidden"), "{headers}: {answer:?}");
        }
    }
    // Twice the same is one.
    let twice = with(&format!("{length}{length}"), hidden);
    let answers = answers(&system, twice).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    refused(&answers[0], 400, "malformed-request");
}

#[tokio::test]
async fn what_is_no_http_is_refused_or_let_go() {
    let system = System::start(&[]).await;
    let hello =
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09".as_slice();
    for bytes in [
        hello,
        b"\0\0\0\0\0\0\0\0",
        b"\xff\xfe\xfd",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
        b"CONNECT example.com HTTP/1.1 x\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"",
    ] {
        let shown = String::from_utf8_lossy(bytes);
        let answers = answers(&system, bytes).await;
        assert!(answers.len() <= 1, "{shown}: {answers:?}");
        for answer in answers {
            refused(&answer, 400, "malformed-request");
            assert!(answer.is_last(), "{shown}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn old_clients_and_careful_ones_are_served() {
    let system = System::start(&[]).await;
    let ann = system.buyer("Ann").await;
    // HTTP/1.0 names no host and ends with its answer.
    let old = answers(&system, "GET /api/events HTTP/1.0\r\n\r\nGET /api/events HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200]);
    // HTTP/1.1 names one.
    for hosts in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nHost: a\r\n", "Host: a b\r\n", "Host: a/b\r\n"] {
        let answer = answers(&system, format!("GET /api/events HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(answer.len(), 1, "{hosts}");
        refused(&answer[0], 400, "malformed-request");
    }
    let elsewhere = "GET http://elsewhere.example/api/events HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n";
    assert_eq!(answers(&system, elsewhere).await[0].status, 200);
    // Who asks first whether to send the body is told to.
    let (head, body) = post("/api/inventory/holds", &ann, "Expect: 100-continue\r\n", "{}");
    let mut careful = connected(&system).await;
    careful.send(head).await;
    assert_eq!(careful.line().await.as_deref(), Ok("HTTP/1.1 100 Continue"));
    assert_eq!(careful.line().await.as_deref(), Ok(""));
    careful.send(body).await;
    refused(&careful.reply().await.expect("an answer"), 422, "validation-failed");
    // HEAD is a GET without its body.
    let both = "HEAD /api/events HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut wire = connected(&system).await;
    let head = wire.exchange(both.as_bytes(), true).await.expect("an answer");
    let get = wire.exchange(both.replace("HEAD", "GET").as_bytes(), false).await.expect("an answer");
    assert_eq!(head.header("content-length"), get.header("content-length"), "{head:?}");
}
