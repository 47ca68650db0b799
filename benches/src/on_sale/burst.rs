//! Everybody at once for one seat: a thousand buyers who connect, and ask ten times each. One of them gets it.

use std::time::Instant;

use super::http::progress;
use super::load::{Clients, Load, Requests};
use super::process::{Bare, GATEWAY, System};
use super::sale::{Mint, Sale};
use super::{Scale, wire};
use benches::table::{Goal, Row, Table, counted, median};

const CONNECTIONS: usize = 1_000;
const REQUESTS: usize = 10_000;
const GOAL: f64 = 16.0;

pub(super) async fn measure(
    system: &System,
    hello: &Bare,
    scale: Scale,
    table: &mut Table,
) -> Result<(), String> {
    let (connections, times) = (scale.of(CONNECTIONS), scale.of(REQUESTS));
    let gateway = system.address(GATEWAY);
    let mint = Mint::of(system.dir.path()).await?;
    let sale = Sale::open(gateway, &mint, 100).await?;
    let (mut took, mut floor) = (Vec::new(), Vec::new());
    for (round, seat) in (1..=scale.rounds).zip(&sale.seats) {
        progress(round, "burst for one seat");
        let greetings = vec![wire::request("GET /", None, None, "")];
        let greeted = burst(hello.address, greetings, connections, times).await?;
        greeted.rate(200)?;
        floor.push(greeted.took.as_secs_f64() * 1e3);
        let buyers = mint.strangers(connections)?;
        let holds = buyers.iter().map(|token| sale.hold(seat, token)).collect();
        let load = burst(gateway, holds, connections, times).await?;
        let (held, lost) = (load.answers.get(&201), load.answers.get(&409));
        if (held, lost) != (Some(&1), Some(&(times - 1))) {
            return Err(format!("one seat was to be held once, but the answers are {:?}", load.answers));
        }
        took.push(load.took.as_secs_f64() * 1e3);
    }
    table.add(Row {
        what: format!(
            "burst: {} requests over {} new connections for one seat",
            counted(times),
            counted(connections)
        ),
        unit: "ms",
        measured: median(took),
        floor: Some(median(floor)),
        goals: vec![Goal::RatioAtMost(GOAL)],
    });
    Ok(())
}

/// With the connecting.
async fn burst(
    address: std::net::SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
    times: usize,
) -> Result<Load, String> {
    let requests = Requests::new(requests);
    let began = Instant::now();
    let mut load = Clients::connect(address, connections).await?.ask(&requests, times).await?;
    load.took = began.elapsed();
    Ok(load)
}
