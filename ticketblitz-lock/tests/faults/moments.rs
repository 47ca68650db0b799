//! The store's own time: its units, and the moment at which something lapses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ticketblitz_core::EventId;
use ticketblitz_lock::{HoldState, LockError, SeatState, SeatStore};

use super::backends::{Backend, PATIENCE, load, request, size, taken};

const MINUTE: Duration = Duration::from_secs(60);

on_each!(a_minute_is_a_minute: memory Memory, redis Redis, postgres Postgres);

/// Pitfall 8: what is left of a time is that time and no other unit's; what is held for a moment lapses after that moment
/// and not before. No answer takes minutes.
async fn a_minute_is_a_minute(backend: Backend) {
    let store = backend.store(2, None).await;
    let event = load(&*store).await;
    let near = |left: Duration, minutes: u32| left <= MINUTE * minutes && left > MINUTE * (minutes - 4);
    let hold = store.hold(&request(event, "alice", &["A1"], MINUTE * 10)).await.unwrap();
    let it = hold.reference();
    assert_eq!(hold.ttl, MINUTE * 10);
    assert!(near(store.get(it).await.unwrap().ttl, 10));
    assert!(near(retry_after(&*store, event).await, 10));
    assert_eq!(store.extend(it, &hold.owner, MINUTE * 20).await.unwrap().ttl, MINUTE * 20);
    assert!(near(retry_after(&*store, event).await, 20));
    assert_eq!(store.begin_commit(it, &hold.owner, MINUTE * 5).await.unwrap().ttl, MINUTE * 5);
    assert!(near(store.get(it).await.unwrap().ttl, 5));
    assert!(near(retry_after(&*store, event).await, 5));
    store.abort_commit(it).await.unwrap();

    let (moment, start) = (Duration::from_millis(700), Instant::now());
    store.hold(&request(event, "alice", &["A1"], moment)).await.unwrap();
    while let Err(refused) = store.hold(&request(event, "bob", &["A1"], MINUTE)).await {
        let LockError::Unavailable(conflicts) = refused else { panic!("{refused:?}") };
        assert!(conflicts.seats[0].retry_after.unwrap() <= moment);
        assert!(start.elapsed() < PATIENCE, "the hold does not lapse");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(start.elapsed() >= moment, "{:?}", start.elapsed());
    // Whether or not anybody comes after it.
    let hold = store.hold(&request(event, "alice", &["A2"], moment)).await.unwrap();
    while taken(&*store, event).await.iter().any(|(name, _)| name == "A2") {
        assert!(start.elapsed() < PATIENCE, "the hold does not lapse");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (it, owner) = (hold.reference(), &hold.owner);
    assert!(matches!(store.begin_commit(it, owner, MINUTE).await, Err(LockError::NotHeld)));
    assert!(matches!(store.extend(it, owner, MINUTE).await, Err(LockError::NotHeld)));
    assert!(matches!(store.release(it, owner).await, Err(LockError::NotHeld)));
}

async fn retry_after(store: &dyn SeatStore, event: EventId) -> Duration {
    let answer = store.hold(&request(event, "rival", &["A1", "A2"], MINUTE)).await;
    let Err(LockError::Unavailable(conflicts)) = answer else { panic!("{answer:?}") };
    conflicts.seats[0].retry_after.unwrap()
}

on_each!(one_winner_at_the_moment_itself: memory Memory, redis Redis, postgres Postgres);

/// Pitfall 17: a payment is begun at the moment of expiry, as near as trying brings it, while a rival asks all the time.
/// One of them has the seat, never both and never nobody.
async fn one_winner_at_the_moment_itself(backend: Backend) {
    let store = backend.store(4, None).await;
    let event = load(&*store).await;
    let (ttl, step) = (Duration::from_millis(30), Duration::from_micros(500));
    let (mut wait, mut paid, mut lapsed) = (ttl, 0, 0);
    let (start, enough) = (Instant::now(), size(10, 200));
    for round in 1.. {
        let name = format!("A{round}");
        let hold = store.hold(&request(event, "alice", &[&name], ttl)).await.unwrap();
        let rival = tokio::spawn(rival(Arc::clone(&store), event, name));
        tokio::time::sleep(wait).await;
        match (store.begin_commit(hold.reference(), &hold.owner, MINUTE).await, rival_of(rival).await) {
            (Ok(paying), SeatState::Paying) => {
                assert_eq!((paying.state, paying.fence), (HoldState::Paying, hold.fence));
                (paid, wait) = (paid + 1, wait + step);
            }
            (Err(LockError::NotHeld), SeatState::Held) => {
                (lapsed, wait) = (lapsed + 1, wait.saturating_sub(step));
            }
            both => panic!("{both:?}"),
        }
        if paid >= enough && lapsed >= enough {
            return;
        }
        assert!(start.elapsed() < PATIENCE * 2, "{paid} times paid, {lapsed} times lapsed");
    }
}

/// Asks until the seat is its own, or somebody pays for it: what the seat is then.
async fn rival(store: Arc<dyn SeatStore>, event: EventId, name: String) -> SeatState {
    loop {
        match store.hold(&request(event, "bob", &[&name], MINUTE)).await {
            Ok(_) => return SeatState::Held,
            Err(LockError::Unavailable(conflicts)) if conflicts.seats[0].state == SeatState::Paying => {
                return SeatState::Paying;
            }
            Err(LockError::Unavailable(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn rival_of(rival: tokio::task::JoinHandle<SeatState>) -> SeatState {
    tokio::time::timeout(PATIENCE, rival).await.expect("nobody has the seat").unwrap()
}
