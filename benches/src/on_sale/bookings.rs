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
use super::process::{Bare, GATEWAY, System};
use super::sale::{Mint, Sale};
use super::wire::{Connection, request};
use super::{CLIENTS, Scale};
use benches::table::{Goal, Row, Table, counted, median, percentile};

const WARM_UP: usize = 500;
const CROWD: usize = 3_000;
const ALONE: usize = 200;

pub(super) async fn measure(
    system: &System,
    hello: &Bare,
    scale: Scale,
    table: &mut Table,
) -> Result<(), String> {
    let (warm_up, crowd, alone) = (scale.of(WARM_UP), scale.of(CROWD), scale.of(ALONE));
    let all = warm_up + scale.rounds * (crowd + alone);
    let gateway = system.address(GATEWAY);
    let mut buyers = Buyers::new(system, all).await?;
    // On the disk that the system has its own data on.
    let floors = Floors::open(&system.dir.path().join("commits")).await?;
    let shop = Bare::shop(&system.dir.path().join("shop")).await?;
    let warm = buyers.next(warm_up);
    warm.buy(shop.address, CLIENTS).await?;
    warm.buy(gateway, CLIENTS).await?;
    let mut figures = Figures::default();
    for round in 1..=scale.rounds {
        system.at_rest().await?;
        progress(round, "confirmed bookings");
        let next = buyers.next(crowd);
        let floor = next.buy(shop.address, CLIENTS).await?.rate();
        shop.at_rest().await?;
        figures.bare.push(floor);
        figures.commits_a_second.push(floors.commits_a_second(crowd).await);
        let before = system.commits().await?;
        let bought = next.buy(gateway, CLIENTS).await?;
        figures.rates.push(bought.rate());
        figures.to_a_commit.push(bought.count() / (system.commits().await? - before));
        system.at_rest().await?;
        progress(round, "one buyer alone");
        let floor = floors.alone(alone).await;
        figures.alone.push((buyers.next(alone).buy(gateway, 1).await?.millis, floor));
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
    rates: Vec<f64>,
    /// Bookings to each commit of the system.
    to_a_commit: Vec<f64>,
    /// What the disk takes.
    commits_a_second: Vec<f64>,
    /// What the bare server sells, the floor.
    bare: Vec<f64>,
    alone: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Figures {
    fn tell(self, table: &mut Table) {
        table.add(Row {
            what: format!("confirmed bookings, {CLIENTS} buyers who wait"),
            unit: "/s",
            measured: median(self.rates),
            floor: Some(median(self.bare)),
            goals: vec![Goal::AtLeast(1_300.0), Goal::RatioAtLeast(0.5)],
        });
        for (what, unit, measured) in [
            ("bookings to each commit of the system", "", median(self.to_a_commit)),
            ("commits of one row, one after the other", "/s", median(self.commits_a_second)),
        ] {
            table.add(Row { what: what.to_owned(), unit, measured, floor: None, goals: vec![] });
        }
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

/// Who buys: a token and a request for a seat that is free.
#[derive(Clone)]
struct Buyers(VecDeque<(String, Vec<u8>)>);

/// What so many bookings took.
struct Bought {
    took: Duration,
    /// Each from its hold to CONFIRMED.
    millis: Vec<f64>,
}

impl Bought {
    #[allow(clippy::cast_precision_loss)] // figures to be read
    fn count(&self) -> f64 {
        self.millis.len() as f64
    }

    fn rate(&self) -> f64 {
        self.count() / self.took.as_secs_f64()
    }
}

impl Buyers {
    async fn new(system: &System, count: usize) -> Result<Self, String> {
        let mint = Mint::of(system.dir.path()).await?;
        let sale = Sale::open(system.address(GATEWAY), &mint, count).await?;
        let tokens = mint.buyers(count).await?;
        let holds = sale.hold_each(&tokens);
        Ok(Self(tokens.into_iter().zip(holds).collect()))
    }

    /// So many of them, who have not bought yet.
    fn next(&mut self, count: usize) -> Self {
        Self(self.0.drain(..count).collect())
    }

    /// All of them buy, `concurrency` at a time.
    async fn buy(&self, gateway: SocketAddr, concurrency: usize) -> Result<Bought, String> {
        let next = Arc::new(Mutex::new(self.0.clone()));
        let mut lanes = JoinSet::new();
        let mut connections = Vec::new();
        for _ in 0..concurrency {
            connections.push(Connection::open(gateway).await?);
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
