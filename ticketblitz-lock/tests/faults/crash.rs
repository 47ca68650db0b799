//! Servers that die while a crowd asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::{Hold, LockError, SeatState, SeatStore};

use super::backends::{Backend, PATIENCE, load, request, size, taken};
use super::crowd::Chance;
use super::failover::ask;
use super::own::Own;
use super::truth::Fences;

const SEATS: u64 = 80;
const BUYERS: u64 = 24;
const TTL: Duration = Duration::from_secs(1_200);

struct Evening {
    store: Arc<dyn SeatStore>,
    event: EventId,
    fences: Mutex<Fences>,
    answers: AtomicU64,
    lost: AtomicU64,
    over: AtomicBool,
}

/// What a buyer was told in the end, and keeps.
struct Kept {
    hold: Hold,
    booking: Option<BookingId>,
}

on_each!(what_was_answered_outlives_a_crash: redis Redis, postgres Postgres);

/// Two crashes in the middle of a crowd, of a server that answers what is on the disk: no hold, payment or sale that was
/// answered is lost, none whose answer was lost is there twice, and fences rise seat by seat.
#[allow(clippy::print_stdout)] // the figures of a soak
async fn what_was_answered_outlives_a_crash(backend: Backend) {
    let server = Own::start(if backend == Backend::Redis { "redis" } else { "postgres" });
    if backend == Backend::Redis {
        append_always(&server.url).await;
    }
    let store = backend.at(&server.url).await;
    let event = load(&*store).await;
    let evening = Arc::new(Evening {
        store,
        event,
        fences: Mutex::default(),
        answers: AtomicU64::new(0),
        lost: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let buyers: Vec<_> = (0..BUYERS).map(|n| tokio::spawn(buy(Arc::clone(&evening), n))).collect();
    for signal in size(&["KILL", "QUIT"][..], &["KILL", "QUIT", "KILL", "QUIT", "KILL", "QUIT"]) {
        evening.more_are_answered().await;
        // A Redis that is asked to quit says goodbye to nobody.
        let signal = if backend == Backend::Redis { "KILL" } else { signal };
        tokio::task::block_in_place(|| {
            server.crash(signal);
            server.start_again();
        });
    }
    evening.more_are_answered().await;
    evening.over.store(true, Ordering::SeqCst);
    let mut kept = Vec::new();
    for buyer in buyers {
        kept.extend(buyer.await.unwrap());
    }
    let (answers, lost) = (evening.answers.load(Ordering::SeqCst), evening.lost.load(Ordering::SeqCst));
    println!("{backend:?}: {answers} answers, {lost} failed or lost, {} kept", kept.len());
    assert!(lost > 0, "nobody has noticed the crash");
    evening.is_as_answered(&kept).await;
}

async fn append_always(url: &str) {
    let () = ask(url, &["CONFIG", "SET", "appendfsync", "always"]).await;
    let () = ask(url, &["CONFIG", "SET", "appendonly", "yes"]).await;
    let start = Instant::now();
    loop {
        let state: String = ask(url, &["INFO", "persistence"]).await;
        let is = |line| state.lines().any(|known| known == line);
        if is("aof_rewrite_in_progress:0")
            && is("aof_rewrite_scheduled:0")
            && is("aof_last_bgrewrite_status:ok")
        {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{state}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn buy(evening: Arc<Evening>, n: u64) -> Vec<Kept> {
    let mut chance = Chance::of(n);
    let owner = format!("buyer {n}");
    let mut kept: Vec<Kept> = Vec::new();
    while !evening.over.load(Ordering::SeqCst) {
        let first = chance.below(SEATS);
        let second = (first + 1 + chance.below(SEATS - 1)) % SEATS;
        let names = [format!("A{}", first + 1), format!("A{}", second + 1)];
        let request = request(evening.event, &owner, &[&names[0], &names[1]], TTL);
        let (store, event) = (&evening.store, &evening);
        let hold = match event.answer(|| store.hold(&request)).await {
            (Ok(hold), _) => hold,
            (Err(LockError::Unavailable(_)), _) => continue,
            (Err(error), _) => panic!("{error:?}"),
        };
        evening.fences.lock().unwrap().given(&hold);
        let it = hold.reference();
        // Few keep what they have, or there is soon nothing to ask for.
        match chance.below(20) {
            0 if kept.is_empty() => kept.push(Kept { hold, booking: None }),
            1 if kept.len() < 2 => {
                event.answer(|| store.begin_commit(it, &hold.owner, TTL)).await.0.unwrap();
                let booking = BookingId::new();
                event.answer(|| store.sold(it, hold.fence, booking)).await.0.unwrap();
                kept.push(Kept { hold, booking: Some(booking) });
            }
            _ => match event.answer(|| store.release(it, &hold.owner)).await {
                (Ok(()), _) | (Err(LockError::NotHeld), true) => {}
                answer => panic!("{answer:?}"),
            },
        }
    }
    kept
}

impl Evening {
    /// Asks until there is an answer. Whether an answer before it was lost.
    async fn answer<T, F: Future<Output = Result<T, LockError>>>(
        &self,
        operation: impl Fn() -> F,
    ) -> (Result<T, LockError>, bool) {
        let (start, mut is_lost) = (Instant::now(), false);
        loop {
            match operation().await {
                Err(LockError::Backend { .. }) => {}
                Err(LockError::OutcomeUnknown { .. }) => is_lost = true,
                answer => {
                    self.answers.fetch_add(1, Ordering::SeqCst);
                    return (answer, is_lost);
                }
            }
            self.lost.fetch_add(1, Ordering::SeqCst);
            assert!(start.elapsed() < PATIENCE * 2, "the server does not come back");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn more_are_answered(&self) {
        let (start, enough) = (Instant::now(), self.answers.load(Ordering::SeqCst) + size(300, 3_000));
        while self.answers.load(Ordering::SeqCst) < enough {
            assert!(start.elapsed() < PATIENCE * 3, "the crowd does not go on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn is_as_answered(&self, kept: &[Kept]) {
        let mut expected = BTreeMap::new();
        for Kept { hold, booking } in kept {
            let state = if booking.is_some() { SeatState::Sold } else { SeatState::Held };
            for seat in hold.seats() {
                assert_eq!(expected.insert(*seat, state), None, "{seat} is kept twice");
            }
            match booking {
                Some(booking) => self.store.sold(hold.reference(), hold.fence, *booking).await.unwrap(),
                None => assert_eq!(self.store.get(hold.reference()).await.unwrap().fence, hold.fence),
            }
        }
        assert!(!expected.is_empty());
        let expected: Vec<_> = expected.into_iter().map(|(seat, state)| (seat.to_string(), state)).collect();
        assert_eq!(taken(&*self.store, self.event).await, expected);
    }
}
