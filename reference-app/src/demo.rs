//! `ticketblitz demo`: one buyer goes through the nine steps of a booking as a client of a running system, or a crowd buys.

mod api;
mod crowd;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::DemoArgs;
use crate::out::say;
use api::{Api, text};

/// How long the demo waits for what the system does by itself: counting seats, sending mail.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) async fn run(args: DemoArgs) -> Result<(), String> {
    match args.buyers {
        None => one_buyer(&args).await,
        Some(buyers) => crowd::run(&args, buyers).await,
    }
}

async fn one_buyer(args: &DemoArgs) -> Result<(), String> {
    let mut demo = Demo { api: Api::new(&args.url)?, step: 0 };
    let began = Instant::now();
    say!("A buyer at {}\n", args.url);
    demo.register().await?;
    let event = demo.browse().await?;
    let seat = demo.choose(&event).await?;
    let hold = demo.hold(&event, seat.as_deref()).await?;
    let booking = demo.book(&hold).await?;
    demo.pay(&booking).await?;
    demo.confirm(&booking).await?;
    demo.count(&event).await?;
    demo.mail(&booking, &args.data_dir).await?;
    say!("\nSold in {}.", millis(began.elapsed()));
    Ok(())
}

struct Demo {
    api: Api,
    step: u32,
}

impl Demo {
    fn done(&mut self, began: Instant, what: &str) {
        self.step += 1;
        say!("{}. {what:<72} {:>10}", self.step, millis(began.elapsed()));
    }

    async fn register(&mut self) -> Result<(), String> {
        let began = Instant::now();
        let email = format!("demo-{}@example.com", Uuid::now_v7().simple());
        let body = json!({"email": email, "password": "demo-password", "name": "Demo Buyer"});
        let session = self.api.post("/api/auth/register", &body, None).await?;
        self.api.token = Some(text(&session, "accessToken")?);
        self.done(began, &format!("registered {}", &email[..17]));
        Ok(())
    }

    async fn browse(&mut self) -> Result<Value, String> {
        let began = Instant::now();
        let events = self.api.get("/api/events?filter=available").await?;
        let events = events["items"].as_array().cloned().unwrap_or_default();
        let on_sale = |event: &&Value| event["status"] == "ON_SALE";
        let visual = events.iter().filter(on_sale).find(|event| event["bookingMode"] == "VISUAL");
        let event = visual.or_else(|| events.iter().find(on_sale)).cloned();
        let event = event.ok_or("no event is on sale with places left")?;
        self.done(began, &format!("browsed: {} at {}", event["name"], event["venue"]));
        Ok(event)
    }

    /// A free seat of the map, or none where places have no seats.
    async fn choose(&mut self, event: &Value) -> Result<Option<String>, String> {
        let began = Instant::now();
        let id = text(event, "id")?;
        self.api.get(&format!("/api/events/{id}/seats")).await?;
        let live = self.api.get(&format!("/api/inventory/events/{id}/seats")).await?;
        let free = |(seat, state): (&String, &Value)| (state == "AVAILABLE").then(|| seat.clone());
        let seat = live["seats"].as_object().and_then(|seats| seats.iter().find_map(free));
        let chosen = seat
            .as_ref()
            .map_or_else(|| "a place without a number".to_owned(), |seat| format!("seat {seat}"));
        self.done(began, &format!("looked at the seat map, chose {chosen}"));
        Ok(seat)
    }

    async fn hold(&mut self, event: &Value, seat: Option<&str>) -> Result<Value, String> {
        let began = Instant::now();
        let body = match seat {
            Some(seat) => json!({"eventId": event["id"], "seatIds": [seat]}),
            None => json!({"eventId": event["id"], "section": event["sections"][0]["name"], "quantity": 1}),
        };
        let hold = self.api.post("/api/inventory/holds", &body, None).await?;
        self.done(began, &format!("held it for {} s", hold["ttlSeconds"]));
        Ok(hold)
    }

    async fn book(&mut self, hold: &Value) -> Result<String, String> {
        let began = Instant::now();
        let key = Uuid::now_v7().to_string();
        let body = json!({"holdId": hold["holdId"], "paymentMethod": "pm_ok"});
        let booking = self.api.post("/api/bookings", &body, Some(&key)).await?;
        let id = text(&booking, "id")?;
        let price = format!("{} {}", booking["amount"], text(&booking, "currency")?);
        self.done(began, &format!("booked for {price} (minor units), {}", text(&booking, "status")?));
        Ok(id)
    }

    async fn pay(&mut self, booking: &str) -> Result<(), String> {
        let began = Instant::now();
        let path = format!("/api/payments?bookingId={booking}");
        let payments = self
            .api
            .until(&path, PATIENCE, "the payment is made", |answer| {
                matches!(answer["items"][0]["status"].as_str(), Some("SUCCEEDED" | "FAILED" | "REFUNDED"))
            })
            .await?;
        let payment = &payments["items"][0];
        if payment["status"] != "SUCCEEDED" {
            return Err(format!("the payment ended {}", payment["status"]));
        }
        self.done(began, &format!("paid, charge {}", payment["providerChargeId"]));
        Ok(())
    }

    async fn confirm(&mut self, booking: &str) -> Result<(), String> {
        let began = Instant::now();
        let booked = self.api.get_waiting(&format!("/api/bookings/{booking}")).await?;
        if booked["status"] != "CONFIRMED" {
            return Err(format!("the booking ended {}: {}", booked["status"], booked["failureReason"]));
        }
        let tickets = self.api.get(&format!("/api/bookings/{booking}/tickets")).await?;
        let code = text(&tickets["items"][0], "code")?;
        self.done(began, &format!("confirmed, ticket {code}"));
        Ok(())
    }

    async fn count(&mut self, before: &Value) -> Result<(), String> {
        let began = Instant::now();
        let path = format!("/api/events/{}", text(before, "id")?);
        let available = before["availableSeats"].as_u64().unwrap_or_default();
        let fewer = |event: &Value| event["availableSeats"].as_u64().is_some_and(|now| now < available);
        let event = self.api.until(&path, PATIENCE, "the seat is counted", fewer).await?;
        self.done(began, &format!("seats left: {} -> {}", available, event["availableSeats"]));
        Ok(())
    }

    async fn mail(&mut self, booking: &str, data_dir: &Path) -> Result<(), String> {
        let began = Instant::now();
        let sent = |answer: &Value| answer["items"][0]["status"] == "SENT";
        let answer = self.api.until("/api/notifications", PATIENCE, "the mail is sent", sent).await?;
        let notification = &answer["items"][0];
        if notification["bookingId"] != booking {
            return Err(format!("the mail is of another booking: {notification}"));
        }
        let file = data_dir.join("mail").join(format!("{}.eml", text(notification, "id")?));
        // The data directory may be another machine's.
        let place = if file.exists() { file.display().to_string() } else { self.api.url("/mail") };
        self.done(began, "sent the confirmation by mail");
        say!("   {place}");
        Ok(())
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
