//! What is in the tables, and how they come to be.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, SystemClock};
use ticketblitz_lock::conformance::{owner, seats};
use ticketblitz_lock::postgres::{PostgresStore, setup_schema};
use ticketblitz_lock::{
    Cursor, EventSnapshot, Fence, Hold, HoldRef, HoldRequest, LockError, SeatStore, Taken, TakenState, Want,
};

use super::own::Own;
use super::server::{new_schema, pool, schema, url};

const MINUTE: Duration = Duration::from_secs(60);

fn request(event: EventId, owner: &str, names: &[&str]) -> HoldRequest {
    HoldRequest::new(event, owner, Want::Seats(seats(names)))
}

async fn number(pool: &PgPool, schema: &str, query: &str) -> i64 {
    let query = query.replace('@', schema);
    sqlx::query(AssertSqlSafe(query)).fetch_one(pool).await.unwrap().get(0)
}

/// As many processes start at once, and again later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_set_up_at_once() {
    let one = pool(&url(), 1).await;
    for _ in 0..3 {
        let schema = new_schema(&one).await;
        let all = join_all((0..8).map(|_| {
            let schema = schema.clone();
            tokio::spawn(async move { setup_schema(&pool(&url(), 1).await, &schema).await })
        }))
        .await;
        for done in all {
            done.unwrap().unwrap();
        }
        let store = PostgresStore::in_schema(one.clone(), &schema).unwrap();
        let event = EventId::new();
        store.load(&EventSnapshot::new(event)).await.unwrap();
        let hold = store.hold(&request(event, "alice", &["A1"])).await.unwrap();
        setup_schema(&one, &schema).await.unwrap();
        assert_eq!(store.get(hold.reference()).await.unwrap().id, hold.id, "set up again, all is there");
        number(&one, &schema, "select count(*) from @.stream").await;
    }
}

#[tokio::test]
async fn a_schema_of_a_later_version_is_refused() {
    let pool = pool(&url(), 1).await;
    let schema = schema(&pool).await;
    let later = format!("update {schema}.lock_version set version = 'ticketblitz-lock 99'");
    sqlx::raw_sql(AssertSqlSafe(later)).execute(&pool).await.unwrap();
    let refused = setup_schema(&pool, &schema).await.unwrap_err();
    assert!(matches!(refused, LockError::Invalid(_)), "{refused:?}");
    for part in [schema.as_str(), "ticketblitz-lock 99", "ticketblitz-lock 1", "another version"] {
        assert!(refused.to_string().contains(part), "{part}: {refused}");
    }
    assert!(PostgresStore::in_schema(pool, "Not A Name").is_err());
}

/// Pitfall 15: who loses by what is there asks for no lock and writes nothing: a connection on which nothing can be
/// written answers as any other.
#[tokio::test]
async fn losers_write_nothing() {
    let pool = pool(&url(), 2).await;
    let schema = schema(&pool).await;
    let options: PgConnectOptions = url().parse().unwrap();
    let reading =
        PgPoolOptions::new().connect_with(options.options([("default_transaction_read_only", "on")]));
    let loser = PostgresStore::in_schema(reading.await.unwrap(), &schema).unwrap();
    let store = PostgresStore::in_schema(pool, &schema).unwrap();
    let event = EventId::new();
    store.load(&EventSnapshot::new(event).with_area("FLOOR", 2)).await.unwrap();
    let hold = store.hold(&request(event, "alice", &["A1", "A2"])).await.unwrap();
    let it = hold.reference();
    let floor = |quantity| HoldRequest::new(event, "bob", Want::Area { section: "FLOOR".into(), quantity });
    let (alice, bob) = (owner("alice"), owner("bob"));

    let winning = loser.hold(&request(event, "bob", &["B1"])).await;
    assert!(matches!(winning, Err(LockError::Backend { .. })), "there it can be seen: {winning:?}");
    for _ in 0..3 {
        let lost = loser.hold(&request(event, "bob", &["A2", "B1"])).await;
        assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
        let lost = loser.hold(&floor(3)).await;
        assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
        let lost = loser.hold(&request(event, "alice", &["B1"]).limit(2)).await;
        assert!(matches!(lost, Err(LockError::LimitExceeded { taken: 2, .. })), "{lost:?}");
        let lost = loser.hold(&request(event, "bob", &["B1"]).replacing(it)).await;
        assert!(matches!(lost, Err(LockError::NotHeld)), "{lost:?}");
        assert!(matches!(loser.release(it, &bob).await, Err(LockError::NotHeld)));
        assert!(matches!(loser.begin_commit(it, &bob, MINUTE).await, Err(LockError::NotHeld)));
        let ceiling = loser.extend(it, &alice, MINUTE * 600).await;
        assert!(matches!(ceiling, Err(LockError::CeilingReached { .. })), "{ceiling:?}");
        let low = Fence::new(hold.fence.as_u64() - 1);
        let stale = loser.sold(it, low, BookingId::new()).await;
        assert!(matches!(stale, Err(LockError::StaleFence { .. })), "{stale:?}");
        loser.reopen(event, BookingId::new()).await.unwrap();
        loser.unload(EventId::new()).await.unwrap();
        loser.get(it).await.unwrap();
        loser.status(event).await.unwrap();
        assert!(loser.expired(&Cursor::default(), 10).await.unwrap().holds.is_empty());
    }
    // A repeat, too, is a question.
    let repeated = request(event, "carol", &["C1"]);
    let made = store.hold(&repeated).await.unwrap();
    assert_eq!(loser.hold(&repeated).await.unwrap().id, made.id);
}

/// Pitfall 15, by the server's own count of what it logs: a thousand losers, and not a record of theirs.
#[tokio::test]
async fn losers_log_nothing() {
    let pool = pool(&url(), 4).await;
    let schema = schema(&pool).await;
    let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(MINUTE);
    let event = EventId::new();
    store.load(&EventSnapshot::new(event).with_area("FLOOR", 2)).await.unwrap();
    let hold = store.hold(&request(event, "alice", &["A1", "A2"])).await.unwrap();
    store.hold(&request(event, "carol", &["A3"])).await.unwrap();
    // One statement of a kind, as all who start at the same time have to make one extension.
    let extension = "select pg_advisory_xact_lock(15); create extension if not exists pg_stat_statements";
    sqlx::raw_sql(extension).execute(&pool).await.unwrap();
    let so_far = async |what: &str, function: &str| {
        let sum = format!(
            "select coalesce(sum({what}), 0)::bigint from pg_stat_statements
                where query like 'select%\"@\".{function}(%'"
        );
        number(&pool, &schema, &sum).await
    };
    let before = (so_far("calls", "hold").await, so_far("wal_records", "hold").await);
    assert!(before.0 == 2 && before.1 > 0, "who wins does: {before:?}");
    // After this one, those who come together are looked at.
    let lost = store.hold(&request(event, "bob", &["A2"])).await;
    assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
    let losers = (0..1_000).map(|n| {
        let (store, who) = (store.clone(), format!("loser {n}"));
        let wanted = match n % 4 {
            0 => request(event, &who, &["B1", "A2", "B2"]).limit(4),
            1 => HoldRequest::new(event, who, Want::Area { section: "FLOOR".into(), quantity: 3 }),
            2 => request(event, "alice", &["B1"]).limit(2),
            _ => request(event, &who, &["A3"]).replacing(hold.reference()),
        };
        tokio::spawn(async move { store.hold(&wanted).await })
    });
    for lost in join_all(losers).await {
        let lost = lost.unwrap();
        assert!(
            matches!(
                lost,
                Err(LockError::Unavailable(_) | LockError::LimitExceeded { .. } | LockError::NotHeld)
            ),
            "{lost:?}"
        );
    }
    // Small crowds, so that there are many looks.
    for n in 0..50 {
        let crowd = [1, 2, 3].map(|k| request(event, &format!("late {n} {k}"), &["B1", "A1"]));
        let crowd = join_all(crowd.iter().map(|wanted| store.hold(wanted))).await;
        assert!(crowd.iter().all(|lost| matches!(lost, Err(LockError::Unavailable(_)))), "{crowd:?}");
    }
    let calls = (so_far("calls", "hold").await - before.0, so_far("calls", "losers").await);
    assert!(calls.0 > 500 && calls.1 >= 40, "those whom no look answers, and looks: {calls:?}");
    let logged = so_far("wal_records", "hold").await + so_far("wal_records", "losers").await - before.1;
    // Whoever reads a page may tidy it on the way, a record a page: the server's own business. 250 are of each kind.
    assert!(logged <= 10, "{logged} records of a thousand losers");
}

/// One attempt sent for several seats at once is one hold; who else sends it is told so, by the store and not by a
/// constraint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_attempt_for_many_things_is_one_hold() {
    let pool = pool(&url(), 8).await;
    let schema = schema(&pool).await;
    let store = PostgresStore::in_schema(pool, &schema).unwrap().with_timeout(MINUTE);
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await.unwrap();
    for _ in 0..10 {
        let attempt = ticketblitz_lock::AttemptId::new();
        let answers = join_all((1..=8).map(|n| {
            let store = store.clone();
            let wanted = request(event, "alice", &[&format!("A{n}")]).attempt(attempt);
            tokio::spawn(async move { store.hold(&wanted).await })
        }))
        .await;
        let mut held = Vec::new();
        for answer in answers {
            match answer.unwrap() {
                Ok(hold) => held.push(hold),
                Err(LockError::AttemptReused) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(held.len(), 1);
        store.release(held[0].reference(), &held[0].owner).await.unwrap();
    }
}

/// Who waits for a lock has to see what was written meanwhile, whatever they ask for.
#[tokio::test]
async fn another_isolation_level_is_refused() {
    let one = pool(&url(), 1).await;
    let schema = schema(&one).await;
    let usual = PostgresStore::in_schema(one, &schema).unwrap();
    let event = EventId::new();
    usual.load(&EventSnapshot::new(event)).await.unwrap();
    let hold = usual.hold(&request(event, "alice", &["A1"])).await.unwrap();
    let (it, alice) = (hold.reference(), &hold.owner);
    for level in ["repeatable read", "serializable"] {
        let options: PgConnectOptions = url().parse().unwrap();
        let strict = options.options([("default_transaction_isolation", level)]);
        let pool = PgPoolOptions::new().connect_with(strict).await.unwrap();
        let store = PostgresStore::in_schema(pool, &schema).unwrap();
        let refused = [
            store.load(&EventSnapshot::new(event)).await,
            store.unload(event).await,
            store.unload(EventId::new()).await,
            store.hold(&request(event, "bob", &["B1"])).await.map(drop),
            store.hold(&request(event, "bob", &["A1"])).await.map(drop),
            store.get(it).await.map(drop),
            store.extend(it, alice, MINUTE).await.map(drop),
            store.begin_commit(it, alice, MINUTE).await.map(drop),
            store.abort_commit(it).await,
            store.release(it, alice).await,
            store.sold(it, hold.fence, BookingId::new()).await,
            store.reopen(event, BookingId::new()).await,
            store.status(event).await.map(drop),
            store.expired(&Cursor::default(), 1).await.map(drop),
        ];
        for (place, answer) in refused.into_iter().enumerate() {
            let Err(LockError::Backend { source }) = answer else { panic!("{level}, {place}: {answer:?}") };
            assert!(source.to_string().contains("read committed"), "{level}, {place}: {source}");
        }
    }
    let after = usual.get(it).await.unwrap();
    assert_eq!((after.state, after.expires_at), (hold.state, hold.expires_at));
}

/// Pitfall 6: everything at once on few seats and areas, with holds that lapse all the time. Nobody waits in a circle,
/// which the server would say, and in the end the tables agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_in_a_circle() {
    let pool = pool(&url(), 12).await;
    let schema = schema(&pool).await;
    let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(MINUTE);
    let event = EventId::new();
    let snapshot = EventSnapshot::new(event).with_area("FLOOR", 9).with_area("BALCONY", 5);
    store.load(&snapshot).await.unwrap();
    let buyers = (0..24).map(|buyer| {
        let (store, snapshot) = (store.clone(), snapshot.clone());
        tokio::spawn(async move {
            for round in 0..40 {
                one_round(&store, &snapshot, buyer, round).await;
            }
        })
    });
    for done in join_all(buyers).await {
        done.unwrap();
    }
    agree(&pool, &schema).await;
    // What is held still lapses; then the areas are free, but for what is sold.
    let end = SystemClock.now() + MINUTE;
    loop {
        let status = store.status(event).await.unwrap();
        store.expired(&Cursor::default(), 1).await.unwrap();
        if status.areas.iter().all(|area| area.held + area.paying + area.sold == 0) && status.seats.is_empty()
        {
            break;
        }
        assert!(SystemClock.now() < end, "{status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    store.load(&snapshot).await.unwrap();
    agree(&pool, &schema).await;
    assert_eq!(number(&pool, &schema, "select sum(taken)::bigint from @.areas").await, 0);
}

async fn one_round(store: &PostgresStore, snapshot: &EventSnapshot, buyer: usize, round: usize) {
    let mut names: Vec<String> =
        (0..3).map(|k| format!("A{}", (buyer * 5 + round * 3 + k * 4) % 13 + 1)).collect();
    names.rotate_left(round % 3);
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let section = ["FLOOR", "BALCONY"][(buyer + round) % 2];
    let floor = Want::Area { section: section.into(), quantity: 1 + u32::try_from(round % 3).unwrap() };
    let who = format!("buyer {}", buyer % 7);
    let mut wanted = request(snapshot.event, &who, &names);
    if round.is_multiple_of(3) {
        wanted = HoldRequest::new(snapshot.event, who.as_str(), floor.clone()).or(wanted.want);
    } else if round % 3 == 1 {
        wanted = wanted.or(floor);
    }
    let wanted =
        wanted.ttl(Duration::from_millis(1 + round as u64 % 12)).limit(round.is_multiple_of(2).then_some(6));
    if let Some(hold) = allowed(store.hold(&wanted).await) {
        after_holding(store, &hold, buyer, round, &names).await;
    }
    match round % 10 {
        3 => drop(allowed(store.expired(&Cursor::default(), 10).await)),
        7 if buyer.is_multiple_of(6) => drop(allowed(store.load(snapshot).await)),
        _ => {}
    }
}

async fn after_holding(store: &PostgresStore, hold: &Hold, buyer: usize, round: usize, names: &[&str]) {
    let (it, booking): (HoldRef, _) = (hold.reference(), BookingId::new());
    match (buyer + round) % 6 {
        0 => drop(allowed(store.release(it, &hold.owner).await)),
        1 => {
            let swap = request(hold.event, hold.owner.as_str(), names).replacing(it);
            allowed(store.hold(&swap.ttl(Duration::from_millis(5))).await);
        }
        2 => {
            allowed(store.begin_commit(it, &hold.owner, Duration::from_millis(5)).await);
            allowed(store.sold(it, hold.fence, booking).await);
            store.reopen(hold.event, booking).await.unwrap();
        }
        3 => {
            allowed(store.begin_commit(it, &hold.owner, Duration::from_millis(2)).await);
            allowed(store.abort_commit(it).await);
        }
        4 => drop(allowed(store.extend(it, &hold.owner, Duration::from_millis(9)).await)),
        _ => {} // went away
    }
}

/// What a rival may do to one; a failure of the database is none of that.
fn allowed<T>(answer: Result<T, LockError>) -> Option<T> {
    match answer {
        Err(
            error @ (LockError::Backend { .. } | LockError::OutcomeUnknown { .. } | LockError::Invalid(_)),
        ) => {
            panic!("{error:?}")
        }
        answer => answer.ok(),
    }
}

/// What stands in two places is the same in both.
pub async fn agree(pool: &PgPool, schema: &str) {
    let counted =
        "select count(*) from @.areas a where taken <> (select coalesce(sum(quantity), 0) from @.holds h
        where h.event = a.event and h.section = a.section and phase in ('held', 'paying', 'sold'))";
    assert_eq!(number(pool, schema, counted).await, 0, "areas count their holds");
    let missing = "select count(*) from @.holds h cross join unnest(h.seats) w (seat)
        left join @.seats s on s.event = h.event and s.seat = w.seat and s.hold = h.id
        where phase in ('held', 'paying', 'sold') and s.seat is null";
    assert_eq!(number(pool, schema, missing).await, 0, "a hold has all its seats");
    let stray = "select count(*) from @.seats s where hold is not null and not exists (select from @.holds h
        where h.event = s.event and h.id = s.hold and phase in ('held', 'paying', 'sold') and s.seat = any (h.seats))";
    assert_eq!(number(pool, schema, stray).await, 0, "a seat is of a hold that has it");
}

/// Whatever is made and ended, what is kept is bounded: of holds, those of one ceiling; of expiries, the last.
#[tokio::test]
async fn what_has_ended_is_forgotten() {
    let pool = pool(&url(), 2).await;
    let schema = schema(&pool).await;
    let clock = ManualClock::at(SystemClock.now());
    let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_clock(Arc::new(clock.clone()));
    let event = EventId::new();
    store.load(&EventSnapshot::new(event)).await.unwrap();
    let hold = async |names: &[&str]| {
        let request = request(event, "alice", names).ttl(MINUTE).ceiling(MINUTE * 2);
        store.hold(&request).await.unwrap()
    };
    for _ in 0..60 {
        let held = hold(&["A1"]).await;
        store.release(held.reference(), &held.owner).await.unwrap();
        let paid = hold(&["A2"]).await;
        store.begin_commit(paid.reference(), &paid.owner, MINUTE).await.unwrap();
        store.abort_commit(paid.reference()).await.unwrap();
        hold(&["A3"]).await;
        clock.advance(MINUTE);
    }
    // Aborted payments for an hour, the rest for two minutes.
    clock.advance(MINUTE * 70);
    for n in 0..60 {
        hold(&[&format!("B{}", n + 1)]).await;
    }
    assert_eq!(
        number(&pool, &schema, "select count(*) from @.holds").await,
        61,
        "60 now, and what A3 has to lose"
    );
    assert_eq!(
        number(&pool, &schema, "select count(*) from @.expiries where n is null").await,
        0,
        "told unasked"
    );
    assert_eq!(number(&pool, &schema, "select count(*) from @.expiries").await, 59);
    assert_eq!(store.expired(&Cursor::default(), 100).await.unwrap().holds.len(), 60);
}

/// A snapshot with lower fences than the store's own, for the same hold even, does not lower them.
#[tokio::test]
async fn a_snapshot_lowers_no_fence() {
    let pool = pool(&url(), 1).await;
    let schema = schema(&pool).await;
    let store = PostgresStore::in_schema(pool, &schema).unwrap();
    let snapshot = EventSnapshot::new(EventId::new()).with_fence_floor(Fence::new(u64::MAX / 2));
    store.load(&snapshot).await.unwrap();
    let given_up = store.hold(&request(snapshot.event, "alice", &["A1"])).await.unwrap();
    store.release(given_up.reference(), &given_up.owner).await.unwrap();
    let older = Taken::new("alice", Want::Seats(seats(&["A2"])), TakenState::Sold, Fence::new(1))
        .with_hold(given_up.id)
        .with_booking(BookingId::new());
    store.load(&snapshot.clone().with_taken(older)).await.unwrap();
    let next = store.hold(&request(snapshot.event, "bob", &["A3"])).await.unwrap();
    assert!(next.fence > given_up.fence, "{} after {}", next.fence, given_up.fence);
}

/// However many have lapsed in however many events, one question cleans up after a bounded number of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_to_the_stream_ends_a_bounded_number() {
    let pool = pool(&url(), 8).await;
    let schema = schema(&pool).await;
    let clock = ManualClock::at(SystemClock.now());
    let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_clock(Arc::new(clock.clone()));
    let events = [EventId::new(), EventId::new(), EventId::new()];
    for event in events {
        store.load(&EventSnapshot::new(event)).await.unwrap();
    }
    let holds = (0..600).map(|n| {
        let store = store.clone();
        let request = request(events[n % 3], &format!("buyer {n}"), &[&format!("A{}", n + 1)]).ttl(MINUTE);
        tokio::spawn(async move { store.hold(&request).await.unwrap() })
    });
    for held in join_all(holds).await {
        held.unwrap();
    }
    clock.advance(MINUTE);
    let (mut cursor, mut told) = (Cursor::default(), Vec::new());
    loop {
        let expired = store.expired(&cursor, 1_000).await.unwrap();
        if expired.holds.is_empty() {
            break;
        }
        assert!(expired.holds.len() <= 512, "{} at once", expired.holds.len());
        told.extend(expired.holds.iter().map(|hold| hold.id));
        cursor = expired.next;
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 600, "each is told");
}

/// A fence is above those of all holds of the event that were answered before, whatever they were of and whatever became
/// of them, forgotten ones too; though it is not the time that makes them, as the truth has seen one that is ahead of it.
#[tokio::test]
async fn fences_rise_across_seats() {
    let pool = pool(&url(), 2).await;
    let schema = schema(&pool).await;
    let clock = ManualClock::at(SystemClock.now());
    let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_clock(Arc::new(clock.clone()));
    let event = EventId::new();
    let mut last = Fence::new(u64::try_from((clock.now() + MINUTE * 60 * 24 * 365).as_micros()).unwrap());
    let snapshot = EventSnapshot::new(event).with_area("FLOOR", 1_000).with_fence_floor(last);
    store.load(&snapshot).await.unwrap();
    for n in 1..=120 {
        let mut wanted = request(event, "alice", &[&format!("A{n}")]);
        if n % 6 == 0 {
            wanted.want = Want::Area { section: "FLOOR".into(), quantity: 1 };
        }
        let hold = store.hold(&wanted.ttl(MINUTE).ceiling(MINUTE * 2)).await.unwrap();
        assert!(hold.fence > last, "{n}: {} after {last}", hold.fence);
        last = hold.fence;
        let it = hold.reference();
        match n % 5 {
            0 => store.release(it, &hold.owner).await.unwrap(),
            1 => {
                store.begin_commit(it, &hold.owner, MINUTE).await.unwrap();
                store.abort_commit(it).await.unwrap();
            }
            2 => {
                let booking = BookingId::new();
                store.sold(it, hold.fence, booking).await.unwrap();
                store.reopen(event, booking).await.unwrap();
            }
            _ => {} // lapses
        }
        if n % 20 == 0 {
            clock.advance(MINUTE * 90);
        }
    }
    // The last is forgotten before its seat's successors come.
    for n in 1..=60 {
        clock.advance(MINUTE * 90);
        let hold = store
            .hold(&request(event, "bob", &[&format!("B{n}")]).ttl(MINUTE).ceiling(MINUTE))
            .await
            .unwrap();
        assert!(hold.fence > last, "B{n}: {} after {last}", hold.fence);
        last = hold.fence;
        store.release(hold.reference(), &hold.owner).await.unwrap();
    }
    assert!(number(&pool, &schema, "select count(*) from @.holds").await < 60, "most are forgotten");
}

/// What was answered is there after a crash, and fences rise on: the truth had seen one from a clock that ran ahead, so
/// that it is not the time that makes them.
#[tokio::test]
async fn a_crash_of_the_server_loses_nothing_that_was_answered() {
    let server = Own::start("postgres");
    // Of one connection: once it has answered again, none is left that the crash has cut.
    let pool = pool(&server.url, 1).await;
    ticketblitz_lock::postgres::setup(&pool).await.unwrap();
    let store = PostgresStore::new(pool);
    let event = EventId::new();
    let ahead = u64::try_from((SystemClock.now() + MINUTE * 600).as_micros()).unwrap();
    store.load(&EventSnapshot::new(event).with_fence_floor(Fence::new(ahead))).await.unwrap();
    let wanted = request(event, "alice", &["A1", "A2"]);
    let hold = store.hold(&wanted).await.unwrap();
    let paying = store.hold(&request(event, "bob", &["B1"])).await.unwrap();
    store.begin_commit(paying.reference(), &paying.owner, MINUTE).await.unwrap();
    server.crash("QUIT");
    server.start_again();

    // The connection is gone, and the pool finds out by it.
    let end = SystemClock.now() + MINUTE;
    let again = loop {
        match store.hold(&wanted).await {
            Ok(again) => break again,
            Err(LockError::Backend { .. } | LockError::OutcomeUnknown { .. }) => {
                assert!(SystemClock.now() < end, "the server does not come back");
            }
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!((again.id, again.fence, again.expires_at), (hold.id, hold.fence, hold.expires_at));
    assert!(matches!(store.release(paying.reference(), &paying.owner).await, Err(LockError::InPayment)));
    store.release(again.reference(), &again.owner).await.unwrap();
    let next = store.hold(&request(event, "carol", &["A1"])).await.unwrap();
    assert!(next.fence > paying.fence && paying.fence > hold.fence && hold.fence > Fence::new(ahead));
}
