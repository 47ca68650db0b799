//! Seats in memory, on two threads, and by as many tasks as want one seat.

use std::sync::Arc;
use std::time::Instant;

use benches::table::{Goal, Row, Table, counted};
use futures::FutureExt;
use ticketblitz_core::SeatId;
use ticketblitz_lock::{LockError, MemoryStore, SeatLocks};
use tokio::task::JoinSet;

use crate::load::{Sale, Scale, medians};

const THREADS: usize = 2;
const HOLDS: usize = 400_000;
const BUYERS: usize = 10_000;

/// Holds a second on threads of which each has one of these.
#[allow(clippy::cast_precision_loss)] // a rate to be read
fn rate(sales: &[Sale], holds: usize) -> f64 {
    let began = Instant::now();
    std::thread::scope(|threads| {
        for sale in sales {
            threads.spawn(move || {
                for _ in 0..holds / sales.len() {
                    sale.clone().hold(1).now_or_never().expect("the memory backend answers at once");
                }
            });
        }
    });
    holds as f64 / began.elapsed().as_secs_f64()
}

/// How many of so many tasks get the seat that all of them want.
async fn winners(locks: &SeatLocks) -> Result<f64, LockError> {
    let sale = Sale::open(locks).await?;
    let seats: Arc<[SeatId]> = sale.seats(1).into();
    let mut buyers = JoinSet::new();
    for buyer in 0..BUYERS {
        let (sale, seats) = (sale.clone(), Arc::clone(&seats));
        buyers.spawn(async move {
            let hold = sale.locks.hold(sale.event, seats.iter()).owner(format!("buyer {buyer}"));
            hold.await.map(drop)
        });
    }
    let mut winners = 0.0;
    for answer in buyers.join_all().await {
        match answer {
            Ok(()) => winners += 1.0,
            Err(LockError::Unavailable(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(winners)
}

pub(crate) async fn measure(scale: Scale, table: &mut Table) -> Result<(), String> {
    let open = |locks: &SeatLocks| {
        let opened = Sale::open(locks).now_or_never().expect("the memory backend answers at once");
        opened.map_err(|error| error.to_string())
    };
    let mut rounds = Vec::new();
    for _ in 0..scale.rounds {
        let locks = SeatLocks::new(MemoryStore::default());
        let each: Vec<_> = (0..THREADS).map(|_| open(&locks)).collect::<Result<_, _>>()?;
        let same = vec![open(&locks)?; THREADS];
        rounds.push([rate(&each, scale.of(HOLDS)), rate(&same, scale.of(HOLDS))]);
    }
    let [each, same] = medians(&rounds);
    let goals = vec![Goal::AtLeast(1_000_000.0)];
    for (what, measured, goals) in [("an event each", each, goals), ("one event", same, vec![])] {
        let what = format!("memory: hold of 1 seat, {THREADS} threads, {what}");
        table.add(Row { what, unit: "/s", measured, floor: None, goals });
    }
    let what = format!("memory: {} tasks want one seat", counted(BUYERS));
    let locks = SeatLocks::new(MemoryStore::default());
    let measured = winners(&locks).await.map_err(|error| format!("{error:?}"))?;
    table.add(Row { what, unit: "winners", measured, floor: None, goals: vec![Goal::Exactly(1.0)] });
    Ok(())
}
