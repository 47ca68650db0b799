//! Holds that come together: one script call, and each the answer that it would have had alone.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use futures::poll;
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, SeatId, SystemClock, Timestamp};
use ticketblitz_lock::{
    Cursor, EventSnapshot, Fence, Hold, HoldRequest, LockError, RedisStore, SeatState, SeatStore, Want,
};

use super::monitor::Monitor;
use super::proxy::Proxy;
use super::trips::declares_its_keys;
use super::{Bench, GRACE, TTL, owner, server, shared};

type Answer = Result<Hold, LockError>;

/// More than anybody waits for.
const LONG: Duration = Duration::from_secs(60);

/// All have asked, in this order, before the first is answered: on one thread the first goes by itself and the others wait.
async fn at_once(store: &RedisStore, requests: &[HoldRequest]) -> Vec<Answer> {
    let mut asked: Vec<_> = requests.iter().map(|request| store.hold(request)).collect();
    for one in &mut asked {
        assert!(poll!(one).is_pending());
    }
    tokio::time::timeout(LONG, join_all(asked)).await.expect("everybody is answered")
}

async fn one_by_one(store: &RedisStore, requests: &[HoldRequest]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for request in requests {
        answers.push(store.hold(request).await);
    }
    answers
}

/// All that an answer says but what is new with each hold; fences by their rank.
fn told(answers: &[Answer]) -> Vec<String> {
    let fences: BTreeSet<Fence> = answers.iter().flatten().map(|hold| hold.fence).collect();
    let rank = |hold: &Hold| fences.iter().position(|fence| *fence == hold.fence);
    let tell = |answer: &Answer| match answer {
        Ok(hold) => format!(
            "{} {:?} {:?} {} {} {:?} {:?}",
            hold.owner,
            hold.want,
            hold.state,
            hold.expires_at,
            hold.ceiling_at,
            hold.ttl,
            rank(hold)
        ),
        Err(error) => format!("{error:?}"),
    };
    answers.iter().map(tell).collect()
}

fn numbered(numbers: impl IntoIterator<Item = u32>) -> Want {
    Want::Seats(numbers.into_iter().map(|n| SeatId::new(n / 100 + 1, n % 100 + 1).unwrap()).collect())
}

/// Small, and the same again for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).unwrap()
    }

    fn seats(&mut self, most: u32, of: u32) -> Want {
        let (count, first) = (1 + self.below(most), self.below(of));
        // Each once, in some order.
        let mut numbers: Vec<u32> = (0..count).map(|n| (first + n * 7) % of).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let middle = first as usize % numbers.len();
        numbers.rotate_left(middle);
        numbered(numbers)
    }
}

/// A store on a clock that stands still, two events with the same history, and the requests of both.
async fn twins(chance: &mut Chance) -> (RedisStore, ManualClock, [EventId; 2]) {
    let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
    let options = server::options(&server::prefix()).clock(clock.clone()).response_timeout(LONG);
    let store = RedisStore::connect_with(server::url(), options).await.unwrap();
    let events = [EventId::new(), EventId::new()];
    let (reserved, past) = (chance.below(2) == 0, [chance.seats(3, 60), chance.seats(3, 60)]);
    for event in events {
        let snapshot = EventSnapshot::new(event);
        let house = numbered([5, 6, 7]).seats().to_vec();
        let snapshot = if reserved { snapshot.with_channel("house", house) } else { snapshot };
        store.load(&snapshot).await.unwrap();
        for (n, want) in past.iter().enumerate() {
            let request = HoldRequest::new(event, "early", want.clone()).ttl(TTL * 2).ceiling(TTL * 3);
            let Ok(hold) = store.hold(&request).await else { continue };
            store.begin_commit(hold.reference(), &owner("early"), GRACE).await.unwrap();
            if n == 0 {
                store.sold(hold.reference(), hold.fence, BookingId::new()).await.unwrap();
            }
        }
    }
    (store, clock, events)
}

/// Whatever comes together, in whatever order: the same answers as one after the other, the same event afterwards.
#[tokio::test]
async fn together_is_as_one_by_one() {
    let _shared = shared().await;
    let (mut held, mut lost) = (0, 0);
    for seed in 1..=super::soak::soak(60, 600) {
        let mut chance = Chance(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (store, clock, [together, apart]) = twins(&mut chance).await;
        let owners = ["ann".to_owned(), "ü".repeat(40), "bob".repeat(100), "c".repeat(512)];
        let requests: Vec<_> = (0..10 + chance.below(120))
            .map(|_| {
                let owner = &owners[usize::try_from(chance.below(4)).unwrap()];
                let times = TTL * (1 + chance.below(3));
                let request = HoldRequest::new(together, owner.as_str(), chance.seats(8, 200));
                let request = if chance.below(9) == 0 { request.channel("house") } else { request };
                request.ttl(times).ceiling(times * (1 + chance.below(2))).limit(1_000)
            })
            .collect();
        let elsewhere: Vec<_> = requests
            .iter()
            .map(|request| {
                let mut other = request.clone();
                other.event = apart;
                other
            })
            .collect();
        // Who names a channel goes by themselves and is not overtaken: one wave is what lies between two of them.
        let mut answers = Vec::new();
        for wave in requests.chunk_by(|one, other| one.channels == other.channels) {
            answers.extend(at_once(&store, wave).await);
        }
        let expected = one_by_one(&store, &elsewhere).await;
        assert_eq!(told(&answers), told(&expected), "seed {seed}");
        held += answers.iter().flatten().count();
        lost += answers.iter().filter(|answer| answer.is_err()).count();
        let [one, other] = [store.status(together).await.unwrap(), store.status(apart).await.unwrap()];
        assert_eq!((one.seats, one.version), (other.seats, other.version), "seed {seed}");
        // What was written is what was told, to the last byte, and lapses as told.
        for hold in answers.iter().flatten() {
            assert_eq!(store.get(hold.reference()).await.unwrap(), *hold);
        }
        clock.advance(TTL * 9);
        let left = store.status(together).await.unwrap().seats;
        assert!(left.iter().all(|(_, state)| *state == SeatState::Sold), "{left:?}");
        for request in requests.iter().take(4) {
            let again = HoldRequest::new(together, &request.owner, numbered([300])).limit(1);
            let hold = store.hold(&again).await.expect("nothing of it counts any more");
            store.release(hold.reference(), &hold.owner).await.unwrap();
        }
    }
    assert!(held > 100 && lost > 100, "{held} held, {lost} lost");
}

/// An attempt that is known, a limit, seats that have lapsed, an event that is not loaded.
#[tokio::test]
async fn what_is_unusual_among_them_is_answered_all_the_same() {
    let _shared = shared().await;
    let (store, clock, [event, other]) = twins(&mut Chance(7)).await;
    let request = |owner: &str, number: u32| HoldRequest::new(event, owner, numbered([number])).ttl(TTL);
    let early = store.hold(&request("early", 100)).await.unwrap();
    clock.advance(TTL);

    let same = request("ann", 101);
    let mut requests = vec![request("zoe", 199), same.clone(), same.clone(), same.clone()];
    requests.extend([request("bob", 100), request("carol", 100)]);
    requests.extend((110..115).map(|number| request("greedy", number).limit(2)));
    requests.extend([request("dora", 120), request("emma", 120)]);
    let answers = at_once(&store, &requests).await;
    let holds: Vec<_> = answers[1..4].iter().map(|answer| answer.as_ref().unwrap()).collect();
    assert!(holds.iter().all(|hold| (hold.id, hold.fence) == (holds[0].id, holds[0].fence)), "{holds:?}");
    let [bob, carol] = [&answers[4], &answers[5]];
    assert!(bob.is_ok() != carol.is_ok(), "{bob:?} {carol:?}");
    assert!(answers[4..6].iter().flatten().all(|hold| hold.fence > early.fence));
    let greedy = &answers[6..11];
    assert_eq!(greedy.iter().filter(|answer| answer.is_ok()).count(), 2, "{greedy:?}");
    let refused = |answer: &Answer| matches!(answer, Err(LockError::LimitExceeded { limit: 2, taken: 2 }));
    assert_eq!(greedy.iter().filter(|answer| refused(answer)).count(), 3, "{greedy:?}");
    assert!(answers[11].is_ok());
    let Err(LockError::Unavailable(conflicts)) = &answers[12] else { panic!("{:?}", answers[12]) };
    assert_eq!(conflicts.seats[0].retry_after, Some(TTL));
    let lapsed = store.expired(&Cursor::default(), 100).await.unwrap().holds;
    assert!(lapsed.iter().any(|hold| hold.id == early.id), "what was due was cleaned up: {lapsed:?}");

    store.unload(other).await.unwrap();
    let gone: Vec<_> = (0..9).map(|n| HoldRequest::new(other, "ann", numbered([n]))).collect();
    let answers = at_once(&store, &gone).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(LockError::NotLoaded))), "{answers:?}");
}

/// One of those who come together cleans up what is due, as one alone does; the others do not wait for that.
#[tokio::test]
async fn what_is_due_is_cleaned_up() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let short = |n: u32| HoldRequest::new(bench.event, "early", numbered([n])).ttl(Duration::from_secs(2));
    let early = at_once(&bench.store, &(0..200).map(short).collect::<Vec<_>>()).await;
    let last = early.into_iter().map(Result::unwrap).next_back().unwrap();
    while bench.store.get(last.reference()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let due = format!("{{{}:{}}}:due", bench.prefix, bench.event);
    let now = SystemClock.now().as_micros().to_string();
    let before: u64 = bench.ask(&["ZCOUNT", &due, "-inf", &now]).await;
    assert!(before >= 128, "{before} are due");
    let requests: Vec<_> = (300..304).map(|n| HoldRequest::new(bench.event, "ann", numbered([n]))).collect();
    assert!(at_once(&bench.store, &requests).await.iter().all(Result::is_ok));
    let after: u64 = bench.ask(&["ZCOUNT", &due, "-inf", &now]).await;
    assert_eq!(before - after, 128, "the first, and one of the others");
}

/// Fewer calls than holds, each of bounded size; and a fence ahead of the time is gone on from.
#[tokio::test]
async fn they_share_calls() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let ahead = Fence::new(u64::try_from(SystemClock.now().as_micros()).unwrap() * 2);
    bench.store.load(&bench.snapshot().with_fence_floor(ahead)).await.unwrap();
    let ask = |n: u32, seats: u32| {
        let want = numbered((0..seats).map(|seat| n * seats + seat));
        HoldRequest::new(bench.event, format!("buyer {n}"), want)
    };
    let mut monitor = Monitor::of(&bench).await;
    for (count, seats) in [(2, 1), (65, 1), (66, 1), (200, 8)] {
        let requests: Vec<_> = (0..count).map(|n| ask(n, seats)).collect();
        let answers = at_once(&bench.store, &requests).await;
        let holds: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(holds.windows(2).all(|two| two[0].fence < two[1].fence), "in the order in which they came");
        assert!(holds[0].fence > ahead);
        let seen = monitor.seen(&bench).await;
        declares_its_keys("together", &seen);
        let sent = seen.sent.len();
        // One by itself; then at most 64 holds and 256 seats.
        let most = 64.min(256 / seats);
        let calls = 1 + usize::try_from((count - 1).div_ceil(most)).unwrap();
        // Once more if the server has not seen the script yet.
        assert!((calls..=calls + 1).contains(&sent), "{count} holds of {seats}: {sent} calls");
        for hold in holds {
            bench.store.release(hold.reference(), &hold.owner).await.unwrap();
        }
        monitor.seen(&bench).await;
    }
}

/// Pitfall 15, together.
#[tokio::test]
async fn losers_together_write_nothing() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let (_held, _paying) = (bench.held("alice", &["A1", "A2"]).await, bench.paying("alice", &["A3"]).await);
    let before = bench.dump().await;
    let mut monitor = Monitor::of(&bench).await;
    let names = [["A4", "A2"], ["A1", "A5"], ["A3", "A6"], ["A2", "A1"]];
    let requests: Vec<_> = names.iter().cycle().take(40).map(|seats| bench.request("bob", seats)).collect();
    let answers = at_once(&bench.store, &requests).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(LockError::Unavailable(_)))), "{answers:?}");
    let seen = monitor.seen(&bench).await;
    assert!(seen.sent.len() < 4, "{}", seen.sent.len());
    assert!(seen.writes().is_empty(), "{:?}", seen.writes());
    assert_eq!(bench.dump().await, before);
}

/// Pitfall 12, together: whoever goes before they were sent is not sent, and nobody else is kept waiting by those who go
/// or do not look, the first neither.
#[tokio::test]
async fn whoever_goes_away_keeps_nobody_waiting() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    for gone in 0..12 {
        let requests: Vec<_> = (1..=12).map(|n| bench.request("alice", &[&format!("A{n}")])).collect();
        let mut asked: Vec<_> = requests.iter().map(|request| Some(bench.store.hold(request))).collect();
        for one in asked.iter_mut().flatten() {
            assert!(poll!(one).is_pending());
        }
        drop(asked[gone].take());
        // It is there and nobody asks it for anything any more.
        let idle = asked[(gone + 1) % 12].take();
        let others = asked.into_iter().flatten();
        let answers = tokio::time::timeout(LONG, join_all(others)).await.expect("the others are answered");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let idle = idle.unwrap().await.unwrap();
        let taken = bench.taken().await;
        let name = format!("A{}", gone + 1);
        assert!(!taken.iter().any(|(seat, _)| *seat == name), "{name} was never sent: {taken:?}");
        for hold in answers.into_iter().map(Result::unwrap).chain([idle]) {
            bench.store.release(hold.reference(), &hold.owner).await.unwrap();
        }
    }
}

/// Pitfall 12, with a crowd: more have gone than the calls of one moment take, and whoever came behind them is sent all
/// the same.
#[tokio::test]
async fn whoever_waits_behind_those_who_went_away_is_sent() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let first = bench.request("first", &["X1"]);
    let crowd: Vec<_> = (0..600).map(|n| HoldRequest::new(bench.event, "gone", numbered([n]))).collect();
    let last = bench.request("alice", &["Z1"]);
    let mut first = bench.store.hold(&first);
    assert!(poll!(&mut first).is_pending());
    {
        let mut gone: Vec<_> = crowd.iter().map(|request| bench.store.hold(request)).collect();
        for one in &mut gone {
            assert!(poll!(one).is_pending());
        }
    }
    let answers = tokio::time::timeout(LONG, join_all([first, bench.store.hold(&last)])).await;
    let answers = answers.expect("both are answered");
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let names: Vec<_> = bench.taken().await.into_iter().map(|(seat, _)| seat).collect();
    assert_eq!(names, ["X1", "Z1"], "nobody else was sent");
}

/// Pitfall 7, together: everybody learns of their own attempt, and asks again with it.
#[tokio::test]
async fn a_lost_answer_is_everybodys_own() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    let bench = Bench::at(&proxy.url(), server::url()).await;
    let warm: Vec<_> = (50..60).map(|n| bench.request("early", &[&format!("A{n}")])).collect();
    assert!(at_once(&bench.store, &warm).await.iter().all(Result::is_ok));
    let requests: Vec<_> = (1..=20).map(|n| bench.request("alice", &[&format!("A{n}")])).collect();
    proxy.cut_the_next_answer();
    let answers = at_once(&bench.store, &requests).await;
    assert!(proxy.has_cut());
    let mut lost = 0;
    for (request, answer) in requests.iter().zip(&answers) {
        match answer {
            Ok(_) => {}
            Err(LockError::OutcomeUnknown { attempt: Some(attempt) }) if *attempt == request.attempt => {
                lost += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0, "{answers:?}");
    let again = at_once(&bench.store, &requests).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    assert_eq!(bench.taken().await.len(), 30);
    let ids =
        |answers: &[Answer]| answers.iter().flatten().map(|hold| (hold.id, hold.fence)).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&at_once(&bench.store, &requests).await), "nothing is new");
}

/// Pitfall 16, with a crowd: all learn within the time of one call that the server says nothing, and whoever was not sent
/// learns that nothing happened.
#[tokio::test]
async fn a_silent_server_keeps_no_crowd_waiting() {
    let _shared = shared().await;
    let (proxy, bench) = (Proxy::start().await, Bench::new().await);
    let patience = Duration::from_secs(2);
    let options = server::options(&bench.prefix).response_timeout(patience).connect_timeout(patience);
    let store = RedisStore::connect_with(&proxy.url(), options).await.unwrap();
    let requests: Vec<_> =
        (0..1_000).map(|n| HoldRequest::new(bench.event, "alice", numbered([n])).limit(1_000)).collect();
    proxy.swallow_answers(true);
    let began = std::time::Instant::now();
    let answers = at_once(&store, &requests).await;
    // One call after the other would be eight times this.
    assert!(began.elapsed() < patience * 6, "{:?}", began.elapsed());
    let taken: BTreeSet<_> = bench.taken().await.into_iter().map(|(seat, _)| seat).collect();
    let mut lost = 0;
    for (request, answer) in requests.iter().zip(&answers) {
        match answer {
            Err(LockError::OutcomeUnknown { attempt }) if *attempt == Some(request.attempt) => lost += 1,
            Err(LockError::Backend { .. }) => {
                let seat = request.want.seats()[0].to_string();
                assert!(!taken.contains(&seat), "{seat} was said not to have been sent");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((1..500).contains(&lost), "{lost} were sent");
    proxy.swallow_answers(false);
    let again = at_once(&store, &requests).await;
    assert!(again.iter().all(Result::is_ok), "it is there again");
}

/// A task that is not let run keeps nobody waiting either: whoever it has not sent goes, and is not sent afterwards.
#[tokio::test]
async fn a_turn_that_does_not_come_is_bounded() {
    let _shared = shared().await;
    let bench = Bench::new().await;
    let options = server::options(&bench.prefix).response_timeout(Duration::from_millis(500));
    let options = options.connect_timeout(Duration::from_millis(500));
    let store = RedisStore::connect_with(server::url(), options).await.unwrap();
    let requests = ["A1", "A2", "A3", "A4"].map(|name| bench.request("alice", &[name]));
    let [first, second, third, last] = &requests;
    // Nobody drives this one: what is spawned there stays as it is.
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut first = store.hold(first);
    assert!(poll!(&mut first).is_pending());
    let mut began = [store.hold(second), store.hold(third)];
    {
        let _idle = idle.enter();
        for one in &mut began {
            assert!(poll!(one).is_pending());
        }
    }
    let late = tokio::time::timeout(LONG, store.hold(last)).await.expect("it is answered");
    assert!(matches!(late, Err(LockError::Backend { .. })), "{late:?}");
    first.await.unwrap();
    drop(began);
    idle.shutdown_background();
    let names: Vec<_> = bench.taken().await.into_iter().map(|(seat, _)| seat).collect();
    assert_eq!(names, ["A1"], "the others were not sent");
    store.hold(last).await.unwrap();
}

/// The runtime that sends may end while others wait: they are sent by themselves.
#[tokio::test]
async fn a_runtime_that_ends_leaves_nobody_waiting() {
    let _shared = shared().await;
    let proxy = Proxy::start().await;
    let bench = Bench::at(&proxy.url(), server::url()).await;
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    proxy.swallow_answers(true);
    // One by itself, then as many as are sent at a time.
    for n in 1..=3 {
        let (store, request) = (bench.store.clone(), bench.request("gone", &[&format!("B{n}")]));
        other.spawn(async move { store.hold(&request).await });
        let name = format!("B{n}");
        let there = tokio::time::timeout(LONG, async {
            let direct =
                RedisStore::connect_with(server::url(), server::options(&bench.prefix)).await.unwrap();
            loop {
                let status = direct.status(bench.event).await.unwrap();
                if status.seats.iter().any(|(seat, _)| seat.to_string() == name) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        there.await.expect("it is sent");
    }
    let request = bench.request("alice", &["A1"]);
    let mut waiting = bench.store.hold(&request);
    for _ in 0..10 {
        assert!(poll!(&mut waiting).is_pending());
        tokio::task::yield_now().await;
    }
    proxy.swallow_answers(false);
    // What was swallowed never comes: the connection is of no use, and the calls end with their runtime.
    other.shutdown_background();
    proxy.hang_up().await;
    let hold = tokio::time::timeout(LONG, waiting).await.expect("it is answered").unwrap();
    assert_eq!(hold.owner, owner("alice"));
}
