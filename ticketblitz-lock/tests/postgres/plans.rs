//! What an operation reads does not depend on how large the tables were when its connection planned it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, SeatId, SystemClock};
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{Cursor, EventSnapshot, HoldRequest, LockError, SeatStore, Want};

use super::server::{pool, schema, url};

const MINUTE: Duration = Duration::from_secs(60);
/// Rows that an operation on four seats may read, whatever else there is.
const FEW: i64 = 100;

/// Four seats of a row, for a buyer of their own.
fn request(event: EventId, row: u32) -> HoldRequest {
    let seats = (1..=4).map(|number| SeatId::new(row, number).unwrap()).collect();
    HoldRequest::new(event, format!("buyer {row}"), Want::Seats(seats))
}

/// The one connection of a pool, which sqlx takes for idle, in a transaction: there the server counts what it reads.
struct Counted<'a> {
    pool: &'a PgPool,
    schema: &'a str,
}

impl Counted<'_> {
    async fn run(&self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement.replace('@', self.schema))).execute(self.pool).await.unwrap();
    }

    /// How many rows this reads.
    async fn rows<T>(&self, operation: impl Future<Output = T>) -> (T, i64) {
        self.run("begin").await;
        let before = self.read().await;
        let answer = operation.await;
        let read = self.read().await - before;
        self.run("commit").await;
        (answer, read)
    }

    /// How many this transaction has read, and those before it that the server has not told yet.
    async fn read(&self) -> i64 {
        let read = "select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
            from pg_stat_xact_user_tables where schemaname = $1";
        sqlx::query(read).bind(self.schema).fetch_one(self.pool).await.unwrap().get(0)
    }
}

/// All that is asked about the seats of a row, and how many rows of tables each question reads.
async fn everything(
    store: &PostgresStore,
    counted: &Counted<'_>,
    event: EventId,
    row: u32,
) -> Vec<(&'static str, i64)> {
    let (wanted, booking) = (request(event, row), BookingId::new());
    let mut all = Vec::new();
    let (held, rows) = counted.rows(store.hold(&wanted.clone().limit(4))).await;
    all.push(("a hold with a limit", rows));
    let (lost, rows) = counted.rows(store.hold(&request(event, row))).await;
    assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
    all.push(("a hold refused", rows));
    // One by itself, and a look at the others.
    let crowd = [request(event, row), request(event, row).limit(8), request(event, row)];
    let (crowd, rows) = counted.rows(join_all(crowd.iter().map(|wanted| store.hold(wanted)))).await;
    assert!(crowd.iter().all(|lost| matches!(lost, Err(LockError::Unavailable(_)))), "{crowd:?}");
    all.push(("a crowd refused", rows));
    let swap = request(event, row).replacing(held.unwrap().reference()).or(wanted.want);
    let (held, rows) = counted.rows(store.hold(&swap)).await;
    all.push(("a hold in place of another", rows));
    let (it, owner, fence) = held.map(|hold| (hold.reference(), hold.owner, hold.fence)).unwrap();
    let (repeated, rows) = counted.rows(store.hold(&swap)).await;
    assert_eq!(repeated.unwrap().reference(), it);
    all.push(("a repeat", rows));
    all.push(("get", counted.rows(async { store.get(it).await.unwrap() }).await.1));
    all.push((
        "extend",
        counted.rows(async { store.extend(it, &owner, MINUTE * 15).await.unwrap() }).await.1,
    ));
    all.push((
        "begin_commit",
        counted.rows(async { store.begin_commit(it, &owner, MINUTE).await.unwrap() }).await.1,
    ));
    all.push(("sold", counted.rows(async { store.sold(it, fence, booking).await.unwrap() }).await.1));
    all.push(("reopen", counted.rows(async { store.reopen(event, booking).await.unwrap() }).await.1));
    let (held, rows) = counted.rows(store.hold(&request(event, row))).await;
    all.push(("a hold", rows));
    let it = held.unwrap().reference();
    all.push(("release", counted.rows(async { store.release(it, &owner).await.unwrap() }).await.1));
    all
}

/// A connection keeps a plan until the statistics of a table are renewed, which may be a minute of a sale: one for tables
/// that were empty, or found to be so by a vacuum, must not read them whole, nor all that an event has.
#[tokio::test]
async fn a_plan_for_small_tables_serves_large_ones() {
    for vacuumed in [false, true] {
        let pool = pool(&url(), 1).await;
        let schema = schema(&pool).await;
        let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(MINUTE);
        let counted = Counted { pool: &pool, schema: &schema };
        let event = EventId::new();
        store.load(&EventSnapshot::new(event)).await.unwrap();
        if vacuumed {
            store.hold(&request(event, 1)).await.unwrap();
            for table in ["events", "seats", "holds", "expiries"] {
                counted.run(&format!("vacuum analyze @.{table}")).await;
            }
        }
        // Whatever a connection plans for some arguments alone, it does so five times at most.
        for row in 2..10 {
            everything(&store, &counted, event, row).await;
        }
        for row in 10..510 {
            store.hold(&request(event, row)).await.unwrap();
        }
        let read = everything(&store, &counted, event, 600).await;
        let much: Vec<_> = read.iter().filter(|(_, rows)| *rows > FEW).collect();
        assert!(much.is_empty(), "vacuumed: {vacuumed}; reads too much: {much:?}, of {read:?}");
    }
}

/// The server's default of `jit_above_cost`: what is estimated to cost more is compiled before it runs, which takes longer
/// than any operation.
const COMPILED_ABOVE: f64 = 100_000.0;

/// What the server says to its client, as long as the test looks.
#[derive(Clone, Default)]
struct Notices(Arc<Mutex<Vec<u8>>>);

impl Write for Notices {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that the contract has, with something to forget and something to tell.
pub async fn all_operations(store: &PostgresStore, clock: &ManualClock) {
    let event = EventId::new();
    let floor = |quantity| {
        HoldRequest::new(event, "carol", Want::Area { section: "FLOOR".into(), quantity }).ttl(MINUTE)
    };
    for row in [1, 3, 5] {
        store.load(&EventSnapshot::new(event).with_area("FLOOR", 4)).await.unwrap();
        let held = store.hold(&request(event, row).ttl(MINUTE).ceiling(MINUTE * 2).limit(9)).await.unwrap();
        assert!(store.hold(&request(event, row)).await.is_err());
        store.extend(held.reference(), &held.owner, MINUTE).await.unwrap();
        store.get(held.reference()).await.unwrap();
        let paying = store.hold(&request(event, row + 1)).await.unwrap();
        store.begin_commit(paying.reference(), &paying.owner, MINUTE).await.unwrap();
        let booking = BookingId::new();
        store.sold(paying.reference(), paying.fence, booking).await.unwrap();
        store.reopen(event, booking).await.unwrap();
        let units = store.hold(&floor(2)).await.unwrap();
        let units = store.hold(&floor(3).replacing(units.reference()).or(held.want.clone())).await.unwrap();
        store.status(event).await.unwrap();
        store.abort_commit(units.reference()).await.unwrap();
        // The seats lapse; a hold has to clean up after them, and one later to tell it.
        clock.advance(MINUTE * 3);
        let again = store.hold(&request(event, row).limit(4)).await.unwrap();
        store.release(again.reference(), &again.owner).await.unwrap();
        clock.advance(MINUTE * 3);
        store.hold(&floor(1)).await.unwrap();
        store.expired(&Cursor::default(), 10).await.unwrap();
    }
    store.unload(event).await.unwrap();
}

/// A statement that reads one row is not compiled for it, which takes the server tens of milliseconds: not even where reading
/// a table whole is made to look dear.
#[tokio::test]
async fn no_plan_is_so_dear_that_it_is_compiled() {
    let pool = pool(&url(), 1).await;
    let schema = schema(&pool).await;
    let clock = ManualClock::at(SystemClock.now());
    let store = PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(MINUTE);
    let store = store.with_clock(Arc::new(clock.clone()));
    let told =
        "load 'auto_explain'; set auto_explain.log_level = notice; set auto_explain.log_min_duration = 0;
        set auto_explain.log_nested_statements = on; set client_min_messages = notice";
    sqlx::raw_sql(told).execute(&pool).await.unwrap();
    let notices = Notices::default();
    let writer = notices.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    {
        let _told = tracing::subscriber::set_default(subscriber);
        all_operations(&store, &clock).await;
    }
    let text = String::from_utf8(notices.0.lock().unwrap().clone()).unwrap();
    let plans: Vec<&str> = text.split("Query Text:").skip(1).collect();
    for what in [
        "for update skip locked",
        "for update\n",
        "set first = s.first",
        "limit 1024",
        "forget_at <= _moment",
    ] {
        assert!(plans.iter().any(|plan| plan.contains(what)), "no plan of {what:?} was seen");
    }
    let cost = |plan: &str| -> Option<f64> { plan.split_once("..")?.1.split_once(' ')?.0.parse().ok() };
    let mut dear: Vec<&str> = plans;
    dear.retain(|plan| cost(plan).is_none_or(|cost| cost > COMPILED_ABOVE));
    assert!(dear.is_empty(), "{} of them: {dear:#?}", dear.len());
}

/// How long it takes to be refused this many seats that are taken, at best.
async fn refused(store: &PostgresStore, event: EventId, seats: u32) -> Duration {
    let row = |row| Want::Seats((1..=seats).map(|number| SeatId::new(row, number).unwrap()).collect());
    store.hold(&HoldRequest::new(event, "alice", row(1)).limit(None)).await.unwrap();
    store.hold(&HoldRequest::new(event, "alice", row(2)).limit(None)).await.unwrap();
    let wanted = HoldRequest::new(event, "bob", row(1)).or(row(2));
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let lost = store.hold(&wanted).await;
        best = best.min(began.elapsed());
        let Err(LockError::Unavailable(conflicts)) = lost else { panic!("{lost:?}") };
        assert_eq!(conflicts.seats.len(), 2 * seats as usize, "each is named");
    }
    best
}

/// What is collected about seats is not copied for each of them: sixteen times as many take sixteen times as long, not a
/// hundred.
#[tokio::test]
async fn a_long_refusal_is_as_long_as_its_seats() {
    let pool = pool(&url(), 1).await;
    let schema = schema(&pool).await;
    let store = PostgresStore::in_schema(pool, &schema).unwrap().with_timeout(MINUTE);
    let mut best = Vec::new();
    for seats in [312, 4_992] {
        let event = EventId::new();
        store.load(&EventSnapshot::new(event)).await.unwrap();
        best.push(refused(&store, event, seats).await);
    }
    assert!(best[1] < best[0] * 48, "{best:?}");
}
