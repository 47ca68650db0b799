//! What was free when it was read, and is not any more when it is written.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};
use ticketblitz_core::{BookingId, Clock, EventId, ManualClock, SystemClock};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::postgres::PostgresStore;
use ticketblitz_lock::{EventSnapshot, Fence, Hold, HoldRequest, LockError, SeatStore, Want};

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

    /// By the first one's connection; `@` is the schema.
    async fn run(&self, statement: &str) {
        let statement = statement.replace('@', &self.schema);
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.pools[0]).await.unwrap();
    }

    fn seats(&self, owner: &str, names: &[&str]) -> HoldRequest {
        HoldRequest::new(self.event, owner, Want::Seats(seats(names)))
    }

    fn floor(&self, owner: &str, quantity: u32) -> HoldRequest {
        HoldRequest::new(self.event, owner, Want::Area { section: "FLOOR".into(), quantity })
    }

    /// What the second gets, which waits for the first until that ends in this way.
    async fn until(&self, end: &str, request: &HoldRequest) -> Result<Hold, LockError> {
        let request = request.clone();
        self.until_done(end, async move |store| store.hold(&request).await).await
    }

    /// The same for any operation of the second.
    async fn until_done<T, F>(&self, end: &str, operation: impl FnOnce(PostgresStore) -> F) -> T
    where
        T: Debug + Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        self.meanwhile(end, operation(self.second.clone()), async || ()).await.1
    }

    /// What is done while an operation of the second waits for the first, and what the second gets.
    async fn meanwhile<M, T: Debug + Send + 'static>(
        &self,
        end: &str,
        operation: impl Future<Output = T> + Send + 'static,
        meanwhile: impl AsyncFnOnce() -> M,
    ) -> (M, T) {
        let who = sqlx::query("select pg_backend_pid()").fetch_one(&self.pools[1]).await.unwrap();
        let who: i32 = who.get(0);
        let second = tokio::spawn(operation);
        let patience = SystemClock.now() + MINUTE;
        let waits = "select wait_event_type is not distinct from 'Lock' from pg_stat_activity where pid = $1";
        while !sqlx::query(waits).bind(who).fetch_one(&self.pools[0]).await.unwrap().get::<bool, _>(0) {
            assert!(!second.is_finished(), "it does not wait: {:?}", second.await);
            assert!(SystemClock.now() < patience, "it does not begin");
            // In a transaction, what others do is read once unless one asks for it anew.
            self.run("select pg_stat_clear_snapshot()").await;
        }
        let done = meanwhile().await;
        self.run(end).await;
        (done, second.await.unwrap())
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

/// Neither is held: who asks is told that the event is not there, and not that the buyer was too late.
#[tokio::test]
async fn a_hold_that_goes_with_its_event_meanwhile_is_not_loaded() {
    let two = Two::open().await;
    let hold = two.first.hold(&two.seats("alice", &["A1"])).await.unwrap();
    two.run("commit").await;
    let it = hold.reference();
    two.second.get(it).await.unwrap(); // what its connection does once, it has done
    two.run("begin; lock table @.holds in access exclusive mode").await;
    two.first.unload(two.event).await.unwrap();
    let lost = two.until_done("commit", async move |store| store.get(it).await).await;
    assert!(matches!(lost, Err(LockError::NotLoaded)), "{lost:?}");
}

/// A clock at which the second waits for the first, to show the time that the first leaves.
const GATE: &str = "
    create table @.test_time (moment bigint not null);
    insert into @.test_time values (1800000000000000);
    create or replace function @.clock(_now bigint) returns bigint language plpgsql volatile as $$ begin
        perform pg_advisory_xact_lock_shared(hashtext('@.test_time'));
        return (select moment from @.test_time);
    end $$";

/// What is done to a hold of two minutes that was extended in the end, while its first end passed; each in its own event.
async fn extended_meanwhile<T, F>(
    two: &mut Two,
    operation: impl FnOnce(PostgresStore, Hold) -> F,
) -> (Hold, T)
where
    T: Debug + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    two.event = EventId::new();
    two.first.load(&EventSnapshot::new(two.event)).await.unwrap();
    let hold = two.first.hold(&two.seats("alice", &["A1"]).ttl(MINUTE * 2)).await.unwrap();
    two.run("update @.test_time set moment = moment + 119999999").await;
    two.run("begin; select pg_advisory_xact_lock(hashtext('@.test_time'))").await;
    let extended = two.first.extend(hold.reference(), &hold.owner, MINUTE * 5).await.unwrap();
    let end = "update @.test_time set moment = moment + 1; commit";
    let answer = two.until_done(end, |store| operation(store, hold)).await;
    (extended, answer)
}

/// A hold is live all the time that an operation on it takes, though its end passes: it was put off just before.
#[tokio::test]
async fn a_hold_that_is_extended_meanwhile_has_not_lapsed() {
    let mut two = Two::open().await;
    two.run(GATE).await;
    two.run("commit").await;
    let two = &mut two;
    let (extended, got) =
        extended_meanwhile(two, async |store, hold| store.get(hold.reference()).await).await;
    assert_eq!(got.unwrap().expires_at, extended.expires_at);
    let (_, paying) = extended_meanwhile(two, async |store, hold| {
        store.begin_commit(hold.reference(), &hold.owner, MINUTE).await
    })
    .await;
    assert_eq!(paying.unwrap().ttl, MINUTE);
    let (_, again) = extended_meanwhile(two, async |store, hold| {
        store.extend(hold.reference(), &hold.owner, MINUTE).await
    })
    .await;
    assert_eq!(again.unwrap().ttl, MINUTE);
    let (_, released) =
        extended_meanwhile(two, async |store, hold| store.release(hold.reference(), &hold.owner).await).await;
    released.unwrap();
    let (_, sold) = extended_meanwhile(two, async |store, hold| {
        store.sold(hold.reference(), hold.fence, BookingId::new()).await
    })
    .await;
    sold.unwrap();
    let (hold, aborted) =
        extended_meanwhile(two, async |store, hold| store.abort_commit(hold.reference()).await).await;
    aborted.unwrap();
    let gone = two.first.get(hold.reference()).await;
    assert!(matches!(gone, Err(LockError::NotHeld)), "{gone:?}");
    let (_, status) = extended_meanwhile(two, async |store, hold| store.status(hold.event).await).await;
    assert_eq!(status.unwrap().seats.len(), 1);
}

/// The server gives up before the caller does: nothing has happened, and that is known.
#[tokio::test]
async fn a_statement_that_waits_too_long_is_refused() {
    let two = Two::open().await;
    two.first.hold(&two.seats("alice", &["B1"])).await.unwrap();
    sqlx::raw_sql("set statement_timeout = '200ms'").execute(&two.pools[1]).await.unwrap();
    let refused = two.second.hold(&two.seats("bob", &["A1", "B1"])).await;
    assert!(matches!(refused, Err(LockError::Backend { .. })), "{refused:?}");
    two.run("commit").await;
    assert_eq!(two.written().await, (1, 1), "alice's");
}

/// What an application locks by itself, and what another schema of the same database does to an event of this id, is none of
/// the store's business.
#[tokio::test]
async fn others_do_not_lock_the_stores_events() {
    let two = Two::open().await;
    let event = two.event;
    two.run(&format!("select pg_advisory_xact_lock(hashtextextended('{event}', 0))")).await;
    let patient = two.second.clone().with_timeout(Duration::from_secs(5));
    patient.hold(&two.seats("alice", &["A1"])).await.unwrap();

    let other = schema(&two.pools[1]).await;
    let other = PostgresStore::in_schema(two.pools[0].clone(), &other).unwrap();
    other.load(&EventSnapshot::new(event)).await.unwrap();
    patient.hold(&two.seats("alice", &["A2"])).await.unwrap();
}

/// A hold is forgotten by one with a higher fence, so that the next is higher than both: here the clock is far behind the
/// fences, and one that began before another was made ends after it was given up.
#[tokio::test]
async fn fences_rise_though_holds_are_forgotten_meanwhile() {
    let two = Two::open().await;
    two.run("commit").await;
    let clock = ManualClock::at(SystemClock.now());
    let early = PostgresStore::in_schema(pool(&url(), 1).await, &two.schema).unwrap();
    let early = early.with_clock(Arc::new(clock.clone()));
    let ahead = u64::try_from((clock.now() + MINUTE * 600).as_micros()).unwrap();
    let snapshot = EventSnapshot::new(two.event).with_fence_floor(Fence::new(ahead));
    early.load(&snapshot.with_area("FLOOR", 2)).await.unwrap();
    let given_up = async |name| {
        let hold = early.hold(&two.seats("alice", &[name]).ttl(MINUTE).ceiling(MINUTE)).await.unwrap();
        early.release(hold.reference(), &hold.owner).await.unwrap();
        hold
    };
    given_up("A1").await;
    two.run("begin").await;
    two.first.hold(&two.seats("bob", &["B1"])).await.unwrap();

    // It knows of one that can be forgotten, and waits for B1; two more are made meanwhile, and are over by its time.
    let late = two.second.clone().with_clock(Arc::new(ManualClock::at(clock.now() + MINUTE * 10)));
    let wanted = two.seats("carol", &["B1"]);
    let (last, late) = two
        .meanwhile("rollback", async move { late.hold(&wanted).await }, async || {
            given_up("A2").await;
            given_up("A3").await
        })
        .await;
    late.unwrap();
    let next = two.second.hold(&two.seats("dave", &["C1"])).await.unwrap();
    assert!(next.fence > last.fence, "{} after {}", next.fence, last.fence);
}
