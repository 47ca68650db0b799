//! Numbered seats: one booking each.

use ticketblitz_lock::TakenState;

use super::*;
use crate::store::ClaimState;

#[tokio::test]
async fn a_seat_in_payment_or_sold_is_nobody_else_s_and_none_is_half_taken() {
    let rig = Rig::new().await;
    let first = rig.seats(&["A2"], 7);
    rig.started(&first).await;
    assert_eq!(rig.refused(&rig.seats(&["A1", "A2"], 8)).await, Refusal::Taken);
    rig.started(&rig.seats(&["A1"], 9)).await; // A1 was left alone
    assert!(rig.sold(&first, rig.now).await);
    assert_eq!(rig.refused(&rig.seats(&["A2"], 10)).await, Refusal::Taken);
}

#[tokio::test]
async fn a_lower_fence_comes_too_late() {
    let rig = Rig::new().await;
    let first = rig.seats(&["A1"], 7);
    rig.started(&first).await;
    rig.store.release(first.booking, rig.now).await.expect("released");
    assert_eq!(rig.refused(&rig.seats(&["A1"], 6)).await, Refusal::Taken);
    assert_eq!(rig.refused(&rig.seats(&["A1"], 7)).await, Refusal::Taken);
    rig.started(&rig.seats(&["A1"], 8)).await;
}

#[tokio::test]
async fn a_lapsed_payment_is_sold_unless_somebody_took_a_seat() {
    let rig = Rig::new().await;
    let late = rig.now + LATE;
    let (alone, overtaken) = (rig.seats(&["A1", "A2"], 7), rig.seats(&["A3", "A4"], 8));
    rig.started(&alone).await;
    rig.started(&overtaken).await;
    rig.started(&Rig::at(rig.seats(&["A4"], 9), late)).await;
    assert!(rig.sold(&alone, late).await);
    assert!(!rig.sold(&overtaken, late).await);
    rig.started(&Rig::at(rig.seats(&["A3"], 10), late)).await; // what the refused one had left is free
}

#[tokio::test]
async fn a_refusal_to_sell_is_final() {
    let rig = Rig::new().await;
    let late = rig.now + LATE;
    let (first, rival) = (rig.seats(&["A1"], 7), Rig::at(rig.seats(&["A1"], 8), rig.now + LATE));
    rig.started(&first).await;
    rig.started(&rival).await;
    assert!(!rig.sold(&first, late).await);
    rig.store.release(rival.booking, late).await.expect("released");
    assert!(!rig.sold(&first, late).await, "its money is on the way back");
}

#[tokio::test]
async fn sweeping_frees_what_lapsed_and_nothing_else() {
    let rig = Rig::new().await;
    let (lapsed, sold) = (rig.seats(&["A1"], 7), rig.seats(&["A2"], 8));
    rig.started(&lapsed).await;
    rig.started(&sold).await;
    assert!(rig.sold(&sold, rig.now).await);
    assert_eq!(rig.store.lapse(rig.now).await.expect("swept"), []);
    let swept = rig.store.lapse(lapsed.until).await.expect("swept");
    assert_eq!(swept.iter().map(|claim| claim.booking).collect::<Vec<_>>(), [lapsed.booking]);
    assert_eq!(rig.store.lapse(rig.now + LATE).await.expect("swept"), []);
    assert!(rig.sold(&lapsed, rig.now + LATE).await, "nobody took it");
}

#[tokio::test]
async fn what_is_sold_is_released_by_nobody_and_reopened_once() {
    let rig = Rig::new().await;
    let first = rig.seats(&["A1"], 7);
    rig.started(&first).await;
    assert!(rig.sold(&first, rig.now).await);
    let released = rig.store.release(first.booking, rig.now).await.expect("answered");
    assert_eq!(released.map(|claim| claim.state), Some(ClaimState::Sold));
    rig.store.reopen(first.booking, rig.now).await.expect("reopened");
    let second = rig.seats(&["A1"], 8);
    rig.started(&second).await;
    rig.store.reopen(first.booking, rig.now).await.expect("again");
    assert_eq!(rig.refused(&rig.seats(&["A1"], 9)).await, Refusal::Taken, "the second buyer keeps it");
    assert!(!rig.sold(&first, rig.now).await);
}

#[tokio::test]
async fn a_hundred_buyers_of_one_seat_are_one_winner() {
    let rig = Rig::new().await;
    let buyers: Vec<Begin> = (0..100).map(|n| rig.seats(&["A1"], 100 + n)).collect();
    let tasks: Vec<_> = buyers
        .iter()
        .cloned()
        .map(|begin| {
            let store = Arc::clone(&rig.store);
            tokio::spawn(async move { store.begin_payment(begin).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.expect("no panic"));
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn a_snapshot_says_what_is_in_payment_and_sold_and_the_highest_fence() {
    let rig = Rig::new().await;
    let (sold, paying, released) = (rig.seats(&["A1"], 7), rig.seats(&["A2"], 8), rig.seats(&["A3"], 9));
    for begin in [&sold, &paying, &released] {
        rig.started(begin).await;
    }
    assert!(rig.sold(&sold, rig.now).await);
    rig.store.release(released.booking, rig.now).await.expect("released");
    let snapshot = rig.store.snapshot(rig.seated, rig.now).await.expect("read").expect("known");
    assert_eq!(snapshot.fence_floor, Fence::new(9));
    let mut taken: Vec<_> = snapshot.taken.iter().map(|taken| (taken.booking, taken.state)).collect();
    taken.sort_by_key(|(booking, _)| *booking);
    let paying_until = TakenState::Paying { until: paying.until };
    assert_eq!(taken, [(Some(sold.booking), TakenState::Sold), (Some(paying.booking), paying_until)]);
    let later = rig.store.snapshot(rig.seated, rig.now + LATE).await.expect("read").expect("known");
    assert_eq!(later.taken.len(), 1, "a lapsed payment is no longer taken, swept or not");
    assert_eq!(rig.store.snapshot(EventId::new(), rig.now).await.expect("read"), None);
}

#[tokio::test]
async fn what_was_released_before_it_began_is_forgotten_by_age() {
    let rig = Rig::new().await;
    let booking = BookingId::new();
    assert!(rig.store.release(booking, rig.now).await.expect("released").is_none());
    assert_eq!(rig.store.forget_voided(rig.now, 10).await.expect("forgotten"), 0);
    let refused = rig.store.begin_payment(Begin { booking, ..rig.seats(&["A1"], 1) }).await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::NotLive))), "{refused:?}");
    assert_eq!(rig.store.forget_voided(rig.now + LATE, 10).await.expect("forgotten"), 1);
}

#[tokio::test]
async fn a_seat_that_lapsed_is_free_however_many_lapsed_before_it() {
    let rig = Rig::new().await;
    let hall = EventId::new();
    let places =
        Places::Seats((1..=9).flat_map(|row| (1..=50).filter_map(move |n| SeatId::new(row, n))).collect());
    rig.store.put_event(hall, event(BookingMode::Visual, places), rig.now).await.expect("put");
    let begin = |row, n, fence| {
        let seat = SeatId::new(row, n).expect("a seat");
        Begin {
            hold: HoldRef { event: hall, hold: HoldId::in_event(hall) },
            ..rig.begin(hall, Want::Seats(vec![seat]), fence)
        }
    };
    for row in 1..=9 {
        for n in 1..=50 {
            // The last one in payment lapses last.
            let mut begin = begin(row, n, 7);
            begin.until = begin.until + Duration::from_millis(u64::from(row * 50 + n));
            rig.started(&begin).await;
        }
    }
    // Nobody has swept since.
    rig.started(&Rig::at(begin(9, 50, 8), rig.now + LATE)).await;
    assert_eq!(rig.refused(&Rig::at(begin(9, 50, 9), rig.now + LATE)).await, Refusal::Taken);
}

#[tokio::test]
async fn a_layout_is_not_read_by_the_thread_that_serves_everybody() {
    let rig = Rig::new().await;
    let mut read = Box::pin(async {
        let event = rig.store.event(rig.seated).await.expect("read");
        let snapshot = rig.store.snapshot(rig.seated, rig.now).await.expect("read");
        event.is_some() && snapshot.is_some()
    });
    let others = std::future::ready(());
    tokio::select! {
        biased;
        _ = &mut read => panic!("nobody else had a turn"),
        () = others => {}
    }
    assert!(read.await);
}
