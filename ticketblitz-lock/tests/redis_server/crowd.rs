//! Many tasks on few seats, some of whom go away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ticketblitz_core::{SeatId, Timestamp};
use ticketblitz_lock::redis::driver;
use ticketblitz_lock::{Fence, HoldRequest, LockError, SeatStore, Want};

use super::{Bench, server, shared};

const SEATS: u32 = 40;
const TASKS: u64 = 500;
const SHORT: Duration = Duration::from_millis(300);

/// Every hold of an event against its seats, in one step: how many holds are there, and which have not exactly theirs.
const WHOLE: &str = r"
local broken, live = {}, 0
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local holds = redis.call('HGETALL', KEYS[2])
for at = 1, #holds, 2 do
  if holds[at]:sub(1, 1) == 'h' then
    local id, record = holds[at]:sub(2), cmsgpack.unpack(holds[at + 1])
    if record[1] == 'H' and record[2] > now then
      live = live + 1
      for seat in record[7]:gmatch('%S+') do
        local value = redis.call('HGET', KEYS[1], 's' .. seat)
        if not value or value:sub(2, 37) ~= id then broken[#broken + 1] = id end
      end
    end
  end
end
return { live, broken }
";

/// Small, and the same again for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A seat that somebody was told to have, and whether they began to give it back.
#[derive(Debug, Clone, Copy)]
struct Had {
    fence: Fence,
    from: Timestamp,
    until: Timestamp,
    given_back: bool,
}

/// No seat is held twice, no hold has a part of its seats at any instant, and all are free once the holds have lapsed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout)] // the figures of a soak
async fn five_hundred_on_forty_seats() {
    let _shared = shared().await;
    let bench = Arc::new(Bench::new().await);
    let had: Arc<Mutex<BTreeMap<SeatId, Vec<Had>>>> = Arc::default();
    let over = Arc::new(AtomicBool::new(false));
    let watching = tokio::spawn(watch(Arc::clone(&bench), Arc::clone(&over)));
    let end = Instant::now() + Duration::from_secs(server::soak(3, 30));
    let tasks: Vec<_> =
        (0..TASKS).map(|n| tokio::spawn(buy(Arc::clone(&bench), Arc::clone(&had), n, end))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let last = Instant::now();
    while !bench.taken().await.is_empty() {
        assert!(last.elapsed() < Duration::from_secs(30), "seats stay taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    over.store(true, Ordering::SeqCst);
    let looked = watching.await.unwrap();
    assert!(looked > 20, "looked {looked} times");

    let had = had.lock().unwrap();
    let count: usize = had.values().map(Vec::len).sum();
    println!("{count} times somebody had a seat, looked at {looked} times");
    assert!(count > 100, "{count} seats were had");
    for (seat, times) in had.iter() {
        let mut times = times.clone();
        times.sort_by_key(|had| had.fence);
        for two in times.windows(2) {
            let [one, other] = two else { unreachable!() };
            assert!(one.fence < other.fence, "{seat}: {two:?}");
            assert!(one.given_back || one.until <= other.from, "{seat} was held twice: {two:?}");
        }
    }
}

async fn buy(bench: Arc<Bench>, had: Arc<Mutex<BTreeMap<SeatId, Vec<Had>>>>, n: u64, end: Instant) {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15 ^ (n + 1));
    let owner = format!("buyer {n}");
    while Instant::now() < end {
        let mut seats = Vec::new();
        for _ in 0..2 + chance.below(7) {
            let number = u32::try_from(chance.below(u64::from(SEATS))).unwrap() + 1;
            seats.push(SeatId::new(1, number).unwrap());
        }
        seats.sort_unstable();
        seats.dedup();
        let at = usize::try_from(chance.below(seats.len() as u64)).unwrap();
        seats.rotate_left(at);
        let request = HoldRequest::new(bench.event, owner.as_str(), Want::Seats(seats)).ttl(SHORT);
        let patience = Duration::from_micros(chance.below(4) * 2_000);
        let asked = bench.store.hold(&request);
        let answer = if chance.below(8) == 0 {
            // Gone before the answer, sometimes before the question.
            let Ok(answer) = tokio::time::timeout(patience, asked).await else { continue };
            answer
        } else {
            asked.await
        };
        let hold = match answer {
            Ok(hold) => hold,
            Err(LockError::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(chance.below(20))).await;
                continue;
            }
            Err(error) => panic!("{error:?}"),
        };
        let given_back = chance.below(2) == 0;
        let told =
            Had { fence: hold.fence, from: hold.expires_at - SHORT, until: hold.expires_at, given_back };
        for seat in hold.seats() {
            had.lock().unwrap().entry(*seat).or_default().push(told);
        }
        tokio::time::sleep(Duration::from_millis(chance.below(20))).await;
        if given_back {
            // In vain once it has lapsed; whoever does not wait does not know.
            let _ = tokio::time::timeout(patience, bench.store.release(hold.reference(), &hold.owner)).await;
        }
    }
}

async fn watch(bench: Arc<Bench>, over: Arc<AtomicBool>) -> u32 {
    let keys = ["", ":holds"].map(|part| format!("{{{}:{}}}{part}", bench.prefix, bench.event));
    let (mut looked, mut most) = (0, 0);
    while !over.load(Ordering::SeqCst) {
        let mut command = driver::cmd("EVAL");
        command.arg(WHOLE).arg(2).arg(&keys);
        let (live, broken): (u32, Vec<String>) = command.query_async(&mut bench.raw.clone()).await.unwrap();
        assert!(broken.is_empty(), "{broken:?}");
        looked += 1;
        most = most.max(live);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(most > 3, "at most {most} holds at a time");
    looked
}
