//! Good values: what makes a request right, so that a single wrong thing in it is looked at.

use std::sync::Arc;
use std::time::Duration;

use platform::auth::{Role, ServiceTokens};
use serde_json::{Value, json};
use ticketblitz_core::{SystemClock, UserId};
use uuid::Uuid;

use super::endpoints::Endpoint;
use crate::common::{Buyer, System};

pub const SECRET: &str = "a secret that the services share";

/// Stands for something that is new in every request that is sent.
pub const NEW: &str = "@@NEW@@";
/// Stands for a seat that nobody has asked for yet.
pub const SEAT: &str = "@@SEAT@@";

/// Who asks, and for what.
pub struct Known {
    pub user: Buyer,
    pub staff: Buyer,
    /// Tokens that are good for nothing.
    pub bad_tokens: Vec<String>,
    event: Value,
    hold: Value,
    booking: Value,
    payment: Value,
    charge: String,
    refresh: String,
    /// Where the inventory is told of something that no other service knows.
    phantom: Uuid,
}

impl Known {
    /// Of a system that shares [`SECRET`].
    pub async fn of(system: &System, provider: &System) -> Self {
        let (user, staff) = (system.buyer("Ann").await, system.admin().await);
        let bad_tokens = bad_tokens(system, &user).await;
        let nothing = Value::Null;
        let mut known = Self {
            user,
            staff,
            bad_tokens,
            event: nothing.clone(),
            hold: nothing.clone(),
            booking: nothing.clone(),
            payment: nothing,
            charge: String::new(),
            refresh: String::new(),
            phantom: Uuid::now_v7(),
        };
        known.refresh(system, provider).await;
        known
    }

    /// Makes anew what requests use up: the event and all that is bought of it.
    pub async fn refresh(&mut self, system: &System, provider: &System) {
        let body = json!({"name": "Fuzz", "venue": "Hall", "startsAt": "2031-05-01T10:00:00Z", "timeZone": "UTC",
            "currency": "EUR", "bookingMode": "VISUAL", "totalSeats": 400, "maxSeatsPerCustomer": 400});
        self.event = self.staff.post("/api/events", &body).await.expect(201);
        self.booking = self.user.buy(&self.event, &["A1"], "pm_ok").await;
        assert_eq!(self.booking["status"], "CONFIRMED");
        self.payment = self.user.payment(&self.booking).await;
        self.hold = self.user.hold(&self.event, &["A2"]).await.expect(201);
        // A session of its own: a refresh token that is used ends the others of its family.
        let login = json!({"email": self.user.session["email"], "password": "pass123"});
        let session = Buyer::nobody(&system.url(8080)).post("/api/auth/login", &login).await.expect(200);
        self.refresh = text(&session["refreshToken"]);
        let psp = Buyer::nobody(&provider.url(8089));
        let body = json!({"reference": "fuzz", "amount": 1, "currency": "EUR", "paymentMethod": "pm_ok"});
        self.charge = text(&psp.post("/v1/charges", &body).await.expect(201)["id"]);
        self.phantom = Uuid::now_v7();
    }

    /// The token that opens this endpoint.
    pub fn token(&self, endpoint: &Endpoint) -> String {
        if endpoint.is_internal() {
            return ServiceTokens::new(SECRET.as_bytes()).mint("fuzz").to_string();
        }
        let staff = endpoint.template.starts_with("/api/events");
        let buyer = if staff { &self.staff } else { &self.user };
        buyer.token.clone().expect("a token")
    }

    /// The path with what there is in it.
    pub fn parameter(&self, endpoint: &Endpoint, name: &str) -> String {
        let before = endpoint.template.split(&format!("/{{{name}}}")).next().unwrap_or_default();
        match before.rsplit('/').next().unwrap_or_default() {
            _ if before.starts_with("/internal/inventory") => self.phantom.to_string(),
            "events" => text(&self.event["id"]),
            "bookings" => text(&self.booking["id"]),
            "holds" => text(&self.hold["holdId"]),
            "payments" => text(&self.payment["id"]),
            "users" => text(&self.user.session["userId"]),
            _ if !endpoint.described => self.phantom.to_string(),
            _ => panic!("no good value of {name} in {}: name one here", endpoint.template),
        }
    }

    /// A value for a parameter of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        match name {
            "limit" => Some("10".to_owned()),
            "cursor" => None, // as a page before gives it
            "filter" => Some("upcoming".to_owned()),
            "bookingId" => Some(text(&self.booking["id"])),
            _ => Some("a".to_owned()),
        }
    }

    /// A value for a field of a body; none for one that is left out of a request that is right.
    pub fn field(&self, endpoint: &Endpoint, name: &str) -> Option<Value> {
        let internal = endpoint.is_internal();
        Some(match name {
            // Seats and quantities, sections and a total: one or the other.
            "sections" if internal => json!([{"name": "Floor", "price": 100, "capacity": 50}]),
            "section" | "sections" | "quantity" | "salesStart" | "waitingRoom" => return None,
            "salesEnd" if internal => json!("2031-05-01T10:00:00Z"),
            "salesEnd" => return None,
            "bookingMode" if internal => json!("TATKAL"),
            "bookingMode" => json!("VISUAL"),
            // Logging in takes an account; registering takes a new address.
            "email" if endpoint.template.ends_with("/login") => self.user.session["email"].clone(),
            "email" => json!(format!("{NEW}@example.com")),
            "password" => json!("pass123"),
            "refreshToken" => json!(self.refresh),
            "eventId" => self.event["id"].clone(),
            "seatIds" => json!([SEAT]),
            "holdId" => self.hold["holdId"].clone(),
            "bookingId" => json!(self.phantom),
            "userId" => self.user.session["userId"].clone(),
            "paymentMethod" => json!("pm_ok"),
            "chargeId" => json!(self.charge),
            "currency" => json!("EUR"),
            "startsAt" => json!("2031-05-01T10:00:00Z"),
            "timeZone" => json!("Europe/Paris"),
            "totalSeats" => json!(400),
            "maxSeatsPerCustomer" => json!(400),
            "seconds" => json!(700),
            "amount" => json!(100),
            _ => return None,
        })
    }

    /// Frees what the inventory was made to give to a booking that is none.
    pub async fn give_back(&self, system: &System) {
        let mut service = Buyer::nobody(&system.url(8083));
        service.token = Some(ServiceTokens::new(SECRET.as_bytes()).mint("fuzz").to_string());
        let path = format!("/internal/inventory/bookings/{}/release", self.phantom);
        service.post(&path, &json!({})).await;
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Expired, of another instance, of another secret, without an algorithm, damaged.
async fn bad_tokens(system: &System, user: &Buyer) -> Vec<String> {
    let subject: UserId = text(&user.session["userId"]).parse().expect("an id");
    let expired =
        auth::mint(system.data_dir(), subject, Role::Admin, Duration::ZERO, Arc::new(SystemClock)).await;
    let elsewhere = tempfile::tempdir().expect("a directory");
    let hour = Duration::from_secs(3_600);
    let other = auth::mint(elsewhere.path(), subject, Role::Admin, hour, Arc::new(SystemClock)).await;
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIwMTg5MDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiLCJyb2xlIjoiQURNSU4iLCJleHAiOjk5OTk5OTk5OTl9.";
    let good = user.token.clone().expect("a token");
    let mut damaged = good.clone();
    damaged.replace_range(
        good.len() - 10..good.len() - 9,
        if good.as_bytes()[good.len() - 10] == b'A' { "B" } else { "A" },
    );
    vec![
        expired.expect("a token"),
        other.expect("a token"),
        ServiceTokens::new(b"another secret").mint("booking").to_string(),
        none.to_owned(),
        damaged,
        good.rsplit_once('.').expect("a signature").0.to_owned(),
    ]
}
