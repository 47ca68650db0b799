//! A crowd that loses is asked about in one statement, and each is answered as by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::poll;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, SystemClock};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{AttemptId, EventSnapshot, Hold, HoldRequest, LockError, SeatState, SeatStore, Want};

use super::proxy::Proxy;
use super::server::{pool, schema, url};

type Answer = Result<Hold, LockError>;

const MINUTE: Duration = Duration::from_secs(60);
const CONNECTIONS: u32 = 4;

fn request(event: EventId, owner: &str, names: &[&str]) -> HoldRequest {
    HoldRequest::new(event, owner, Want::Seats(seats(names))).ttl(MINUTE * 3)
}

struct Bench {
    proxy: Proxy,
    /// Through the proxy, with its connections open and everything prepared there.
    store: PostgresStore,
    /// Past it.
    pool: PgPool,
    schema: String,
    clock: ManualClock,
    event: EventId,
}

impl Bench {
    /// An event in which somebody has just lost.
    async fn new() -> Self {
        let pool = pool(&url(), 2).await;
        let schema = schema(&pool).await;
        let (proxy, clock) = (Proxy::before(&url()).await, ManualClock::at(SystemClock.now()));
        let through = super::server::pool(&proxy.url, CONNECTIONS).await;
        let store = PostgresStore::in_schema(through.clone(), &schema).unwrap().with_timeout(MINUTE);
        let store = store.with_clock(Arc::new(clock.clone()));
        let bench = Self { proxy, store, pool, schema, clock, event: EventId::new() };
        bench.open(bench.event).await;
        let open = (0..CONNECTIONS).map(|_| through.acquire());
        drop(join_all(open).await);
        bench
    }

    /// Goes by itself, as the first of a process does.
    fn straight(&self) -> PostgresStore {
        let store = PostgresStore::in_schema(self.pool.clone(), &self.schema).unwrap().with_timeout(MINUTE);
        store.with_clock(Arc::new(self.clock.clone()))
    }

    async fn open(&self, event: EventId) {
        let snapshot = EventSnapshot::new(event).with_channel("house", seats(&["A4"]));
        self.straight().load(&snapshot).await.unwrap();
        self.straight().hold(&request(event, "first", &["X1"])).await.unwrap();
        self.lose(&self.store, event).await;
    }

    async fn lose(&self, store: &PostgresStore, event: EventId) {
        let lost = store.hold(&request(event, "second", &["X1"])).await;
        assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
    }

    /// The first loses by itself, and the others wait meanwhile.
    fn losers(&self, count: u32) -> Vec<HoldRequest> {
        (0..count)
            .map(|n| request(self.event, &format!("buyer {n}"), &[&format!("A{}", n + 9), "X1"]))
            .collect()
    }

    async fn taken(&self) -> Vec<String> {
        let status = self.straight().status(self.event).await.unwrap();
        status
            .seats
            .iter()
            .filter(|(_, state)| *state != SeatState::Reserved)
            .map(|(seat, _)| seat.to_string())
            .collect()
    }
}

/// All have asked, in this order, before the first is answered.
async fn at_once(store: &PostgresStore, requests: &[HoldRequest]) -> Vec<Answer> {
    let mut asked: Vec<_> = requests.iter().map(|request| store.hold(request)).collect();
    for one in &mut asked {
        assert!(poll!(one).is_pending());
    }
    tokio::time::timeout(MINUTE, join_all(asked)).await.expect("everybody is answered")
}

fn have_lost<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> bool {
    answers.into_iter().all(|answer| matches!(answer, Err(LockError::Unavailable(_))))
}

/// What an answer says but what is new with each hold.
fn told(answer: &Answer) -> String {
    match answer {
        Ok(hold) => format!(
            "{} {:?} {:?} {} {} {:?}",
            hold.owner, hold.want, hold.state, hold.expires_at, hold.ceiling_at, hold.ttl
        ),
        Err(error) => format!("{error:?}"),
    }
}

/// A seat of each state: A1 held, A2 paying, A3 sold, A4 of a channel, A5 and A6 lapsed; two of an owner, an attempt.
async fn history(bench: &Bench, event: EventId, attempt: AttemptId) {
    let store = bench.straight();
    store.hold(&request(event, "early", &["A5"]).ttl(MINUTE)).await.unwrap();
    store.hold(&request(event, "early", &["A6"]).ttl(MINUTE)).await.unwrap();
    bench.clock.advance(MINUTE * 2);
    store.hold(&request(event, "early", &["A1"])).await.unwrap();
    for seat in ["A2", "A3"] {
        let hold = store.hold(&request(event, "early", &[seat])).await.unwrap();
        store.begin_commit(hold.reference(), &hold.owner, MINUTE * 5).await.unwrap();
        if seat == "A3" {
            store.sold(hold.reference(), hold.fence, BookingId::new()).await.unwrap();
        }
    }
    store.hold(&request(event, "greedy", &["B1", "B2"])).await.unwrap();
    store.hold(&request(event, "known", &["K1"]).attempt(attempt)).await.unwrap();
}

/// Whatever the state of a seat, and whatever else makes a request unusual: hold()'s answer, once from the look and once by
/// itself. Nobody's answer hangs on another's, so that their order is of no account.
#[tokio::test]
async fn each_is_answered_as_by_themselves() {
    let bench = Bench::new().await;
    let (apart, attempt) = (EventId::new(), AttemptId::new());
    bench.open(apart).await;
    let start = bench.clock.now();
    history(&bench, bench.event, attempt).await;
    bench.clock.set(start);
    history(&bench, apart, attempt).await;

    let all = |event| {
        let ask = |owner: &str, names: &[&str]| request(event, owner, names);
        let first = vec![ask("zoe", &["X1"])];
        let looked_at = vec![
            ask("ann", &["A1"]),
            ask("ann", &["A2"]),
            ask("ann", &["A3"]),
            ask("ann", &["A4"]),
            ask("early", &["A1"]),
            ask("ann", &["F1", "A4", "A3", "F2", "A2", "A1"]),
            ask("bob", &["F1", "A1"]).limit(2),
            ask("greedy", &["A1"]).limit(3),
            ask("greedy", &["A2", "A1"]),
        ];
        let alone = vec![
            ask("carl", &["F3"]),
            ask("dora", &["F5", "F4"]).limit(2),
            ask("emma", &["A5"]),
            ask("fred", &["A6", "A1"]),
            ask("greedy", &["F6"]).limit(2),
            ask("greedy", &["A1"]).limit(2),
            ask("greedy", &["A1", "F6"]).limit(3),
            ask("gina", &["F7", "A1"]).limit(1),
            ask("known", &["K1"]).attempt(attempt),
            ask("known", &["A1"]).attempt(attempt),
            ask("other", &["A1"]).attempt(attempt),
        ];
        [first, looked_at, alone]
    };
    let [first, looked_at, alone] = all(bench.event);
    let statements = u32::try_from(first.len() + 1 + alone.len()).unwrap();
    let requests = [first, looked_at, alone].concat();
    bench.proxy.statements();
    let answers = at_once(&bench.store, &requests).await;
    assert_eq!(bench.proxy.statements(), statements, "one by itself, a look, those whom it says nothing of");
    for ((request, answer), twin) in requests.iter().zip(&answers).zip(all(apart).concat()) {
        let expected = bench.straight().hold(&twin).await;
        assert_eq!(told(answer), told(&expected), "{} {:?} {:?}", request.owner, request.want, request.limit);
    }
    let retry = |n: usize| match &answers[n] {
        Err(LockError::Unavailable(conflicts)) => conflicts.seats[0].retry_after,
        other => panic!("{other:?}"),
    };
    assert_eq!([1, 2, 3, 4].map(retry), [Some(MINUTE * 3), Some(MINUTE * 5), None, None]);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4, "{answers:?}");

    bench.lose(&bench.store, apart).await;
    bench.straight().unload(apart).await.unwrap();
    let answers = at_once(&bench.store, &all(apart).concat()).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(LockError::NotLoaded))), "{answers:?}");
}

/// Who wins is not looked at first, unless somebody has just lost; and a crowd that loses is few statements.
#[tokio::test]
async fn only_a_crowd_that_loses_is_looked_at() {
    let bench = Bench::new().await;
    let losers = bench.losers(200);
    at_once(&bench.store, &losers).await;
    for (count, statements) in [(1, 1), (2, 2), (65, 2), (66, 3), (200, 5)] {
        bench.proxy.statements();
        let answers = at_once(&bench.store, &losers[..count]).await;
        assert!(have_lost(&answers), "{answers:?}");
        // Fewer, if who was sent for the crowd before still looks for more.
        let sent = bench.proxy.statements();
        assert!((1..=statements).contains(&sent), "{count} losers: {sent} statements");
    }
    bench.store.hold(&request(bench.event, "alice", &["B1"])).await.unwrap();
    let winners: Vec<_> = (2..22).map(|n| request(bench.event, "alice", &[&format!("B{n}")])).collect();
    bench.proxy.statements();
    let answers = at_once(&bench.store, &winners).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(bench.proxy.statements(), 20);
}

/// Some win and some lose, on the same seats and on others, and all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixed_crowd_is_answered_rightly() {
    let bench = Bench::new().await;
    for round in 0..8 {
        bench.lose(&bench.store, bench.event).await;
        let asked = (0..96).map(|n| {
            let own = format!("C{}", round * 100 + n + 1);
            let shared = if n % 3 == 0 { "X1".to_owned() } else { format!("B{}", round * 8 + n % 8 + 1) };
            let (store, asked) =
                (bench.store.clone(), request(bench.event, &format!("buyer {n}"), &[&own, &shared]));
            tokio::spawn(async move { (shared, store.hold(&asked).await) })
        });
        let mut won = Vec::new();
        for one in join_all(asked).await {
            match one.unwrap() {
                (shared, Ok(_)) => won.push(shared),
                (shared, Err(LockError::Unavailable(conflicts))) => {
                    let named: Vec<_> =
                        conflicts.seats.iter().map(|c| (c.seat.to_string(), c.state)).collect();
                    assert_eq!(named, [(shared, SeatState::Held)]);
                }
                (_, Err(error)) => panic!("{error:?}"),
            }
        }
        won.sort();
        let each: Vec<_> = (1..=8).map(|n| format!("B{}", round * 8 + n)).collect();
        assert_eq!(won.len(), 8, "{won:?}");
        assert!(each.iter().all(|seat| won.contains(seat)), "{won:?}");
        assert_eq!(bench.taken().await.len(), 1 + 16 * (usize::try_from(round).unwrap() + 1));
    }
}

/// Pitfall 7: a look wrote nothing, so nothing is unknown of those whose look was not answered.
#[tokio::test]
async fn a_lost_look_is_a_failure() {
    let bench = Bench::new().await;
    at_once(&bench.store, &bench.losers(20)).await;
    let requests: Vec<_> = (1..=20).map(|n| request(bench.event, "alice", &[&format!("B{n}")])).collect();
    let mut first = bench.store.hold(&requests[0]);
    bench.proxy.statements();
    let end = Instant::now() + MINUTE;
    while bench.proxy.statements() == 0 {
        assert!(poll!(&mut first).is_pending() && Instant::now() < end, "the first is sent");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bench.proxy.cut_next();
    let answers = at_once(&bench.store, &requests[1..]).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(LockError::Backend { .. }))), "{answers:?}");
    first.await.unwrap();
    assert_eq!(bench.taken().await, ["B1", "X1"]);
    let again = at_once(&bench.store, &requests).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
}

/// One of them may be why the server refuses to look, so that each is told by what they asked themselves.
#[tokio::test]
async fn who_cannot_be_looked_at_goes_by_themselves() {
    let bench = Bench::new().await;
    let drop = format!("drop function {}.losers", bench.schema);
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&bench.pool).await.unwrap();
    let mut requests = bench.losers(20);
    requests.push(request(bench.event, "alice", &["B1"]));
    let answers = at_once(&bench.store, &requests).await;
    assert!(have_lost(&answers[..20]), "{answers:?}");
    assert!(answers[20].is_ok(), "{:?}", answers[20]);
}

/// Pitfall 16, with a crowd: all learn within the time of one operation that the server says nothing.
#[tokio::test]
async fn a_silent_server_keeps_no_crowd_waiting() {
    let bench = Bench::new().await;
    let patience = Duration::from_secs(2);
    let hasty = bench.store.clone().with_timeout(patience);
    bench.lose(&hasty, bench.event).await;
    bench.proxy.freeze();
    let (requests, began) = (bench.losers(400), Instant::now());
    let answers = at_once(&hasty, &requests).await;
    // One look after the other would be seven times this.
    assert!(began.elapsed() < patience * 6, "{:?}", began.elapsed());
    let unknown = |answer: &&Answer| matches!(answer, Err(LockError::OutcomeUnknown { .. }));
    assert!(answers.iter().filter(unknown).count() <= 1, "one was sent by itself: {answers:?}");
    assert!(
        answers[1..].iter().all(|answer| matches!(answer, Err(LockError::Backend { .. }))),
        "{answers:?}"
    );
    bench.proxy.thaw();
    let answers = at_once(&bench.store, &requests).await;
    assert!(have_lost(&answers), "it is there again: {answers:?}");
}

/// Pitfall 12: whoever goes away while they wait is not sent, and keeps nobody waiting; nor does who does not look.
#[tokio::test]
async fn whoever_goes_away_keeps_nobody_waiting() {
    let bench = Bench::new().await;
    for gone in 1..8 {
        bench.lose(&bench.store, bench.event).await;
        let wanted = |n: usize| request(bench.event, "alice", &[&format!("B{}", gone * 8 + n)]);
        let requests: Vec<_> = (0..8).map(wanted).collect();
        let mut asked: Vec<_> = requests.iter().map(|request| Some(bench.store.hold(request))).collect();
        for one in asked.iter_mut().flatten() {
            assert!(poll!(one).is_pending());
        }
        drop(asked[gone].take());
        // It is there and nobody asks it for anything any more.
        let idle = asked[(gone + 1) % 8].take();
        let answers = tokio::time::timeout(MINUTE, join_all(asked.into_iter().flatten())).await;
        let answers = answers.expect("the others are answered");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        idle.unwrap().await.unwrap();
        let (taken, name) = (bench.taken().await, format!("B{}", gone * 8 + gone));
        assert!(!taken.contains(&name), "{name} was never sent: {taken:?}");
        assert_eq!(taken.len(), 1 + 7 * gone, "{taken:?}");
    }
}

/// The runtime that asks may end during a look, or before it: who waits goes by themselves, and is told what is so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_that_ends_leaves_nobody_waiting() {
    let bench = Bench::new().await;
    let requests = ["B1", "B2", "B3", "B4"].map(|name| request(bench.event, "alice", &[name]));
    let lost = bench.losers(1);
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut first = bench.store.hold(&requests[0]);
    assert!(poll!(&mut first).is_pending());
    {
        // What these begin is driven by nobody yet, and they are gone when it is.
        let mut began = [bench.store.hold(&requests[1]), bench.store.hold(&requests[2])];
        let _other = other.enter();
        for one in &mut began {
            assert!(poll!(one).is_pending());
        }
    }
    let (mut winner, mut loser) = (bench.store.hold(&requests[3]), bench.store.hold(&lost[0]));
    assert!(poll!(&mut winner).is_pending() && poll!(&mut loser).is_pending());
    first.await.unwrap();
    let mut rival = bench.pool.begin().await.unwrap();
    let lock = format!("lock table {}.holds", bench.schema);
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *rival).await.unwrap();
    bench.proxy.statements();
    let proxy = bench.proxy.clone();
    let ended = tokio::task::spawn_blocking(move || {
        let sent = async {
            while proxy.statements() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        other.block_on(async { tokio::time::timeout(MINUTE, sent).await }).expect("a look is sent");
    });
    ended.await.unwrap();
    rival.rollback().await.unwrap();
    let both = tokio::time::timeout(MINUTE, join_all([winner, loser])).await.expect("both are answered");
    assert!(both[0].is_ok() && have_lost(&both[1..]), "{both:?}");
    assert_eq!(bench.taken().await, ["B1", "B4", "X1"]);
}

/// A task that is not let run keeps nobody waiting either.
#[tokio::test]
async fn a_turn_that_does_not_come_is_bounded() {
    let bench = Bench::new().await;
    let hasty = bench.store.clone().with_timeout(Duration::from_secs(1));
    bench.lose(&hasty, bench.event).await;
    let requests = ["B1", "B2", "B3", "B4"].map(|name| request(bench.event, "alice", &[name]));
    let [first, second, third, last] = &requests;
    let idle = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut first = hasty.hold(first);
    assert!(poll!(&mut first).is_pending());
    let mut began = [hasty.hold(second), hasty.hold(third)];
    {
        let _idle = idle.enter();
        for one in &mut began {
            assert!(poll!(one).is_pending());
        }
    }
    let late = tokio::time::timeout(MINUTE, hasty.hold(last)).await.expect("it is answered");
    assert!(matches!(late, Err(LockError::Backend { .. })), "{late:?}");
    drop((began, first));
    idle.shutdown_background();
    assert!(bench.taken().await.iter().all(|seat| !["B2", "B3", "B4"].contains(&seat.as_str())));
    bench.store.hold(last).await.unwrap();
}
