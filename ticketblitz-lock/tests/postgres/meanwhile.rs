//! What was free when it was read, and is not any more when it is written.

use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use ticketblitz_core::{Clock, EventId, SystemClock};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{EventSnapshot, Hold, HoldRequest, LockError, SeatStore, Want};

use super::server::{pool, schema, url};

const MINUTE: Duration = Duration::from_secs(60);

/// Two stores with a connection each: what the first does is committed when the test says so.
struct Two {
    first: PostgresStore,
    second: PostgresStore,
    pools: [PgPool; 2],
    schema: String,
    event: EventId,
}

impl Two {
    /// With the first one's transaction begun. sqlx takes its connection for idle.
    async fn open() -> Self {
        let pools = [pool(&url(), 1).await, pool(&url(), 1).await];
        let schema = schema(&pools[0]).await;
        let [first, second] = pools
            .each_ref()
            .map(|pool| PostgresStore::in_schema(pool.clone(), &schema).unwrap().with_timeout(MINUTE));
        let event = EventId::new();
        first.load(&EventSnapshot::new(event).with_area("FLOOR", 2)).await.unwrap();
        let two = Self { first, second, pools, schema, event };
        two.run("begin").await;
        two
    }

    async fn run(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pools[0]).await.unwrap();
    }

    fn seats(&self, owner: &str, names: &[&str]) -> HoldRequest {
        HoldRequest::new(self.event, owner, Want::Seats(seats(names)))
    }

    fn floor(&self, owner: &str, quantity: u32) -> HoldRequest {
        HoldRequest::new(self.event, owner, Want::Area { section: "FLOOR".into(), quantity })
    }

    /// What the second gets, which waits for the first until that ends in this way.
    async fn until(&self, end: &'static str, request: &HoldRequest) -> Result<Hold, LockError> {
        let who = sqlx::query("select pg_backend_pid()").fetch_one(&self.pools[1]).await.unwrap();
        let who: i32 = who.get(0);
        let (store, request) = (self.second.clone(), request.clone());
        let second = tokio::spawn(async move { store.hold(&request).await });
        let patience = SystemClock.now() + MINUTE;
        let waits = "select wait_event_type is not distinct from 'Lock' from pg_stat_activity where pid = $1";
        while !sqlx::query(waits).bind(who).fetch_one(&self.pools[0]).await.unwrap().get::<bool, _>(0) {
            assert!(!second.is_finished(), "it does not wait: {:?}", second.await);
            assert!(SystemClock.now() < patience, "it does not begin");
            // In a transaction, what others do is read once unless one asks for it anew.
            self.run("select pg_stat_clear_snapshot()").await;
        }
        self.run(end).await;
        second.await.unwrap()
    }

    /// Rows of holds, and of seats.
    async fn written(&self) -> (i64, i64) {
        let query =
            format!("select (select count(*) from {0}.holds), (select count(*) from {0}.seats)", self.schema);
        let row = sqlx::query(AssertSqlSafe(query)).fetch_one(&self.pools[1]).await.unwrap();
        (row.get(0), row.get(1))
    }
}

#[tokio::test]
async fn a_seat_that_is_taken_meanwhile_is_not_had_nor_the_others() {
    let two = Two::open().await;
    two.first.hold(&two.seats("alice", &["B1"])).await.unwrap();
    let lost = two.until("commit", &two.seats("bob", &["B1", "A1", "C1"])).await.unwrap_err();
    let LockError::Unavailable(conflicts) = lost else { panic!("{lost:?}") };
    assert_eq!(conflicts.seats.iter().map(|c| c.seat.to_string()).collect::<Vec<_>>(), ["B1"]);
    assert_eq!(two.written().await, (1, 1), "a loser leaves nothing");
    two.first.hold(&two.seats("carol", &["A1", "C1"])).await.unwrap();
}

#[tokio::test]
async fn a_seat_that_is_not_taken_after_all_is_had() {
    let two = Two::open().await;
    two.first.hold(&two.seats("alice", &["B1"])).await.unwrap();
    let hold = two.until("rollback", &two.seats("bob", &["A1", "B1"])).await.unwrap();
    assert_eq!((hold.owner.as_str(), two.written().await), ("bob", (1, 2)));
}

#[tokio::test]
async fn a_seat_that_was_had_meanwhile_has_a_higher_fence() {
    let two = Two::open().await;
    let gone = two.first.hold(&two.seats("alice", &["A1"])).await.unwrap();
    two.first.release(gone.reference(), &gone.owner).await.unwrap();
    let hold = two.until("commit", &two.seats("bob", &["A1"])).await.unwrap();
    assert!(hold.fence > gone.fence, "{} {}", hold.fence, gone.fence);
}

#[tokio::test]
async fn an_attempt_that_is_made_meanwhile_is_the_same_hold() {
    let two = Two::open().await;
    let wanted = two.seats("alice", &["A1", "A2"]);
    let made = two.first.hold(&wanted).await.unwrap();
    let again = two.until("commit", &wanted).await.unwrap();
    assert_eq!((again.id, again.fence, again.expires_at), (made.id, made.fence, made.expires_at));
    assert_eq!(two.written().await, (1, 2));
}

#[tokio::test]
async fn a_limit_that_is_reached_meanwhile_is_kept() {
    let two = Two::open().await;
    two.first.hold(&two.seats("alice", &["A1"]).limit(2)).await.unwrap();
    let lost = two.until("commit", &two.seats("alice", &["B1", "B2"]).limit(2)).await;
    assert!(matches!(lost, Err(LockError::LimitExceeded { limit: 2, taken: 1 })), "{lost:?}");
    assert_eq!(two.written().await, (1, 1));
}

#[tokio::test]
async fn units_that_are_taken_meanwhile_are_not_had() {
    let two = Two::open().await;
    let first = two.first.hold(&two.floor("alice", 1)).await.unwrap();
    let second = two.until("commit", &two.floor("bob", 1)).await.unwrap();
    assert!(second.fence > first.fence, "{} {}", second.fence, first.fence);

    let two = Two::open().await;
    two.first.hold(&two.floor("alice", 2)).await.unwrap();
    let lost = two.until("commit", &two.floor("bob", 1)).await;
    assert!(matches!(lost, Err(LockError::Unavailable(_))), "{lost:?}");
    assert_eq!(two.written().await, (1, 0));
}

#[tokio::test]
async fn an_event_that_goes_meanwhile_is_not_sold() {
    let two = Two::open().await;
    two.first.unload(two.event).await.unwrap();
    let lost = two.until("commit", &two.seats("bob", &["A1"])).await;
    assert!(matches!(lost, Err(LockError::NotLoaded)), "{lost:?}");
    assert_eq!(two.written().await, (0, 0));
}
