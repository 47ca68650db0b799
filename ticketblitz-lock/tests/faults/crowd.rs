//! Many tasks on few seats, some of whom go away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ticketblitz_core::{EventId, SeatId, Timestamp};
use ticketblitz_lock::{Fence, Hold, HoldRequest, LockError, SeatStore, Want};

use super::backends::{Backend, PATIENCE, all_free, load, size};
use super::ledger::Ledger;
use super::soak::soak;

const SEATS: u64 = 40;
const TASKS: u64 = 500;
/// How many sets there are to choose from. With all that there could be, any part of one would be made of others.
const SETS: u64 = 64;
/// How long the crowd holds.
pub const SHORT: Duration = Duration::from_millis(700);

/// Small, and the same again for the same seed.
pub struct Chance(u64);

impl Chance {
    pub fn of(number: u64) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ (number + 1))
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A seat that somebody was told to have, and when; and when they began to give it back.
#[derive(Debug, Clone, Copy)]
struct Had {
    fence: Fence,
    from: Timestamp,
    until: Timestamp,
    answered: Instant,
    releasing: Option<Instant>,
}

impl Had {
    /// Whether it was over before a rival had it: lapsed by the store's clock, or given back before the rival was told.
    fn is_over_before(&self, rival: &Self) -> bool {
        self.until <= rival.from || self.releasing.is_some_and(|began| began <= rival.answered)
    }
}

struct Crowd {
    store: Arc<dyn SeatStore>,
    event: EventId,
    ledger: Ledger,
    had: Mutex<BTreeMap<SeatId, Vec<Had>>>,
    over: AtomicBool,
}

impl Crowd {
    /// Before a release is sent.
    fn gives_back(&self, hold: &Hold) {
        let (mut had, now) = (self.had.lock().unwrap(), Instant::now());
        for seat in hold.seats() {
            let times = had.get_mut(seat).into_iter().flatten();
            times.filter(|had| had.fence == hold.fence).for_each(|had| had.releasing = Some(now));
        }
    }
}

on_each!(five_hundred_on_forty_seats: memory Memory, redis Redis, postgres Postgres);

/// No seat is held twice, no hold has a part of its seats at any instant, and all are free once the holds have lapsed.
#[allow(clippy::print_stdout)] // the figures of a soak
async fn five_hundred_on_forty_seats(backend: Backend) {
    let name = backend.name().await;
    let store = backend.open(&name, 16, None).await;
    // Who only looks does not wait in the crowd's line.
    let aside =
        if backend == Backend::Memory { Arc::clone(&store) } else { backend.open(&name, 1, None).await };
    let event = load(&*store).await;
    let (ledger, had, over) = (Ledger::default(), Mutex::default(), AtomicBool::new(false));
    let crowd = Arc::new(Crowd { store, event, ledger, had, over });
    let watching = tokio::spawn(watch(aside, Arc::clone(&crowd)));
    let end = Instant::now() + Duration::from_secs(soak(3, 30).into());
    let tasks: Vec<_> = (0..TASKS).map(|n| tokio::spawn(buy(Arc::clone(&crowd), n, end))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let free_after = all_free(&*crowd.store, event).await;
    // On a machine that has other things to do, later.
    let bound = size(Duration::from_secs(30), SHORT + Duration::from_secs(1));
    assert!(free_after <= bound, "{free_after:?}");
    crowd.over.store(true, Ordering::SeqCst);
    let (looked, given_up) = watching.await.unwrap();
    assert!(looked > 20, "looked {looked} times");
    // What is given up may be anything.
    assert!(given_up * 10 <= looked, "of {looked} looks {given_up} were given up");

    let had = crowd.had.lock().unwrap();
    let count: usize = had.values().map(Vec::len).sum();
    println!(
        "{backend:?}: {count} times somebody had a seat, looked at {looked} times and given up {given_up} times, all free {} ms after the last",
        free_after.as_millis()
    );
    assert!(count > 40, "{count} seats were had");
    for (seat, times) in had.iter() {
        let mut times = times.clone();
        times.sort_by_key(|had| had.fence);
        for two in times.windows(2) {
            let [one, other] = two else { unreachable!() };
            assert!(one.fence < other.fence, "{seat}: {two:?}");
            assert!(one.is_over_before(other), "{seat} was held twice: {two:?}");
        }
    }
}

async fn buy(crowd: Arc<Crowd>, n: u64, end: Instant) {
    let mut chance = Chance::of(n);
    let owner = format!("buyer {n}");
    while Instant::now() < end {
        let seats = some_seats(&mut chance);
        let number = crowd.ledger.asks(&seats);
        let request = HoldRequest::new(crowd.event, owner.as_str(), Want::Seats(seats)).ttl(SHORT);
        let patience = Duration::from_micros(chance.below(4) * 2_000);
        let asked = crowd.store.hold(&request);
        let answer = if chance.below(8) == 0 {
            // Gone before the answer, sometimes before the question.
            let Ok(answer) = tokio::time::timeout(patience, asked).await else {
                crowd.ledger.abandons(number);
                continue;
            };
            answer
        } else {
            asked.await
        };
        match answer {
            Ok(hold) => has(&crowd, number, &hold, patience, &mut chance).await,
            Err(LockError::Unavailable(_)) => {
                crowd.ledger.refused(number);
                tokio::time::sleep(Duration::from_millis(chance.below(20))).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Two to eight: one of the sets.
fn some_seats(chance: &mut Chance) -> Vec<SeatId> {
    let mut set = Chance::of(1_000_000 + chance.below(SETS));
    let count = usize::try_from(2 + set.below(7)).unwrap();
    let mut seats = Vec::new();
    while seats.len() < count {
        let seat = SeatId::new(1, u32::try_from(set.below(SEATS)).unwrap() + 1).unwrap();
        if !seats.contains(&seat) {
            seats.push(seat);
        }
    }
    // Named in another order each time.
    let first = usize::try_from(chance.below(count as u64)).unwrap();
    seats.rotate_left(first);
    seats
}

async fn has(crowd: &Crowd, number: u64, hold: &Hold, patience: Duration, chance: &mut Chance) {
    crowd.ledger.answered(number, hold);
    let (from, until) = (hold.expires_at - SHORT, hold.expires_at);
    let told = Had { fence: hold.fence, from, until, answered: Instant::now(), releasing: None };
    for seat in hold.seats() {
        crowd.had.lock().unwrap().entry(*seat).or_default().push(told);
    }
    let given_back = chance.below(2) == 0;
    tokio::time::sleep(Duration::from_millis(chance.below(20))).await;
    if given_back {
        crowd.ledger.releases(number);
        crowd.gives_back(hold);
        // In vain once it has lapsed; whoever does not wait does not know.
        let patience = if chance.below(4) == 0 { patience } else { PATIENCE };
        let release = crowd.store.release(hold.reference(), &hold.owner);
        if let Ok(Ok(())) = tokio::time::timeout(patience, release).await {
            crowd.ledger.released(number);
        }
    }
}

/// How often it looked, and how often it could not say whether that was right.
async fn watch(store: Arc<dyn SeatStore>, crowd: Arc<Crowd>) -> (u32, u32) {
    let (mut looked, mut given_up, mut most) = (0, 0, 0);
    while !crowd.over.load(Ordering::SeqCst) {
        let from = Instant::now();
        let status = store.status(crowd.event).await.unwrap();
        let look = crowd.ledger.agrees(&status, from, Instant::now());
        most = most.max(look.certain);
        given_up += u32::from(look.given_up);
        looked += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(most > 1, "at most {most} holds were certain at a time");
    (looked, given_up)
}

#[test]
fn who_gives_back_too_late_had_it_still() {
    let (start, second) = (Instant::now(), Duration::from_secs(1));
    let from = Timestamp::from_micros(1_800_000_000_000_000);
    let had = |fence, from, answered, releasing| Had {
        fence: Fence::new(fence),
        from,
        until: from + SHORT,
        answered,
        releasing,
    };
    let rival = had(2, from + SHORT / 2, start + second, None);
    let over = |releasing| had(1, from, start, releasing).is_over_before(&rival);
    assert!(over(Some(start)) && over(Some(start + second)));
    assert!(!over(None), "it was never given back");
    assert!(!over(Some(start + second * 2)), "the rival had been told by then");
    let after = had(2, from + SHORT, start + second, None);
    assert!(had(1, from, start, None).is_over_before(&after), "it had lapsed");
}
