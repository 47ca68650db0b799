//! Requests a second, against those of a server that only says hello.

use std::net::SocketAddr;
use std::sync::Arc;

use super::load::{Clients, Requests};
use super::process::{Bare, GATEWAY, INVENTORY, System};
use super::sale::{Mint, Sale};
use super::wire::request;
use super::{CLIENTS, Scale};
use benches::table::{Goal, Row, Table, median};

const HELLOS: usize = 50_000;
const HOLDS: usize = 8_000;
const LOSSES: usize = 20_000;
const READS: usize = 20_000;
/// Buyers who come back with a token that has been checked before.
const REGULARS: usize = 256;

/// A kind of request.
struct Kind {
    what: &'static str,
    address: SocketAddr,
    requests: Arc<Requests>,
    times: usize,
    /// What each of them must be answered.
    status: u16,
    least: Option<f64>,
    rates: Vec<f64>,
}

impl Kind {
    /// A tenth to warm up, then what counts.
    async fn round(&mut self) -> Result<(), String> {
        let mut clients = Clients::connect(self.address, CLIENTS).await?;
        let named = |error: String| format!("{}: {error}", self.what);
        clients.ask(&self.requests, self.times / 10).await?.rate(self.status).map_err(named)?;
        let rate = clients.ask(&self.requests, self.times).await?.rate(self.status).map_err(named)?;
        self.rates.push(rate);
        Ok(())
    }
}

pub(super) async fn measure(
    system: &System,
    hello: &Bare,
    scale: Scale,
    table: &mut Table,
) -> Result<(), String> {
    let mut kinds = kinds(system, hello, scale).await?;
    // Round by round: what disturbs the machine for a while disturbs a round of each, not all rounds of one.
    for round in 1..=scale.rounds {
        for kind in &mut kinds {
            progress(round, kind.what);
            kind.round().await?;
        }
    }
    let mut floor = None;
    for Kind { what, least, rates, .. } in kinds {
        let measured = median(rates);
        let goals = least.map(Goal::RatioAtLeast).into_iter().collect();
        table.add(Row { what: what.to_owned(), unit: "/s", measured, floor, goals });
        floor.get_or_insert(measured);
    }
    Ok(())
}

#[allow(clippy::print_stderr)] // beside the table
pub(super) fn progress(round: usize, what: &str) {
    eprintln!("round {round}: {what}");
}

async fn kinds(system: &System, hello: &Bare, scale: Scale) -> Result<Vec<Kind>, String> {
    let (gateway, inventory) = (system.address(GATEWAY), system.address(INVENTORY));
    let mint = Mint::of(system.dir.path()).await?;
    let regulars = mint.strangers(REGULARS)?;
    // With what warms up.
    let holds = scale.rounds * (scale.of(HOLDS) + scale.of(HOLDS) / 10);
    let (first, again) = (Sale::open(gateway, &mint, holds).await?, Sale::open(gateway, &mint, holds).await?);
    let (direct, small) = (Sale::open(gateway, &mint, holds).await?, Sale::open(gateway, &mint, 100).await?);
    let taken = Clients::connect(gateway, 1).await?.ask(&one(small.hold("A1", &regulars[0])), 1).await?;
    taken.rate(201)?;
    let losses = regulars.iter().skip(1).map(|token| small.hold("A1", token)).collect();
    let event = &small.event;
    let read = |path: String| one(request(&format!("GET {path}"), None, None, ""));
    let rows = [
        ("hello world", hello.address, read("/".to_owned()), HELLOS, 200, None),
        (
            "hold through the gateway, each with a token not seen before",
            gateway,
            Requests::new(first.hold_each(&mint.strangers(holds)?)),
            HOLDS,
            201,
            Some(0.20),
        ),
        (
            "hold through the gateway, tokens seen before",
            gateway,
            Requests::new(again.hold_each(&regulars)),
            HOLDS,
            201,
            None,
        ),
        (
            "hold at the inventory, tokens seen before",
            inventory,
            Requests::new(direct.hold_each(&regulars)),
            HOLDS,
            201,
            Some(0.35),
        ),
        ("losing hold (409)", gateway, Requests::new(losses), LOSSES, 409, Some(0.30)),
        ("event of 100 seats", gateway, read(format!("/api/events/{event}")), READS, 200, Some(0.35)),
        ("its layout", gateway, read(format!("/api/events/{event}/seats")), READS, 200, Some(0.35)),
        (
            "its live seats",
            gateway,
            read(format!("/api/inventory/events/{event}/seats")),
            READS,
            200,
            Some(0.35),
        ),
    ];
    let kinds = rows.map(|(what, address, requests, times, status, least)| {
        let times = scale.of(times);
        Kind { what, address, requests, times, status, least, rates: Vec::new() }
    });
    Ok(kinds.into())
}

fn one(request: Vec<u8>) -> Arc<Requests> {
    Requests::new(vec![request])
}
