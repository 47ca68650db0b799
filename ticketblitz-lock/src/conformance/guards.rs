//! Guards, over any backend.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ticketblitz_core::{BookingId, Clock};
use tokio::task::JoinHandle;

use super::{Bench, GRACE, TICK, TTL};
use crate::{HoldGuard, LockError, SeatState};

/// The releases that dropped guards have begun.
#[derive(Clone, Default)]
struct Releases(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Releases {
    async fn guard(&self, bench: &Bench) -> HoldGuard {
        let releases = Arc::clone(&self.0);
        let held = bench.locks().hold(bench.event, ["A1", "A2"]).owner("alice").ttl(TTL).await.unwrap();
        held.guard(move |release| releases.lock().unwrap().push(tokio::spawn(release)))
    }

    /// Waits for them, and says how many there were.
    async fn done(&self) -> usize {
        let begun = std::mem::take(&mut *self.0.lock().unwrap());
        let count = begun.len();
        for release in begun {
            release.await.unwrap();
        }
        count
    }
}

/// Dropped, a guard releases; kept or released, it has nothing to do any more.
pub async fn a_dropped_guard_releases(bench: Bench) {
    let releases = Releases::default();
    drop(releases.guard(&bench).await);
    assert_eq!((releases.done().await, bench.taken().await), (1, vec![]));
    let held = releases.guard(&bench).await.keep();
    assert_eq!((releases.done().await, bench.taken().await.len()), (0, 2));
    held.release().await.unwrap();
    releases.guard(&bench).await.release().await.unwrap();
    assert_eq!((releases.done().await, bench.taken().await), (0, vec![]));
    // A release that nobody waited for is sent again.
    let guard = releases.guard(&bench).await;
    drop(guard.release());
    assert_eq!((releases.done().await, bench.taken().await), (1, vec![]));
}

/// A guard takes nothing from anybody else: not from who has the seats since, nor from a payment.
pub async fn a_guard_releases_its_own_hold_alone(bench: Bench) {
    let releases = Releases::default();
    let guard = releases.guard(&bench).await;
    assert!(!guard.lost().await.unwrap());
    bench.clock.advance(TTL);
    assert!(guard.lost().await.unwrap());
    let bob = bench.held("bob", &["A1", "A2"]).await;
    drop(guard);
    assert_eq!(releases.done().await, 1);
    assert!(bench.is_live(&bob).await);
    bench.store.release(bob.reference(), &bob.owner).await.unwrap();

    let guard = releases.guard(&bench).await;
    let paying = guard.begin_commit(GRACE).await.unwrap();
    assert!(!guard.lost().await.unwrap());
    drop(guard);
    assert_eq!(releases.done().await, 1);
    paying.sold(BookingId::new()).await.unwrap();
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Sold), ("A2".into(), SeatState::Sold)]);

    let other = bench.another().await;
    let guard = releases.guard(&other).await;
    other.store.unload(other.event).await.unwrap();
    refused!(guard.lost().await, LockError::NotLoaded);
    refused!(guard.release().await, LockError::NotLoaded);
    assert_eq!(releases.done().await, 0);
}

/// A guarded hold can be extended, up to its ceiling, and is guarded still.
pub async fn a_guarded_hold_can_be_extended(bench: Bench) {
    let releases = Releases::default();
    let mut guard = releases.guard(&bench).await;
    bench.clock.advance(TTL - TICK);
    guard.extend(TTL).await.unwrap();
    assert_eq!(guard.expires_at(), bench.clock.now() + TTL);
    let until = guard.expires_at();
    refused!(guard.extend(Duration::from_secs(100 * 86_400)).await, LockError::CeilingReached { .. });
    assert_eq!(guard.expires_at(), until, "a refusal leaves it as it was");
    bench.clock.advance(TTL - TICK);
    assert!(!guard.lost().await.unwrap());
    drop(guard);
    assert_eq!((releases.done().await, bench.taken().await), (1, vec![]));
}
