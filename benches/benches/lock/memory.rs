//! Seats in memory, without a runtime around them. The floor is the least that anything could do: a map under a mutex that forgets nothing and
//! knows no owners, times or fences.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use futures::FutureExt;
use ticketblitz_core::{EventId, SeatId};
use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};

const THREADS: u32 = 2;

/// Nothing in memory waits, so nothing here needs a runtime.
fn now<T>(future: impl IntoFuture<Output = T>) -> T {
    future.into_future().now_or_never().expect("the memory backend answers at once")
}

fn event() -> (SeatLocks, EventId) {
    let (locks, event) = (SeatLocks::new(MemoryStore::default()), EventId::new());
    now(locks.load(&EventSnapshot::new(event).with_area("FLOOR", 1_000_000))).expect("loaded");
    (locks, event)
}

/// `count` seats of a row.
fn seats(row: u32, count: u32) -> Vec<SeatId> {
    (1..=count).map(|number| SeatId::new(row, number).expect("a seat")).collect()
}

fn hold_and_release(locks: &SeatLocks, event: EventId, seats: &[SeatId]) {
    let hold = now(locks.hold(event, seats).owner("ann")).expect("free");
    now(hold.release()).expect("held");
}

fn put_and_remove(floor: &Mutex<HashMap<SeatId, u64>>, seats: &[SeatId]) {
    floor.lock().expect("not poisoned").extend(seats.iter().map(|seat| (*seat, 1)));
    let mut held = floor.lock().expect("not poisoned");
    for seat in seats {
        held.remove(seat);
    }
}

/// All threads at once on seats of their own in the same event; the time of `times` operations in all.
fn contended(times: u64, work: impl Fn(&[SeatId]) + Sync) -> Duration {
    let began = Instant::now();
    std::thread::scope(|threads| {
        for row in 1..=THREADS {
            let (work, seats) = (&work, seats(row, 1));
            threads.spawn(move || {
                for _ in 0..times.div_ceil(THREADS.into()) {
                    work(&seats);
                }
            });
        }
    });
    began.elapsed()
}

fn holds(c: &mut Criterion) {
    let mut group = c.benchmark_group("lock: memory at once");
    group.throughput(Throughput::Elements(1));
    for count in [1, 4] {
        let ((locks, event), seats) = (event(), seats(1, count));
        group.bench_function(BenchmarkId::new("hold and release, seats", count), |b| {
            b.iter(|| hold_and_release(&locks, event, black_box(&seats)));
        });
        let floor = Mutex::default();
        group.bench_function(BenchmarkId::new("floor: put into a map and remove, seats", count), |b| {
            b.iter(|| put_and_remove(&floor, black_box(&seats)));
        });
    }
    let (locks, event) = event();
    group.bench_function("hold and release on 2 threads", |b| {
        b.iter_custom(|times| contended(times, |seats| hold_and_release(&locks, event, seats)));
    });
    let floor = Mutex::default();
    group.bench_function("floor: the map on 2 threads", |b| {
        b.iter_custom(|times| contended(times, |seats| put_and_remove(&floor, seats)));
    });
    group.bench_function("hold and release of 2 units of an area", |b| {
        b.iter(|| {
            let hold = now(locks.area(event, "FLOOR", 2).owner("ann")).expect("enough");
            now(hold.release()).expect("held");
        });
    });
    group.finish();
}

fn losing(c: &mut Criterion) {
    let ((locks, event), seats) = (event(), seats(1, 1));
    let _taken = now(locks.hold(event, &seats).owner("ann")).expect("free");
    let lose = |seats: &[SeatId]| {
        let lost = now(locks.hold(event, seats).owner("bob"));
        assert!(matches!(black_box(lost), Err(LockError::Unavailable(_))));
    };
    let mut group = c.benchmark_group("lock: memory at once");
    group.throughput(Throughput::Elements(1));
    group.bench_function("losing hold", |b| b.iter(|| lose(&seats)));
    group.bench_function("losing hold on 2 threads", |b| {
        b.iter_custom(|times| contended(times, |_| lose(&seats)));
    });
    group.finish();
}

fn status(c: &mut Criterion) {
    let (locks, event) = event();
    let seats: Vec<_> = (1..=1_000).flat_map(|row| seats(row, 10)).collect();
    let _held = now(locks.hold(event, &seats).owner("ann")).expect("free");
    let mut group = c.benchmark_group("lock: memory at once");
    group.bench_function("status of 10,000 held seats", |b| {
        b.iter(|| {
            let status = now(locks.status(event)).expect("loaded");
            assert_eq!(status.seats.len(), seats.len());
        });
    });
    let floor: HashMap<SeatId, u64> = seats.iter().map(|seat| (*seat, 1)).collect();
    group.bench_function("floor: copy a map of 10,000 and sort", |b| {
        b.iter(|| {
            let mut copy: Vec<_> = floor.iter().map(|(seat, state)| (*seat, *state)).collect();
            copy.sort_unstable();
            copy
        });
    });
    group.finish();
}

pub(crate) fn measure(c: &mut Criterion) {
    holds(c);
    losing(c);
    status(c);
}
