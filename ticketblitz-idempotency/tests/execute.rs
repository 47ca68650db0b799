//! Operations under a key, without HTTP.
#![allow(clippy::unwrap_used)] // a test fails by panicking, in its helpers too

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize, Serializer};
use ticketblitz_core::sqlite::Sqlite;
use ticketblitz_core::{Clock, ManualClock, SystemClock, Timestamp};
use ticketblitz_idempotency::{
    Claim, ClaimRequest, Error, Finished, IdempotencyStore, InFlightPolicy, Key, Keys, Lease, MemoryStore,
    Scope, SqliteStore, StoredResponse, sqlite,
};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

fn keys() -> Keys {
    Keys::new(MemoryStore::new(Arc::new(SystemClock)))
}

fn key() -> Key {
    Key::new("k").unwrap()
}

fn scope() -> Scope {
    Scope::user("ann")
}

async fn run(keys: &Keys, runs: &AtomicU32) -> Result<u32, Error> {
    keys.execute(scope(), key(), "pay", || async {
        tokio::task::yield_now().await;
        Ok(runs.fetch_add(1, Ordering::SeqCst) + 1)
    })
    .await
}

#[tokio::test]
async fn a_thousand_duplicates_are_one_execution() {
    let (keys, runs) = (keys(), AtomicU32::new(0));
    let all = futures::future::join_all((0..1_000).map(|_| run(&keys, &runs))).await;
    assert!(all.iter().all(|value| matches!(value, Ok(1))));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// Each `Keys` knows its own runs only, as each process does.
#[tokio::test]
async fn a_thousand_duplicates_on_three_nodes_are_one_execution() {
    let dir = tempfile::tempdir().unwrap();
    let db = Sqlite::open(dir.path().join("keys.db")).await.unwrap();
    sqlite::setup(&db).await.unwrap();
    let store = SqliteStore::new(db, Arc::new(SystemClock));
    let nodes = [Keys::new(store.clone()), Keys::new(store.clone()), Keys::new(store)];
    let runs = AtomicU32::new(0);
    let all = futures::future::join_all((0..1_000).map(|n| run(&nodes[n % 3], &runs))).await;
    assert!(all.iter().all(|value| matches!(value, Ok(1))));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn another_request_is_refused_and_another_scope_runs() {
    let (keys, runs) = (keys(), AtomicU32::new(0));
    run(&keys, &runs).await.unwrap();
    let other = keys.execute(scope(), key(), "pay more", || async { Ok::<u32, Error>(2) }).await;
    assert!(matches!(other, Err(Error::Mismatch)));
    let ben = keys.execute(Scope::user("ben"), key(), "pay more", || async { Ok::<u32, Error>(2) }).await;
    assert_eq!(ben.unwrap(), 2);
}

#[tokio::test]
async fn a_failure_leaves_the_key_free() {
    let (keys, runs) = (keys(), AtomicU32::new(0));
    let failed: Result<u32, Error> =
        keys.execute(scope(), key(), "pay", || async { Err(Error::backend("declined")) }).await;
    assert_eq!(failed.unwrap_err().to_string(), "the store of idempotency keys failed: declined");
    assert_eq!(run(&keys, &runs).await.unwrap(), 1);
}

#[tokio::test]
async fn a_dropped_or_panicking_operation_frees_the_key() {
    let (keys, runs) = (keys(), AtomicU32::new(0));
    let (begun, has_begun) = oneshot::channel();
    let dropped = keys.execute(scope(), key(), "pay", || async {
        begun.send(()).unwrap();
        std::future::pending::<Result<u32, Error>>().await
    });
    tokio::select! { _ = dropped => unreachable!(), begun = has_begun => begun.unwrap() }
    assert_eq!(run(&keys, &runs).await.unwrap(), 1);

    let (inner, other) = (keys.clone(), Key::new("other").unwrap());
    let panicking = other.clone();
    let task = tokio::spawn(async move {
        let panics = || async { panic!("on purpose") };
        inner.execute::<u32, Error, _, _>(scope(), panicking, "pay", panics).await
    });
    assert!(task.await.unwrap_err().is_panic());
    let again = keys.execute(scope(), other, "pay", || async { Ok::<u32, Error>(7) }).await;
    assert_eq!(again.unwrap(), 7);
}

/// A store that does not come to store an answer.
#[derive(Debug)]
struct NeverFinishing {
    inner: MemoryStore,
    asked: Arc<Notify>,
}

#[async_trait]
impl IdempotencyStore for NeverFinishing {
    async fn claim(&self, request: &ClaimRequest) -> Result<Claim, Error> {
        self.inner.claim(request).await
    }
    async fn renew(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.renew(lease).await
    }
    async fn finish(&self, _: &Lease, _: &StoredResponse) -> Result<Finished, Error> {
        self.asked.notify_one();
        std::future::pending().await
    }
    async fn release(&self, lease: &Lease) -> Result<(), Error> {
        self.inner.release(lease).await
    }
    async fn purge(&self, limit: u32) -> Result<u64, Error> {
        self.inner.purge(limit).await
    }
}

/// Lets every task that was spawned run, a release of the key too.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_caller_dropped_after_the_operation_frees_no_key() {
    let (inner, asked) = (MemoryStore::new(Arc::new(SystemClock)), Arc::new(Notify::new()));
    let keys = Keys::new(NeverFinishing { inner: inner.clone(), asked: Arc::clone(&asked) });
    let runs = AtomicU32::new(0);
    tokio::select! { biased; _ = run(&keys, &runs) => unreachable!(), () = asked.notified() => {} }
    settle().await;
    let retry = run(&Keys::new(inner).in_flight(InFlightPolicy::Refuse), &runs).await;
    assert!(matches!(retry, Err(Error::InFlight { .. })), "{retry:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// What was done, and cannot be written down.
#[derive(Debug, Deserialize)]
struct NoJson;

impl Serialize for NoJson {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no words for it"))
    }
}

#[tokio::test]
async fn a_value_that_is_no_json_frees_no_key() {
    let (keys, runs) = (keys().in_flight(InFlightPolicy::Refuse), AtomicU32::new(0));
    let lost = keys.execute(scope(), key(), "pay", || async { Ok::<_, Error>(NoJson) }).await;
    assert!(matches!(lost, Err(Error::Json(_))), "{lost:?}");
    settle().await;
    let retry = run(&keys, &runs).await;
    assert!(matches!(retry, Err(Error::InFlight { .. })), "{retry:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_refused() {
    let keys = keys().in_flight(InFlightPolicy::Refuse);
    let (hold, runs) = (Notify::new(), AtomicU32::new(0));
    let first = keys.execute(scope(), key(), "pay", || async {
        hold.notified().await;
        Ok::<u32, Error>(1)
    });
    let second = async {
        let refused = run(&keys, &runs).await;
        hold.notify_one();
        refused
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap(), 1);
    let Err(Error::InFlight { retry_after }) = second else { panic!("{second:?}") };
    assert!(retry_after > Duration::from_secs(25), "{retry_after:?}");
}

#[tokio::test]
async fn waiting_ends() {
    let keys = keys().in_flight(InFlightPolicy::Wait { at_most: Duration::from_millis(50) });
    let (stop, runs) = (Notify::new(), AtomicU32::new(0));
    let first = keys.execute(scope(), key(), "pay", || async {
        stop.notified().await;
        Ok::<u32, Error>(1)
    });
    let second = async {
        let waited = run(&keys, &runs).await;
        stop.notify_one();
        waited
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap(), 1);
    assert!(matches!(second, Err(Error::InFlight { .. })), "{second:?}");
}

/// Two `Keys` on one store are two processes: neither sees the other's runs, and only the store decides.
#[tokio::test]
async fn a_zombie_gets_the_answer_of_the_one_that_took_over() {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let (zombie, other) = (Keys::new(store.clone()), Keys::new(store));
    let (stopped, resume) = (Notify::new(), Notify::new());
    let slow = zombie.execute(scope(), key(), "pay", || async {
        stopped.notify_one();
        resume.notified().await;
        Ok::<_, Error>("zombie".to_owned())
    });
    let takes_over = async {
        stopped.notified().await;
        clock.advance(Duration::from_secs(31));
        let answer = other.execute(scope(), key(), "pay", || async { Ok::<_, Error>("winner".to_owned()) });
        let answer = answer.await;
        resume.notify_one();
        answer
    };
    let (late, winner) = tokio::join!(slow, takes_over);
    assert_eq!((late.unwrap(), winner.unwrap()), ("winner".to_owned(), "winner".to_owned()));
}

#[tokio::test]
async fn a_zombie_waits_for_a_winner_that_is_still_running() {
    let clock = ManualClock::at(Timestamp::EPOCH);
    let store = MemoryStore::new(Arc::new(clock.clone()));
    let (zombie, other) = (Keys::new(store.clone()), Keys::new(store));
    let (stopped, resume) = (Notify::new(), Notify::new());
    let slow = zombie.execute(scope(), key(), "pay", || async {
        stopped.notify_one();
        resume.notified().await;
        Ok::<_, Error>("zombie".to_owned())
    });
    let takes_over = async {
        stopped.notified().await;
        clock.advance(Duration::from_secs(31));
        let wins = || async {
            resume.notify_one();
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>("winner".to_owned())
        };
        other.execute(scope(), key(), "pay", wins).await
    };
    let (late, winner) = tokio::join!(slow, takes_over);
    assert_eq!((late.unwrap(), winner.unwrap()), ("winner".to_owned(), "winner".to_owned()));
}

/// The runtime's own time, which stands still while anything can run.
#[derive(Debug)]
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH + self.0.elapsed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_operation_keeps_its_lease() {
    let store = MemoryStore::new(Arc::new(PausedClock(Instant::now())));
    let short = Keys::new(store.clone()).lease(Duration::from_millis(300));
    let other = Keys::new(store).in_flight(InFlightPolicy::Refuse);
    let runs = AtomicU32::new(0);
    let (begun, has_begun) = oneshot::channel();
    let slow = short.execute(scope(), key(), "pay", || async {
        begun.send(()).unwrap();
        tokio::time::sleep(Duration::from_millis(1_200)).await; // four leases long
        Ok::<u32, Error>(99)
    });
    let tries = async {
        has_begun.await.unwrap();
        let mut refused = 0;
        while matches!(run(&other, &runs).await, Err(Error::InFlight { .. })) {
            refused += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        refused
    };
    let (value, refused) = tokio::join!(slow, tries);
    assert_eq!(value.unwrap(), 99);
    assert!(refused > 20, "{refused}");
    assert_eq!(runs.load(Ordering::SeqCst), 0, "nobody took the key");
}
