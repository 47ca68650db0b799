//! What every store must do, as tests: run them against your own.
//!
//! ```
//! # use std::sync::Arc;
//! use ticketblitz_idempotency::{MemoryStore, testing};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! testing::suite(async |clock| MemoryStore::new(clock)).await;
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use ticketblitz_core::{Clock, ManualClock, Timestamp};

use crate::{
    Claim, ClaimRequest, Error, Fingerprint, Finished, IdempotencyStore, Key, Lease, RETENTION, Scope,
    StoredResponse,
};

/// The lease that the suite claims with.
const LEASE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs every test, each against a new and empty store from `make`, which keeps keys for [`RETENTION`] and
/// reads the time from the given clock.
///
/// # Panics
/// The store does not do what [`IdempotencyStore`] promises.
pub async fn suite<S, F>(make: F)
where
    S: IdempotencyStore,
    F: AsyncFn(Arc<dyn Clock>) -> S,
{
    let fresh = async || {
        let clock = ManualClock::at(Timestamp::EPOCH + DAY);
        let store: Arc<dyn IdempotencyStore> = Arc::new(make(Arc::new(clock.clone())).await);
        Case { store, clock }
    };
    replays_byte_for_byte(fresh().await).await;
    one_of_many_concurrent_claims_executes(fresh().await).await;
    scopes_and_keys_are_apart(fresh().await).await;
    another_request_is_a_mismatch(fresh().await).await;
    a_lease_lasts_as_the_store_counts(fresh().await).await;
    renewal_keeps_a_lease(fresh().await).await;
    a_late_completion_gets_the_answer_that_stands(fresh().await).await;
    an_expired_lease_that_nobody_took_is_still_good(fresh().await).await;
    a_late_completion_without_a_winner_is_refused(fresh().await).await;
    no_answer_crosses_to_another_request(fresh().await).await;
    a_released_key_is_free_and_its_lease_void(fresh().await).await;
    what_is_finished_stays_finished(fresh().await).await;
    keys_are_forgotten_after_their_retention(fresh().await).await;
    purging_spares_what_is_in_use(fresh().await).await;
}

struct Case {
    store: Arc<dyn IdempotencyStore>,
    clock: ManualClock,
}

fn request(scope: &str, key: &str, asks: &str) -> ClaimRequest {
    let (key, fingerprint) = (Key::new(key), Fingerprint::of(asks));
    ClaimRequest::new(Scope::new(scope), key.expect("a key"), fingerprint.expect("a string is JSON"), LEASE)
}

fn answer(text: &str) -> StoredResponse {
    StoredResponse::new(201, text)
}

impl Case {
    async fn claim(&self, request: &ClaimRequest) -> Claim {
        self.store.claim(request).await.expect("the store answers")
    }

    async fn lease(&self, request: &ClaimRequest) -> Lease {
        match self.claim(request).await {
            Claim::Execute(lease) => lease,
            other => panic!("the key is not free: {other:?}"),
        }
    }

    async fn finish(&self, lease: &Lease, response: &StoredResponse) -> Finished {
        self.store.finish(lease, response).await.expect("the store answers")
    }
}

async fn replays_byte_for_byte(case: Case) {
    let request = request("ann", "k", "pay");
    let lease = case.lease(&request).await;
    let mut response = StoredResponse::new(402, vec![0, 255, b'\n']);
    for value in [b"a=1".to_vec(), b"b=2".to_vec(), vec![0xff, 0xfe]] {
        response = response.header("set-cookie", value);
    }
    assert_eq!(case.finish(&lease, &response).await, Finished::Stored);
    assert_eq!(case.claim(&request).await, Claim::Replay(response.clone()));
    assert_eq!(case.claim(&request).await, Claim::Replay(response), "a replay uses nothing up");

    let empty = self::request("ann", "empty", "pay");
    let lease = case.lease(&empty).await;
    case.finish(&lease, &StoredResponse::new(204, [])).await;
    assert_eq!(case.claim(&empty).await, Claim::Replay(StoredResponse::new(204, [])));
}

async fn one_of_many_concurrent_claims_executes(case: Case) {
    let request = request("ann", "k", "pay");
    let claims: Vec<_> = (0..1_000)
        .map(|_| {
            let (store, request) = (Arc::clone(&case.store), request.clone());
            tokio::spawn(async move { store.claim(&request).await.expect("the store answers") })
        })
        .collect();
    let mut executed = 0;
    for claim in claims {
        match claim.await.expect("no panic") {
            Claim::Execute(_) => executed += 1,
            Claim::InFlight { retry_after } => assert_eq!(retry_after, LEASE),
            other => panic!("neither won nor lost: {other:?}"),
        }
    }
    assert_eq!(executed, 1);
}

async fn scopes_and_keys_are_apart(case: Case) {
    let ann = case.lease(&request("ann", "k", "pay")).await;
    case.finish(&ann, &answer("ann's")).await;
    case.lease(&request("ben", "k", "pay")).await;
    case.lease(&request("ann", "K", "pay")).await;
    case.lease(&request("ann\nPOST /x", "k", "pay")).await;
}

async fn another_request_is_a_mismatch(case: Case) {
    let (first, other) = (request("ann", "k", "pay 5"), request("ann", "k", "pay 6"));
    let lease = case.lease(&first).await;
    assert_eq!(case.claim(&other).await, Claim::Mismatch, "while in flight");
    case.finish(&lease, &answer("paid 5")).await;
    assert_eq!(case.claim(&other).await, Claim::Mismatch, "after it");

    let (first, other) = (request("ann", "crashed", "pay 5"), request("ann", "crashed", "pay 6"));
    case.lease(&first).await;
    case.clock.advance(LEASE);
    assert_eq!(case.claim(&other).await, Claim::Mismatch, "abandoned half way");
    case.lease(&first).await;
}

async fn a_lease_lasts_as_the_store_counts(case: Case) {
    let request = request("ann", "k", "pay");
    let first = case.lease(&request).await;
    case.clock.advance(LEASE - Duration::from_micros(1));
    assert_eq!(case.claim(&request).await, Claim::InFlight { retry_after: Duration::from_micros(1) });
    case.clock.advance(Duration::from_micros(1));
    let second = case.lease(&request).await;
    assert!(second.sequence() > first.sequence(), "the fence grows");
}

async fn renewal_keeps_a_lease(case: Case) {
    let request = request("ann", "k", "pay");
    let lease = case.lease(&request).await;
    for _ in 0..5 {
        case.clock.advance(LEASE / 2);
        case.store.renew(&lease).await.expect("renewed");
    }
    case.clock.advance(LEASE / 2);
    assert_eq!(case.claim(&request).await, Claim::InFlight { retry_after: LEASE / 2 });
    case.clock.advance(LEASE / 2);
    let next = case.lease(&request).await;
    let lost = case.store.renew(&lease).await;
    assert!(matches!(lost, Err(Error::Superseded)), "{lost:?}");
    assert_eq!(case.finish(&next, &answer("next")).await, Finished::Stored);
    let done = case.store.renew(&next).await;
    assert!(matches!(done, Err(Error::Superseded)), "what is finished is not leased: {done:?}");
}

async fn a_late_completion_gets_the_answer_that_stands(case: Case) {
    let request = request("ann", "k", "pay");
    let zombie = case.lease(&request).await;
    case.clock.advance(LEASE);
    let winner = case.lease(&request).await;
    case.finish(&winner, &answer("winner")).await;
    assert_eq!(case.finish(&zombie, &answer("zombie")).await, Finished::Superseded(answer("winner")));
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("winner")));
    case.store.release(&zombie).await.expect("without effect");
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("winner")));
}

async fn an_expired_lease_that_nobody_took_is_still_good(case: Case) {
    let request = request("ann", "k", "pay");
    let lease = case.lease(&request).await;
    case.clock.advance(LEASE * 2);
    case.store.renew(&lease).await.expect("nobody else has it");
    case.clock.advance(LEASE * 2);
    assert_eq!(case.finish(&lease, &answer("slow")).await, Finished::Stored);
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("slow")));
}

async fn a_late_completion_without_a_winner_is_refused(case: Case) {
    let request = request("ann", "k", "pay");
    let zombie = case.lease(&request).await;
    case.clock.advance(LEASE);
    let current = case.lease(&request).await;
    let late = case.store.finish(&zombie, &answer("zombie")).await;
    assert!(matches!(late, Err(Error::Superseded)), "{late:?}");
    case.store.release(&zombie).await.expect("without effect");
    assert!(matches!(case.claim(&request).await, Claim::InFlight { .. }), "the other's lease stands");
    case.finish(&current, &answer("current")).await;
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("current")));
}

async fn no_answer_crosses_to_another_request(case: Case) {
    let (first, other) = (request("ann", "k", "pay 5"), request("ann", "k", "pay 6"));
    let zombie = case.lease(&first).await;
    case.clock.advance(LEASE);
    let retry = case.lease(&first).await;
    case.store.release(&retry).await.expect("released");
    let corrected = case.lease(&other).await;
    case.finish(&corrected, &answer("paid 6")).await;
    let late = case.store.finish(&zombie, &answer("paid 5")).await;
    assert!(matches!(late, Err(Error::Superseded)), "{late:?}");
}

async fn a_released_key_is_free_and_its_lease_void(case: Case) {
    let request = request("ann", "k", "pay 5");
    let first = case.lease(&request).await;
    case.store.release(&first).await.expect("released");
    let void = case.store.finish(&first, &answer("void")).await;
    assert!(matches!(void, Err(Error::Superseded)), "{void:?}");
    let other = self::request("ann", "k", "pay 6");
    let second = case.lease(&other).await;
    assert!(second.sequence() > first.sequence(), "no number is given twice");
    case.store.release(&first).await.expect("without effect");
    assert!(matches!(case.claim(&other).await, Claim::InFlight { .. }));
}

async fn what_is_finished_stays_finished(case: Case) {
    let request = request("ann", "k", "pay");
    let lease = case.lease(&request).await;
    case.finish(&lease, &answer("first")).await;
    assert_eq!(case.finish(&lease, &answer("second")).await, Finished::Superseded(answer("first")));
    case.store.release(&lease).await.expect("without effect");
    case.clock.advance(LEASE * 2);
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("first")));
    case.clock.set(case.clock.now() - LEASE * 20);
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("first")), "though the clock goes back");
}

async fn keys_are_forgotten_after_their_retention(case: Case) {
    let request = request("ann", "k", "pay 5");
    let lease = case.lease(&request).await;
    case.finish(&lease, &answer("paid")).await;
    case.clock.advance(RETENTION);
    assert_eq!(case.claim(&request).await, Claim::Replay(answer("paid")));
    case.clock.advance(LEASE);
    case.lease(&self::request("ann", "k", "pay 6")).await;
}

async fn purging_spares_what_is_in_use(case: Case) {
    let name = |n: u32| format!("k{n}");
    for n in 0..10 {
        let lease = case.lease(&request("ann", &name(n), "pay")).await;
        case.finish(&lease, &answer("paid")).await;
    }
    let running = request("ann", "running", "pay");
    let lease = case.lease(&running).await;
    case.clock.advance(RETENTION);
    case.store.renew(&lease).await.expect("renewed");
    assert_eq!(case.store.purge(100).await.expect("purges"), 0);
    case.clock.advance(LEASE);
    assert_eq!(case.store.purge(4).await.expect("purges"), 4, "in batches");
    assert_eq!(case.store.purge(100).await.expect("purges"), 6);
    assert_eq!(case.store.purge(100).await.expect("purges"), 0);
    assert_eq!(case.finish(&lease, &answer("at last")).await, Finished::Stored);
    assert_eq!(case.claim(&running).await, Claim::Replay(answer("at last")));
}
