//! The steps of a sale, one caller who does one after the other: the same on every backend.

use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::sale::Sale;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use ticketblitz_core::BookingId;
use ticketblitz_lock::{Held, SeatLocks};
use tokio::runtime::Runtime;

use crate::common::alone;

const GRACE: Duration = Duration::from_secs(120);
/// Seats that are taken when somebody looks at the event.
const TAKEN: u32 = 1_000;

async fn open(locks: &SeatLocks) -> Sale {
    Sale::open(locks).await.expect("it loads")
}

async fn close(sale: Sale) {
    sale.locks.unload(sale.event).await.expect("it unloads");
}

/// How long so many holds of `count` fresh seats take. Each measurement has an event of its own: what is held stays held.
async fn holds(locks: SeatLocks, times: u64, count: u32) -> Duration {
    let sale = open(&locks).await;
    let buyer = sale.clone();
    let took = alone(times, move || buyer.clone().hold(count)).await;
    close(sale).await;
    took
}

async fn losing(locks: SeatLocks, times: u64) -> Duration {
    let sale = open(&locks).await;
    let (buyer, taken) = (sale.clone(), sale.taken(1).await.expect("it is free"));
    let took = alone(times, move || buyer.clone().lose(Arc::clone(&taken))).await;
    close(sale).await;
    took
}

/// How long this takes with so many holds that were made before the clock ran.
async fn with_holds<F>(locks: SeatLocks, times: u64, work: impl Fn(Held) -> F + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let sale = open(&locks).await;
    let seller = sale.clone();
    let run = async move {
        let mut held = Vec::new();
        for _ in 0..times {
            let hold = seller.locks.hold(seller.event, seller.seats(1)).owner("ann");
            held.push(hold.await.expect("they are free"));
        }
        let began = Instant::now();
        for hold in held {
            work(hold).await;
        }
        began.elapsed()
    };
    let took = tokio::spawn(run).await.expect("the work does not panic");
    close(sale).await;
    took
}

async fn release(hold: Held) {
    hold.release().await.expect("it is held");
}

async fn pay(hold: Held) {
    let paying = hold.begin_commit(GRACE).await.expect("it is held");
    paying.sold(BookingId::new()).await.expect("it is in payment");
}

async fn status(locks: SeatLocks, times: u64) -> Duration {
    let sale = open(&locks).await;
    for _ in 0..TAKEN / 10 {
        sale.clone().hold(10).await;
    }
    let viewer = sale.clone();
    let look = move || {
        let viewer = viewer.clone();
        async move {
            let status = viewer.locks.status(viewer.event).await.expect("it is loaded");
            assert_eq!(status.seats.len(), TAKEN as usize);
        }
    };
    let took = alone(times, look).await;
    close(sale).await;
    took
}

pub(crate) fn measure(c: &mut Criterion, backend: &str, runtime: &Runtime, locks: &SeatLocks) {
    let mut group = c.benchmark_group(format!("lock: {backend}"));
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    for count in [1, 4] {
        group.bench_function(BenchmarkId::new("hold, seats", count), |b| {
            b.to_async(runtime).iter_custom(|times| holds(locks.clone(), times, count));
        });
    }
    group.bench_function("losing hold", |b| {
        b.to_async(runtime).iter_custom(|times| losing(locks.clone(), times));
    });
    group.bench_function("release", |b| {
        b.to_async(runtime).iter_custom(|times| with_holds(locks.clone(), times, release));
    });
    group.bench_function("begin_commit and sold", |b| {
        b.to_async(runtime).iter_custom(|times| with_holds(locks.clone(), times, pay));
    });
    group.bench_function(BenchmarkId::new("status, seats taken", TAKEN), |b| {
        b.to_async(runtime).iter_custom(|times| status(locks.clone(), times));
    });
    group.finish();
}
