//! `ticketblitz demo --buyers N`: a crowd buys from one sale, each buyer one seat, and what each step took.

mod accounts;
mod tally;

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::seq::{IndexedRandom, IteratorRandom};
use serde_json::{Value, json};
use ticketblitz_core::{Clock, SystemClock};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::api::{Api, Failure, text};
use crate::config::DemoArgs;
use crate::out::say;
use accounts::Accounts;
use tally::{Step, Tally};

/// Seats for each buyer: enough for all, few enough for them to get in each other's way.
const SEATS_EACH: u32 = 2;
/// The largest event there is.
const MOST_SEATS: u32 = 100_000;
/// Seats that a buyer tries by chance before looking which ones are free.
const GUESSES: u32 = 3;
const PROGRESS: Duration = Duration::from_millis(200);

pub(super) async fn run(args: &DemoArgs, buyers: u32) -> Result<(), String> {
    let api = Api::new(&args.url)?;
    let accounts = Accounts::of(&api, &args.data_dir).await?;
    say!("{buyers} buyers at {}, {} at a time, {accounts}", args.url, args.concurrency);
    let sale = Arc::new(Sale::open(&api, &accounts, buyers).await?);
    say!("on sale: {} seats of {}\n", sale.seats.len(), sale.name);
    let crowd = accounts.buyers(&api, buyers, args.concurrency).await?;
    let began = Instant::now();
    let tally = all_buy(crowd, args.concurrency, &sale).await?;
    tally.print(began.elapsed());
    tally.verdict()
}

/// As many at a time as `concurrency` says, each one after the other.
async fn all_buy(crowd: Vec<Api>, concurrency: u32, sale: &Arc<Sale>) -> Result<Tally, String> {
    let (all, served) = (crowd.len(), Arc::new(AtomicUsize::new(0)));
    let crowd = Arc::new(Mutex::new(VecDeque::from(crowd)));
    let mut lanes = JoinSet::new();
    for _ in 0..concurrency {
        let (crowd, served, sale) = (crowd.clone(), served.clone(), sale.clone());
        lanes.spawn(async move {
            let mut tally = Tally::default();
            while let Some(buyer) = next(&crowd) {
                let ended = buy(&buyer, &sale, &mut tally).await;
                tally.ended(ended);
                served.fetch_add(1, Ordering::Relaxed);
            }
            tally
        });
    }
    let terminal = std::io::stderr().is_terminal();
    let mut progress = tokio::time::interval(PROGRESS);
    let mut whole = Tally::default();
    loop {
        tokio::select! {
            lane = lanes.join_next() => match lane {
                Some(lane) => whole.add(&lane.map_err(|error| format!("a buyer broke: {error}"))?),
                None => break,
            },
            _ = progress.tick(), if terminal => show(served.load(Ordering::Relaxed), all),
        }
    }
    if terminal {
        show(all, all);
    }
    Ok(whole)
}

fn next(crowd: &Mutex<VecDeque<Api>>) -> Option<Api> {
    crowd.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()
}

/// A bar of forty, on the error stream so that what is printed can be kept.
fn show(served: usize, all: usize) {
    let full = served * 40 / all.max(1);
    let end = if served == all { "\r\x1b[K" } else { "" };
    let bar = format!("\r  [{:<40}] {served} of {all}{end}", "#".repeat(full));
    // A lost progress line is no reason to stop.
    let _ = std::io::stderr().write_all(bar.as_bytes());
}

/// How a buyer's booking ended, or that there was nothing left to book.
async fn buy(api: &Api, sale: &Sale, tally: &mut Tally) -> Result<String, Failure> {
    let began = Instant::now();
    let Some(hold) = hold(api, sale, tally).await? else { return Ok("sold out".to_owned()) };
    let (body, key) =
        (json!({"holdId": hold["holdId"], "paymentMethod": "pm_ok"}), Uuid::now_v7().to_string());
    let booking = tally.timed(Step::Book, api.post("/api/bookings", &body, Some(&key))).await?;
    let path = format!("/api/bookings/{}", text(&booking, "id")?);
    let booking = tally.timed(Step::Confirm, api.get_waiting(&path)).await?;
    let status = text(&booking, "status")?;
    if status == "CONFIRMED" {
        tally.took(Step::Whole, began.elapsed());
    }
    Ok(status)
}

/// Tries seats by chance, then free ones, until one is held or none is left.
async fn hold(api: &Api, sale: &Sale, tally: &mut Tally) -> Result<Option<Value>, Failure> {
    for tried in 0.. {
        let seat = if tried < GUESSES { sale.any() } else { sale.free(api).await? };
        let Some(seat) = seat else { break };
        let began = Instant::now();
        match api.post("/api/inventory/holds", &json!({"eventId": sale.event, "seatIds": [seat]}), None).await
        {
            Ok(hold) => {
                tally.took(Step::Hold, began.elapsed());
                return Ok(Some(hold));
            }
            Err(refused) if refused.kind.as_deref() == Some("seats-unavailable") => {
                tally.took(Step::Taken, began.elapsed());
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// The event that the crowd buys from.
struct Sale {
    event: String,
    name: String,
    seats: Vec<String>,
}

impl Sale {
    /// A new event if an organizer can be had, else one that is on sale.
    async fn open(api: &Api, accounts: &Accounts, buyers: u32) -> Result<Self, String> {
        let event = match accounts.organizer(api).await? {
            Some(organizer) => {
                let event = json!({
                    "name": format!("Crowd of {buyers}"), "venue": "Demo Hall", "timeZone": "UTC",
                    "startsAt": SystemClock.now() + Duration::from_secs(30 * 86_400), "currency": "EUR",
                    "bookingMode": "VISUAL", "totalSeats": (buyers * SEATS_EACH).min(MOST_SEATS),
                });
                organizer.post("/api/events", &event, None).await?
            }
            None => {
                let events = api.get("/api/events?filter=available").await?;
                let visual =
                    |event: &&Value| event["bookingMode"] == "VISUAL" && event["status"] == "ON_SALE";
                let found = events["items"].as_array().and_then(|events| events.iter().find(visual));
                found.cloned().ok_or("no event with numbered seats is on sale")?
            }
        };
        let id = text(&event, "id")?;
        let layout = api.get(&format!("/api/events/{id}/seats")).await?;
        let sections = layout["sections"].as_array().into_iter().flatten();
        let seats = sections.filter_map(|section| section["seats"].as_array()).flatten();
        let seats = seats.filter_map(|seat| seat.as_str().map(str::to_owned)).collect();
        Ok(Self { name: text(&event, "name")?, event: id, seats })
    }

    fn any(&self) -> Option<String> {
        self.seats.choose(&mut rand::rng()).cloned()
    }

    async fn free(&self, api: &Api) -> Result<Option<String>, Failure> {
        let live = api.get(&format!("/api/inventory/events/{}/seats", self.event)).await?;
        let seats = live["seats"].as_object().into_iter().flatten();
        let free = seats.filter(|(_, state)| *state == "AVAILABLE").map(|(seat, _)| seat.clone());
        Ok(free.choose(&mut rand::rng()))
    }
}
