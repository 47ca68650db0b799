//! What an operation reads does not depend on how large the tables were when its connection planned it.

use std::time::Duration;

use futures::future::join_all;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use ticketblitz_core::{BookingId, EventId, SeatId};
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{EventSnapshot, HoldRequest, LockError, SeatStore, Want};

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
