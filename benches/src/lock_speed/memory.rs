//! Seats in memory, on two threads.

use std::time::Instant;

use benches::table::{Goal, Row, Table};
use futures::FutureExt;
use ticketblitz_lock::{MemoryStore, SeatLocks};

use crate::load::{Sale, Scale, medians};

const THREADS: usize = 2;
const HOLDS: usize = 400_000;

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

pub(crate) fn measure(scale: Scale, table: &mut Table) -> Result<(), String> {
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
    Ok(())
}
