use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;

async fn answered(problem: Problem) -> (u16, http::HeaderMap, Value) {
    let (head, body) = problem.into_response().into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    (head.status.as_u16(), head.headers, serde_json::from_slice(&bytes).expect("JSON"))
}

#[tokio::test]
async fn a_problem_is_written_as_the_contract_says() {
    let problem =
        Problem::new(kinds::VALIDATION_FAILED, "wrong").field("email", "is missing").with("limit", 3);
    let (status, headers, body) = answered(problem).await;
    assert_eq!((status, &headers["content-type"]), (422, &HeaderValue::from_static(CONTENT)));
    assert_eq!(body["type"], "urn:ticketblitz:problem:validation-failed");
    assert_eq!((&body["title"], &body["detail"]), (&json!("Validation failed"), &json!("wrong")));
    assert_eq!(body["errors"], json!([{"field": "email", "message": "is missing"}]));
    assert_eq!(body["limit"], 3);
}

#[tokio::test]
async fn shedding_always_says_when_to_come_back() {
    for (problem, seconds) in [
        (Problem::unavailable("it"), "1"),
        (Problem::new(kinds::OVERLOADED, "x"), "1"),
        (Problem::new(kinds::RATE_LIMITED, "x").retry_after(Duration::from_millis(1_200)), "2"),
    ] {
        assert_eq!(answered(problem).await.1["retry-after"], seconds);
    }
    assert!(!answered(Problem::not_found("x")).await.1.contains_key("retry-after"));
    assert_eq!(answered(Problem::new(kinds::UNAUTHENTICATED, "x")).await.1["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn another_services_problem_is_passed_on_whole() {
    let first = Problem::new(Kind::new("seats-gone", 409, "Gone"), "A1")
        .with("seats", ["A1"])
        .field("seatIds", "gone");
    let (_, _, body) = answered(first).await;
    let read = Problem::from_json(StatusCode::CONFLICT, body.to_string().as_bytes()).expect("a problem");
    let (status, _, again) = answered(read).await;
    assert_eq!((status, again), (409, body));
    assert_eq!(Problem::from_json(StatusCode::CONFLICT, b"{\"type\":\"about:blank\"}"), None);
}

#[test]
fn a_store_that_cannot_be_used_is_not_logged_once_a_request() {
    const REQUESTS: usize = 10_000;
    let log = tempfile::NamedTempFile::new().expect("a file");
    let lines = std::sync::Arc::new(log.reopen().expect("opens"));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines).finish();
    let began = std::time::Instant::now();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..REQUESTS {
            assert_eq!(Problem::of_store("the disk is full", true).status(), 503);
        }
        tracing::warn!("the log is written");
    });
    let log = std::fs::read_to_string(log.path()).expect("lines");
    let said = log.lines().filter(|line| line.contains("a store cannot be used")).count();
    let most = usize::try_from(began.elapsed().as_secs()).expect("small") + 1;
    assert!(log.contains("the log is written") && said <= most, "{said} lines in {most} s");
}
