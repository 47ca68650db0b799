//! A client of a running system. An answer is kept whole, so that a test can look at all of it.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::until;

#[derive(Debug, Clone)]
pub struct Buyer {
    base: String,
    client: reqwest::Client,
    pub token: Option<String>,
    pub session: Value,
}

/// An answer: its status, headers and JSON (null if it has none).
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub body: Value,
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// A refusal as the contract writes it, of this status and kind.
    #[track_caller]
    pub fn refused(self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert!(!self.header("content-length").is_empty(), "{:?}", self.headers);
        let body = self.body;
        assert_eq!(body["type"], format!("urn:ticketblitz:problem:{kind}"), "{body}");
        assert_eq!(body["status"], status, "{body}");
        for member in ["title", "detail", "traceId"] {
            assert!(body[member].is_string(), "no {member}: {body}");
        }
        body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Buyer {
    /// Without a token.
    pub fn nobody(base: &str) -> Self {
        let client = reqwest::Client::builder().timeout(super::PATIENCE).build().expect("a client");
        Self { base: base.to_owned(), client, token: None, session: Value::Null }
    }

    /// Somebody with a token that was signed for them.
    pub fn with_token(base: &str, token: String) -> Self {
        Self { token: Some(token), ..Self::nobody(base) }
    }

    pub async fn register(base: &str, name: &str) -> Self {
        let mut buyer = Self::nobody(base);
        let email =
            format!("{}-{}@example.com", name.to_lowercase().replace(' ', "."), Uuid::now_v7().simple());
        let body = json!({"email": email, "password": "pass123", "name": name});
        buyer.session = buyer.post("/api/auth/register", &body).await.expect(201);
        buyer.token = buyer.session["accessToken"].as_str().map(str::to_owned);
        buyer
    }

    pub async fn log_in(base: &str, email: &str, password: &str) -> Self {
        let mut buyer = Self::nobody(base);
        let body = json!({"email": email, "password": password});
        buyer.session = buyer.post("/api/auth/login", &body).await.expect(200);
        buyer.token = buyer.session["accessToken"].as_str().map(str::to_owned);
        buyer
    }

    /// The same person at another address, such as a service's own port or a restarted system.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.expect("an answer")
    }

    pub async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status, headers, text, body })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// The sample event of this mode, `VISUAL` or `TATKAL`.
    pub async fn sample(&self, mode: &str) -> Value {
        let events = self.get("/api/events").await.expect(200);
        let events = events["items"].as_array().expect("a list").clone();
        events.into_iter().find(|event| event["bookingMode"] == mode).expect("a sample event")
    }

    pub async fn hold(&self, event: &Value, seats: &[&str]) -> Answer {
        self.post("/api/inventory/holds", &json!({"eventId": event["id"], "seatIds": seats})).await
    }

    pub async fn hold_area(&self, event: &Value, quantity: i64) -> Answer {
        let section = &event["sections"][0]["name"];
        let body = json!({"eventId": event["id"], "section": section, "quantity": quantity});
        self.post("/api/inventory/holds", &body).await
    }

    pub fn book_request(&self, hold: &Value, method: &str, key: &str) -> RequestBuilder {
        let body = json!({"holdId": hold["holdId"], "paymentMethod": method});
        self.request(Method::POST, "/api/bookings").header("Idempotency-Key", key).json(&body)
    }

    /// Books with a key of its own.
    pub async fn book(&self, hold: &Value, method: &str) -> Answer {
        self.send(self.book_request(hold, method, &Uuid::now_v7().to_string())).await
    }

    /// The booking once it is no longer PENDING.
    pub async fn settled(&self, booking: &Value) -> Value {
        let path = format!("/api/bookings/{}", booking["id"].as_str().expect("an id"));
        until("the booking is settled", || async {
            let request = self.request(Method::GET, &path).header("Prefer", "wait=10");
            let booking = self.send(request).await.expect(200);
            (booking["status"] != "PENDING").then_some(booking)
        })
        .await
    }

    /// Holds, books and waits until it is settled.
    pub async fn buy(&self, event: &Value, seats: &[&str], method: &str) -> Value {
        let hold = self.hold(event, seats).await.expect(201);
        let booking = self.book(&hold, method).await.expect(201);
        self.settled(&booking).await
    }

    pub async fn live(&self, event: &Value) -> Value {
        let id = event["id"].as_str().expect("an id");
        self.get(&format!("/api/inventory/events/{id}/seats")).await.expect(200)
    }

    pub async fn seat(&self, event: &Value, seat: &str) -> String {
        self.live(event).await["seats"][seat].as_str().expect("a seat").to_owned()
    }

    pub async fn event(&self, event: &Value) -> Value {
        self.get(&format!("/api/events/{}", event["id"].as_str().expect("an id"))).await.expect(200)
    }

    pub async fn tickets(&self, booking: &Value) -> Vec<Value> {
        let path = format!("/api/bookings/{}/tickets", booking["id"].as_str().expect("an id"));
        self.get(&path).await.expect(200)["items"].as_array().expect("a list").clone()
    }

    pub async fn payment(&self, booking: &Value) -> Value {
        let path = format!("/api/payments?bookingId={}", booking["id"].as_str().expect("an id"));
        let payments = self.get(&path).await.expect(200);
        assert!(payments["items"].as_array().expect("a list").len() <= 1, "two payments: {payments}");
        payments["items"][0].clone()
    }

    pub async fn notifications(&self) -> Vec<Value> {
        self.get("/api/notifications").await.expect(200)["items"].as_array().expect("a list").clone()
    }
}

/// The charges of a ledger that succeeded for this booking, and how many refunds there are of them.
pub fn charged(ledger: &Value, booking: &Value) -> (usize, usize) {
    let charges: Vec<&Value> = ledger["charges"]
        .as_array()
        .expect("charges")
        .iter()
        .filter(|charge| charge["reference"] == booking["id"] && charge["status"] == "succeeded")
        .collect();
    let refunds = ledger["refunds"].as_array().expect("refunds");
    let refunded =
        refunds.iter().filter(|r| charges.iter().any(|charge| charge["id"] == r["chargeId"])).count();
    (charges.len(), refunded)
}
