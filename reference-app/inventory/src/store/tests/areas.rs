//! General admission: never more than the capacity.

use super::*;

async fn taken(rig: &Rig, now: Timestamp) -> u32 {
    let snapshot = rig.store.snapshot(rig.area, now).await.expect("read").expect("known");
    snapshot.taken.iter().map(|taken| taken.want.units()).sum()
}

#[tokio::test]
async fn payments_and_sales_fit_the_capacity() {
    let rig = Rig::new().await;
    let first = rig.places(3, 7);
    rig.started(&first).await;
    assert_eq!(rig.refused(&rig.places(3, 8)).await, Refusal::Taken);
    rig.started(&rig.places(2, 9)).await;
    assert!(rig.sold(&first, rig.now).await);
    assert_eq!(rig.refused(&rig.places(1, 10)).await, Refusal::Taken);
    assert_eq!(taken(&rig, rig.now).await, 5);
}

#[tokio::test]
async fn releasing_twice_frees_once() {
    let rig = Rig::new().await;
    let (kept, released) = (rig.places(3, 7), rig.places(2, 8));
    rig.started(&kept).await;
    rig.started(&released).await;
    for _ in 0..3 {
        rig.store.release(released.booking, rig.now).await.expect("released");
    }
    assert_eq!(rig.refused(&rig.places(3, 9)).await, Refusal::Taken, "the stock has not grown");
    rig.started(&rig.places(2, 10)).await;
}

#[tokio::test]
async fn reopening_twice_frees_once_and_selling_twice_takes_once() {
    let rig = Rig::new().await;
    let (kept, refunded) = (rig.places(3, 7), rig.places(2, 8));
    rig.started(&kept).await;
    rig.started(&refunded).await;
    for _ in 0..2 {
        assert!(rig.sold(&kept, rig.now).await && rig.sold(&refunded, rig.now).await);
    }
    for _ in 0..3 {
        rig.store.reopen(refunded.booking, rig.now).await.expect("reopened");
    }
    assert_eq!(rig.refused(&rig.places(3, 9)).await, Refusal::Taken);
    rig.started(&rig.places(2, 10)).await;
}

#[tokio::test]
async fn a_lapsed_payment_finds_room_again_or_none() {
    let rig = Rig::new().await;
    let late = rig.now + LATE;
    let (lucky, unlucky) = (rig.places(2, 7), rig.places(3, 8));
    rig.started(&lucky).await;
    rig.started(&unlucky).await;
    assert_eq!(rig.store.lapse(late).await.expect("swept").len(), 2);
    assert!(rig.sold(&lucky, late).await);
    rig.started(&Rig::at(rig.places(1, 9), late)).await;
    assert!(!rig.sold(&unlucky, late).await);
    rig.store.release(unlucky.booking, late).await.expect("released");
    assert_eq!(taken(&rig, late).await, 3);
    assert_eq!(rig.refused(&Rig::at(rig.places(3, 10), late)).await, Refusal::Taken);
    rig.started(&Rig::at(rig.places(2, 11), late)).await;
}

#[tokio::test]
async fn a_crowd_takes_the_capacity_and_no_more() {
    let rig = Rig::new().await;
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (store, begin) = (Arc::clone(&rig.store), rig.places(1, 100 + n));
            tokio::spawn(async move { store.begin_payment(begin).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.expect("no panic"));
    }
    assert_eq!(winners, 5);
    assert_eq!(taken(&rig, rig.now).await, 5);
}

#[tokio::test]
async fn places_that_lapsed_are_free_however_many_lapsed_before_them() {
    let rig = Rig::new().await;
    let late = rig.now + LATE;
    let hall = EventId::new();
    rig.store.put_event(hall, event(BookingMode::Tatkal, Places::Capacity(600)), rig.now).await.expect("put");
    let begin = |event, quantity, fence| {
        rig.begin(event, Want::Area { section: "GENERAL".to_owned(), quantity }, fence)
    };
    for n in 0..300 {
        rig.started(&begin(hall, 2, 7 + n)).await;
    }
    rig.started(&rig.places(4, 7)).await;
    // Nobody has swept since: all 300 of the hall come before the area's, and two batches before the hall is half free.
    rig.started(&Rig::at(rig.places(4, 8), late)).await;
    for n in 0..150 {
        rig.started(&Rig::at(begin(hall, 4, 1_000 + n), late)).await;
    }
    assert_eq!(rig.refused(&Rig::at(begin(hall, 1, 9_000), late)).await, Refusal::Taken);
}
