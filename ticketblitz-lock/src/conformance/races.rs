//! Many at once.

use std::sync::Arc;

use super::{Bench, GRACE, TTL};
use crate::{Hold, LockError, Owner};
use futures::future::join_all;
use ticketblitz_core::BookingId;

pub(super) async fn all_at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    join_all(running).await.into_iter().map(Result::unwrap).collect()
}

fn winners(answers: &[Result<Hold, LockError>]) -> Vec<&Hold> {
    for answer in answers {
        assert!(matches!(answer, Ok(_) | Err(LockError::Unavailable(_))), "{answer:?}");
    }
    answers.iter().filter_map(|answer| answer.as_ref().ok()).collect()
}

/// Ten thousand at once want one seat: one gets it.
pub async fn ten_thousand_on_one_seat(bench: Bench) {
    let answers = all_at_once((0..10_000).map(|n| {
        let store = Arc::clone(&bench.store);
        let request = bench.request(&format!("buyer {n}"), &["A1"]);
        async move { store.hold(&request).await }
    }))
    .await;
    assert_eq!(winners(&answers).len(), 1);
    assert_eq!(bench.taken().await.len(), 1);
}

/// Pitfall 6: overlapping sets, each named in an order of its own, never wait for each other.
pub async fn shuffled_sets_neither_deadlock_nor_overlap(bench: Bench) {
    let names: Vec<String> = (1..=12).map(|n| format!("A{n}")).collect();
    let answers = all_at_once((0..2_000_usize).map(|n| {
        let mut wanted: Vec<&str> = (0..4).map(|k| names[(n * 7 + k * 5) % 12].as_str()).collect();
        wanted.rotate_left(n % 4);
        let request = bench.request(&format!("buyer {n}"), &wanted);
        let store = Arc::clone(&bench.store);
        async move {
            let answer = store.hold(&request).await;
            if let (Ok(hold), true) = (&answer, n % 3 == 0) {
                store.release(hold.reference(), &hold.owner).await.unwrap();
                return Err(LockError::Unavailable(crate::Conflicts::default()));
            }
            answer
        }
    }))
    .await;
    let mut held: Vec<_> = winners(&answers).iter().flat_map(|hold| hold.seats().to_vec()).collect();
    let count = held.len();
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len(), count, "no seat is held twice");
    assert_eq!(bench.taken().await.len(), count);
}

/// The same request two hundred times at once is one hold, counted once.
pub async fn one_attempt_sent_many_times_is_one_hold(bench: Bench) {
    let request = bench.request("alice", &["A1", "A2"]).limit(2);
    let answers = all_at_once((0..200).map(|_| {
        let (store, request) = (Arc::clone(&bench.store), request.clone());
        async move { store.hold(&request).await.unwrap() }
    }))
    .await;
    assert!(answers.iter().all(|hold| hold.id == answers[0].id && hold.fence == answers[0].fence));
}

/// Requests of one owner that come together do not exceed the limit together.
pub async fn a_limit_holds_against_ones_own_haste(bench: Bench) {
    let answers = all_at_once((1..=100).map(|n| {
        let store = Arc::clone(&bench.store);
        let request = bench.request("alice", &[&format!("A{n}")]).limit(4);
        async move { store.hold(&request).await.is_ok() }
    }))
    .await;
    assert_eq!(answers.iter().filter(|got| **got).count(), 4);
}

/// Requests that come together do not get more units than there are.
pub async fn an_area_is_never_oversold(bench: Bench) {
    let answers = all_at_once((0..200).map(|n| {
        let store = Arc::clone(&bench.store);
        let request = bench.floor(&format!("buyer {n}"), 1 + n % 3);
        async move { store.hold(&request).await }
    }))
    .await;
    let units: u32 = winners(&answers).iter().map(|hold| hold.want.units()).sum();
    assert_eq!(bench.on_floor().await, (units, 0, 0));
    assert!(units <= 10);
}

/// Releasing and paying at once: one of them happened.
pub async fn release_or_payment(bench: Bench) {
    for n in 1..=200 {
        let hold = bench.held("alice", &[&format!("A{n}")]).await;
        let (one, two) = (Arc::clone(&bench.store), Arc::clone(&bench.store));
        let (it, alice) = (hold.reference(), Owner::from("alice"));
        let owner = alice.clone();
        let release = tokio::spawn(async move { one.release(it, &alice).await });
        let pay = tokio::spawn(async move { two.begin_commit(it, &owner, GRACE).await });
        match (release.await.unwrap(), pay.await.unwrap()) {
            (Ok(()), Err(LockError::NotHeld)) => assert!(!bench.is_live(&hold).await),
            (Err(LockError::InPayment), Ok(_)) => assert!(bench.is_live(&hold).await),
            both => panic!("{both:?}"),
        }
    }
}

/// Pitfall 12: a future dropped before, or after any poll, had its effect whole or not at all.
pub async fn dropped_futures_leave_nothing_half_done(bench: Bench) {
    for polls in 0..4 {
        let (first, second) = (format!("A{}", polls + 1), format!("B{}", polls + 1));
        let request = bench.request("alice", &[&first, &second]);
        {
            let mut holding = bench.store.hold(&request);
            for _ in 0..polls {
                if futures::poll!(&mut holding).is_ready() {
                    break;
                }
            }
        }
        let before = bench.taken().await.iter().filter(|(name, _)| *name == first || *name == second).count();
        assert!(before == 0 || before == 2, "{before}");
        if polls == 0 {
            assert_eq!(before, 0, "never polled, never sent");
        }
        // Sent again, it is there once.
        let hold = bench.store.hold(&request).await.unwrap();
        drop(bench.store.begin_commit(hold.reference(), &hold.owner, GRACE));
        bench.store.release(hold.reference(), &hold.owner).await.unwrap();
        assert_eq!(bench.taken().await, []);
    }
}

/// Everything at once on few seats, wave after wave. In every other wave time jumps between anybody's steps and
/// some go away; what is sold is sold once, and all adds up.
pub async fn a_busy_evening_adds_up(bench: Bench) {
    let mut sold = Vec::new();
    for wave in 0..8_u64 {
        let rough = wave % 2 == 1;
        let sales = all_at_once((0..50_u64).map(|n| {
            let (store, clock) = (Arc::clone(&bench.store), bench.clock.clone());
            let names =
                [format!("A{}", (n * 2 + wave) % 29 + 1), format!("A{}", (n * 2 + wave + 13) % 29 + 1)];
            let request = bench.request(&format!("buyer {n}"), &[&names[0], &names[1]]);
            async move {
                if rough && n % 10 == 9 {
                    clock.advance(GRACE);
                }
                let hold = store.hold(&request).await.ok()?;
                tokio::task::yield_now().await;
                if rough && n % 3 == 0 {
                    return None; // went away
                }
                store.begin_commit(hold.reference(), &hold.owner, GRACE).await.ok()?;
                tokio::task::yield_now().await;
                store.sold(hold.reference(), hold.fence, BookingId::new()).await.ok()?;
                Some(hold)
            }
        }))
        .await;
        sold.extend(sales.iter().flatten().flat_map(|hold| hold.seats().to_vec()));
        assert!(!sold.is_empty(), "in a calm wave whoever holds first can buy");
        bench.clock.advance(TTL);
    }
    let count = sold.len();
    sold.sort_unstable();
    sold.dedup();
    assert_eq!(sold.len(), count, "no seat is sold twice");
    let status = bench.store.status(bench.event).await.unwrap();
    let left: Vec<_> = status.seats.into_iter().map(|(seat, _)| seat).collect();
    assert_eq!(left, sold, "what was not sold has lapsed");
}
