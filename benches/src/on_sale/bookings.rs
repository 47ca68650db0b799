//! Bookings to their end: how many a second when many buy, how long one takes when nobody else does, and how much
//! memory they leave behind.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::floors::Floors;
use super::http::progress;
use super::process::{GATEWAY, Hello, System};
use super::sale::{Mint, Sale};
use super::wire::{Connection, request};
use super::{CLIENTS, Scale};
use benches::table::{Goal, Row, Table, counted, median, percentile};

const WARM_UP: usize = 500;
const CROWD: usize = 3_000;
const ALONE: usize = 200;

pub(super) async fn measure(
    system: &System,
    hello: &Hello,
    scale: Scale,
    table: &mut Table,
) -> Result<(), String> {
    let (warm_up, crowd, alone) = (scale.of(WARM_UP), scale.of(CROWD), scale.of(ALONE));
    let all = warm_up + scale.rounds * (crowd + alone);
    let mut buyers = Buyers::new(system, all).await?;
    let floors = Floors::open(system.dir.path()).await?;
    buyers.buy(warm_up, CLIENTS).await?;
    floors.rate(CLIENTS, warm_up).await;
    let mut figures = Figures::default();
    for round in 1..=scale.rounds {
        system.at_rest().await?;
        progress(round, "confirmed bookings");
        let floor = floors.rate(CLIENTS, crowd).await;
        figures.rates.push((buyers.buy(crowd, CLIENTS).await?.rate(), floor));
        system.at_rest().await?;
        progress(round, "one buyer alone");
        let floor = floors.alone(alone).await;
        figures.alone.push((buyers.buy(alone, 1).await?.millis, floor));
    }
    system.at_rest().await?;
    figures.tell(table);
    table.add(Row {
        what: format!("resident memory after {} bookings", counted(all)),
        unit: "MB",
        measured: system.resident()?,
        floor: Some(hello.resident()?),
        goals: vec![Goal::AtMost(100.0)],
    });
    Ok(())
}

/// Each with its floor, round by round.
#[derive(Default)]
struct Figures {
    rates: Vec<(f64, f64)>,
    alone: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Figures {
    fn tell(self, table: &mut Table) {
        let (rates, floors) = self.rates.into_iter().unzip();
        table.add(Row {
            what: format!("confirmed bookings, {CLIENTS} buyers who wait"),
            unit: "/s",
            measured: median(rates),
            floor: Some(median(floors)),
            goals: vec![Goal::AtLeast(1_300.0), Goal::RatioAtLeast(0.5)],
        });
        for (percent, goals) in [(50, vec![]), (99, vec![Goal::RatioAtMost(3.0)])] {
            let of = |millis: &Vec<f64>| percentile(millis, percent);
            let (measured, floors) = self.alone.iter().map(|(millis, floor)| (of(millis), of(floor))).unzip();
            table.add(Row {
                what: format!("one buyer alone, hold to CONFIRMED, p{percent}"),
                unit: "ms",
                measured: median(measured),
                floor: Some(median(floors)),
                goals,
            });
        }
    }
}

/// Who has not bought yet: a token and a request for a seat that is free.
struct Buyers {
    gateway: SocketAddr,
    waiting: VecDeque<(String, Vec<u8>)>,
}

/// What so many bookings took.
struct Bought {
    took: Duration,
    /// Each from its hold to CONFIRMED.
    millis: Vec<f64>,
}

impl Bought {
    fn rate(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // a rate to be read
        let bookings = self.millis.len() as f64;
        bookings / self.took.as_secs_f64()
    }
}

impl Buyers {
    async fn new(system: &System, count: usize) -> Result<Self, String> {
        let (gateway, mint) = (system.address(GATEWAY), Mint::of(system.dir.path()).await?);
        let sale = Sale::open(gateway, &mint, count).await?;
        let tokens = mint.buyers(count).await?;
        let holds = sale.hold_each(&tokens);
        Ok(Self { gateway, waiting: tokens.into_iter().zip(holds).collect() })
    }

    /// The next so many buy, `concurrency` of them at a time.
    async fn buy(&mut self, count: usize, concurrency: usize) -> Result<Bought, String> {
        let next: VecDeque<_> = self.waiting.drain(..count).collect();
        let next = Arc::new(Mutex::new(next));
        let mut lanes = JoinSet::new();
        let mut connections = Vec::new();
        for _ in 0..concurrency {
            connections.push(Connection::open(self.gateway).await?);
        }
        let began = Instant::now();
        for mut connection in connections {
            let next = Arc::clone(&next);
            lanes.spawn(async move {
                let mut millis = Vec::new();
                loop {
                    let buyer = next.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((token, hold)) = buyer else { return Ok::<_, String>(millis) };
                    let began = Instant::now();
                    confirmed(&mut connection, &token, &hold).await?;
                    millis.push(began.elapsed().as_secs_f64() * 1e3);
                }
            });
        }
        let mut millis = Vec::new();
        while let Some(ended) = lanes.join_next().await {
            millis.extend(ended.map_err(|error| error.to_string())??);
        }
        Ok(Bought { took: began.elapsed(), millis })
    }
}

/// Holds, books and waits.
async fn confirmed(connection: &mut Connection, token: &str, hold: &[u8]) -> Result<(), String> {
    let held = connection.exchange(hold).await?.json(201)?;
    let hold = held["holdId"].as_str().ok_or("a hold without id")?;
    let body = json!({"holdId": hold, "paymentMethod": "pm_ok"}).to_string();
    // The hold's id is as good a key as any: a hold has one booking.
    let book = request("POST /api/bookings", Some(token), Some(("Idempotency-Key", hold)), &body);
    let booking = connection.exchange(&book).await?.json(201)?;
    let id = booking["id"].as_str().ok_or("a booking without id")?;
    let wait = request(&format!("GET /api/bookings/{id}"), Some(token), Some(("Prefer", "wait=30")), "");
    let ended = connection.exchange(&wait).await?.json(200)?;
    if ended["status"] == "CONFIRMED" { Ok(()) } else { Err(format!("a booking ended otherwise: {ended}")) }
}
