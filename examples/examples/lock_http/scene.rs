//! A buyer who hangs up, another who is too late, and a sale. The router is called as a function: no socket.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use ticketblitz_core::EventId;
use ticketblitz_lock::{AttemptId, EventSnapshot, LockError, SeatState, SeatStore};
use tower::ServiceExt;

use super::router;

type Answer = (StatusCode, HeaderMap, Value);

/// Who sends what, and as which attempt.
struct Client {
    app: Router,
    name: &'static str,
    key: AttemptId,
}

impl Client {
    fn new(app: &Router, name: &'static str) -> Self {
        Self { app: app.clone(), name, key: AttemptId::new() }
    }

    async fn send(&self, method: Method, path: String, body: Value) -> Result<Answer, Box<dyn Error>> {
        let request = Request::builder().method(method).uri(path).header("x-buyer", self.name);
        let request = request.header("idempotency-key", self.key.to_string());
        let request =
            request.header("content-type", "application/json").body(Body::from(body.to_string()))?;
        let response = self.app.clone().oneshot(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 65_536).await?;
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        println!("{}: {status} {body}", self.name);
        Ok((status, headers, body))
    }

    async fn hold(&self, event: EventId, seats: &[&str]) -> Result<Answer, Box<dyn Error>> {
        self.send(Method::POST, format!("/events/{event}/holds"), json!({ "seats": seats })).await
    }
}

pub async fn play(store: Arc<dyn SeatStore>) -> Result<(), Box<dyn Error>> {
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await?;
    let app = router(Arc::clone(&store));
    let [ann, bob] = ["ann", "bob"].map(|name| Client::new(&app, name));

    // Ann hangs up before the answer. Whether or not she had the seats by then, her key gets them, once.
    begin_and_hang_up(ann.hold(event, &["A1", "A2"])).await;
    let (status, _, first) = ann.hold(event, &["A1", "A2"]).await?;
    let (_, _, again) = ann.hold(event, &["A1", "A2"]).await?;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(first["fence"], again["fence"]);

    let (status, headers, body) = bob.hold(event, &["A2", "A3"]).await?;
    assert_eq!((status, &body["seats"][0]["seat"]), (StatusCode::CONFLICT, &json!("A2")));
    assert!(body["seats"][1].is_null(), "A3 is free, and nobody holds it");
    let seconds: u64 = headers["retry-after"].to_str()?.parse()?;
    assert!((1..=600).contains(&seconds), "{seconds} s");

    let ours = format!("/events/{event}/holds/{}", first["hold"].as_str().ok_or("a hold has an id")?);
    let (status, ..) = bob.send(Method::POST, format!("{ours}/pay"), Value::Null).await?;
    assert_eq!(status, StatusCode::GONE, "it is not his");
    // Ann hangs up once more: the payment, once begun, goes on without her.
    begin_and_hang_up(ann.send(Method::POST, format!("{ours}/pay"), Value::Null)).await;
    until_sold(&*store, event).await?;
    let (status, _, receipt) = ann.send(Method::POST, format!("{ours}/pay"), Value::Null).await?;
    assert!(
        status == StatusCode::OK && receipt["booking"].is_string(),
        "asked again, she is told: {receipt}"
    );
    let (status, headers, body) = bob.hold(event, &["A2"]).await?;
    assert_eq!((status, &body["seats"][0]["state"]), (StatusCode::CONFLICT, &json!("sold")));
    assert!(!headers.contains_key("retry-after"), "it will not be free");

    let cara = Client::new(&app, "cara");
    let (_, _, held) = cara.hold(event, &["B1"]).await?;
    let hers = format!("/events/{event}/holds/{}", held["hold"].as_str().ok_or("a hold has an id")?);
    for _ in 0..2 {
        let (status, ..) = cara.send(Method::DELETE, hers.clone(), Value::Null).await?;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    store.unload(event).await?;
    Ok(())
}

/// Lets a request come as far as its first wait, and drops it there.
async fn begin_and_hang_up<T>(request: impl Future<Output = T>) {
    let mut request = std::pin::pin!(request);
    poll_fn(|context| {
        let _perhaps_answered = request.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
}

async fn until_sold(store: &dyn SeatStore, event: EventId) -> Result<(), LockError> {
    let began = Instant::now();
    while store.status(event).await?.seats.iter().any(|(_, state)| *state != SeatState::Sold) {
        assert!(began.elapsed() < Duration::from_secs(30), "the payment does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
