//! Holding, releasing, extending.

use std::time::Duration;

use super::{Bench, CEILING, GRACE, TICK, TTL, owner, seat, seats};
use crate::{Fence, HoldRef, HoldRequest, HoldState, LockError, SeatState, Taken, TakenState, Want};
use ticketblitz_core::{BookingId, Clock, EventId};

/// The answer says all about the hold; its times are the store's, and its units are right.
pub async fn a_hold_is_answered_whole(bench: Bench) {
    let hold = bench.held("alice", &["A2", "A1"]).await;
    let now = bench.clock.now();
    assert_eq!(hold.seats(), seats(&["A2", "A1"]), "in the order asked for");
    assert_eq!((hold.event, &hold.owner, hold.state), (bench.event, &owner("alice"), HoldState::Held));
    assert_eq!((hold.expires_at, hold.ceiling_at, hold.ttl), (now + TTL, now + CEILING, TTL));
    bench.clock.advance(Duration::from_millis(1_500));
    let got = bench.store.get(hold.reference()).await.unwrap();
    assert_eq!(got.ttl, TTL - Duration::from_millis(1_500), "what is left, not what was given");
    assert_eq!((got.id, got.fence, got.expires_at), (hold.id, hold.fence, hold.expires_at));
    assert_eq!(bench.taken().await, [("A1".into(), SeatState::Held), ("A2".into(), SeatState::Held)]);
}

/// One seat that is not free, and none is taken; the answer names each that is not, and when to come back.
pub async fn all_or_none(bench: Bench) {
    bench.held("alice", &["A2", "A4"]).await;
    bench.clock.advance(Duration::from_secs(60));
    let paid = bench.paying("carol", &["A5"]).await;
    let before = bench.store.status(bench.event).await.unwrap();

    let error = bench.hold("bob", &["A1", "A2", "A3", "A4", "A5"]).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    let told: Vec<_> = conflicts.seats.iter().map(|c| (c.seat, c.state, c.retry_after)).collect();
    let left = Some(TTL - Duration::from_secs(60));
    assert_eq!(
        told,
        [
            (seat("A2"), SeatState::Held, left),
            (seat("A4"), SeatState::Held, left),
            (seat("A5"), SeatState::Paying, Some(GRACE)),
        ]
    );
    assert_eq!(bench.store.status(bench.event).await.unwrap(), before, "a loser writes nothing");

    bench.store.sold(paid.reference(), paid.fence, ticketblitz_core::BookingId::new()).await.unwrap();
    let error = bench.hold("bob", &["A5"]).await.unwrap_err();
    let LockError::Unavailable(conflicts) = error else { panic!("{error:?}") };
    assert_eq!(conflicts.seats[0].retry_after, None, "nobody need come back for a sold seat");
}

/// Pitfall 1: A lapses, B holds, A releases.
pub async fn a_former_owner_cannot_release(bench: Bench) {
    let alice = bench.held("alice", &["A1"]).await;
    bench.clock.advance(TTL);
    let bob = bench.held("bob", &["A1"]).await;
    refused!(bench.store.release(alice.reference(), &alice.owner).await, LockError::NotHeld);
    bench.store.abort_commit(alice.reference()).await.unwrap(); // gone: nothing to abort
    assert_eq!(bench.store.get(bob.reference()).await.unwrap(), bob);
}

/// Somebody else's hold is not told from none, and a hold is found in its own event alone.
pub async fn another_owner_can_do_nothing(bench: Bench) {
    let hold = bench.held("alice", &["A1"]).await;
    let (it, mallory) = (hold.reference(), owner("mallory"));
    refused!(bench.store.release(it, &mallory).await, LockError::NotHeld);
    refused!(bench.store.extend(it, &mallory, TTL).await, LockError::NotHeld);
    refused!(bench.store.begin_commit(it, &mallory, GRACE).await, LockError::NotHeld);
    assert_eq!(bench.store.get(it).await.unwrap(), hold);
    // A hold is found in its own event only.
    let elsewhere = HoldRef { event: EventId::new(), hold: hold.id };
    refused!(bench.store.get(elsewhere).await, LockError::NotLoaded);
}

/// Pitfall 4: lapsed, taken by another, taken again; the first release is not the last one's.
pub async fn a_seat_taken_again_is_another_hold(bench: Bench) {
    let first = bench.held("alice", &["A1"]).await;
    bench.clock.advance(TTL);
    bench.held("bob", &["A1"]).await;
    bench.clock.advance(TTL);
    let third = bench.held("alice", &["A1"]).await;
    assert_ne!(first.id, third.id);
    refused!(bench.store.release(first.reference(), &first.owner).await, LockError::NotHeld);
    assert!(bench.is_live(&third).await);
    bench.store.release(third.reference(), &third.owner).await.unwrap();
    assert_eq!(bench.taken().await, [], "released once, free");
    refused!(bench.store.release(third.reference(), &third.owner).await, LockError::NotHeld);
}

/// An extension sets the expiry from now on, up to the ceiling exactly, and shortens too.
pub async fn extending_counts_from_now_up_to_the_ceiling(bench: Bench) {
    let hold = bench.held("alice", &["A1", "A2"]).await;
    let it = hold.reference();
    bench.clock.advance(Duration::from_secs(300));
    let extended = bench.store.extend(it, &hold.owner, TTL).await.unwrap();
    assert_eq!(extended.expires_at, bench.clock.now() + TTL);
    assert_eq!((extended.fence, extended.ceiling_at), (hold.fence, hold.ceiling_at));

    let too_long = CEILING - Duration::from_secs(300) + TICK;
    let error = bench.store.extend(it, &hold.owner, too_long).await.unwrap_err();
    assert!(matches!(error, LockError::CeilingReached { ceiling_at } if ceiling_at == hold.ceiling_at));
    assert_eq!(bench.store.get(it).await.unwrap(), extended, "a refusal changes nothing");
    let most = bench.store.extend(it, &hold.owner, too_long - TICK).await.unwrap();
    assert_eq!(most.expires_at, hold.ceiling_at);

    // And back: the former deadline no longer counts either way.
    let shorter = bench.store.extend(it, &hold.owner, Duration::from_secs(1)).await.unwrap();
    assert_eq!(shorter.expires_at, bench.clock.now() + Duration::from_secs(1));
    bench.clock.advance(Duration::from_secs(1));
    refused!(bench.store.extend(it, &hold.owner, TTL).await, LockError::NotHeld);
    assert_eq!(bench.taken().await, []);
}

/// Held, in payment and sold count towards the limit, seats and units; released and lapsed do not.
pub async fn an_owners_limit_counts_all_that_is_theirs(bench: Bench) {
    let limited = |names: &[&str]| bench.request("alice", names).limit(4);
    let held = bench.store.hold(&limited(&["A1"])).await.unwrap();
    let paying = bench.paying("alice", &["A2"]).await;
    bench.store.hold(&bench.floor("alice", 1)).await.unwrap();
    let error = bench.store.hold(&limited(&["A3", "A4"])).await.unwrap_err();
    assert!(matches!(error, LockError::LimitExceeded { limit: 4, taken: 3 }), "{error:?}");
    bench.store.hold(&bench.request("bob", &["A3", "A4"]).limit(4)).await.unwrap();

    // Sold counts on, released does not.
    bench.store.sold(paying.reference(), paying.fence, ticketblitz_core::BookingId::new()).await.unwrap();
    bench.store.release(held.reference(), &held.owner).await.unwrap();
    bench.store.hold(&limited(&["B1", "B2"])).await.unwrap();
    refused!(bench.store.hold(&limited(&["B3"])).await, LockError::LimitExceeded { limit: 4, taken: 4 });
    // What has lapsed does not count, noticed or not.
    bench.clock.advance(TTL);
    bench.store.hold(&limited(&["C1", "C2", "C3"])).await.unwrap();
    refused!(bench.store.hold(&limited(&["C4"])).await, LockError::LimitExceeded { taken: 4, .. });
}

/// What can never succeed is refused as such, and changes nothing.
pub async fn nonsense_is_refused(bench: Bench) {
    let refuse = async |request: HoldRequest| {
        refused!(bench.store.hold(&request).await, LockError::Invalid(_));
    };
    refuse(bench.request("alice", &[])).await;
    refuse(bench.request("alice", &["A1", "A2", "A1"])).await;
    let row: Vec<String> = (1..=40).map(|n| format!("A{n}")).chain(["A7".into()]).collect();
    refuse(bench.request("alice", &row.iter().map(String::as_str).collect::<Vec<_>>())).await;
    refuse(bench.request("alice", &["A1"]).ttl(Duration::ZERO)).await;
    refuse(bench.request("alice", &["A1"]).ttl(CEILING + TICK)).await;
    refuse(bench.floor("alice", 0)).await;
    refuse(bench.floor("alice", bench.store.capabilities().max_units + 1)).await;
    let nowhere = Want::Area { section: "ATTIC".into(), quantity: 1 };
    refuse(HoldRequest::new(bench.event, "alice", nowhere)).await;
    assert_eq!(bench.taken().await, []);

    let hold = bench.held("alice", &["A1"]).await;
    refused!(bench.store.extend(hold.reference(), &hold.owner, Duration::ZERO).await, LockError::Invalid(_));
    refused!(
        bench.store.begin_commit(hold.reference(), &hold.owner, Duration::ZERO).await,
        LockError::Invalid(_)
    );
    assert_eq!(bench.store.get(hold.reference()).await.unwrap(), hold);
    // A time beyond all calendars is refused like any other, or held within them: never a panic.
    refused!(
        bench.store.extend(hold.reference(), &hold.owner, Duration::MAX).await,
        LockError::CeilingReached { .. }
    );
    bench.store.begin_commit(hold.reference(), &hold.owner, Duration::MAX).await.unwrap();
}

/// Every backend takes the same names, of owners, sections and channels; any other is refused before anything else.
pub async fn names_are_lines_of_bounded_length(bench: Bench) {
    let long = "é".repeat(256);
    let snapshot = bench.snapshot().with_area(&long, 5).with_channel(&long, seats(&["A1"]));
    let sold = Want::Area { section: long.clone(), quantity: 1 };
    let taken =
        Taken::new(long.as_str(), sold, TakenState::Sold, Fence::new(1)).with_booking(BookingId::new());
    bench.load(&snapshot.with_taken(taken)).await;
    let request = bench.request(&long, &["A1"]).channel(&long);
    let hold = bench.store.hold(&request).await.unwrap();
    bench.store.extend(hold.reference(), &owner(&long), TTL).await.unwrap();
    let of_area = Want::Area { section: long.clone(), quantity: 4 };
    let area = bench.store.hold(&HoldRequest::new(bench.event, long.as_str(), of_area)).await.unwrap();
    bench.store.begin_commit(area.reference(), &owner(&long), GRACE).await.unwrap();
    bench.store.release(hold.reference(), &owner(&long)).await.unwrap();

    let before = bench.store.status(bench.event).await.unwrap();
    for name in
        ["", "\0", "FLO\0OR", "two\nlines", "\u{7f}", "\u{85}", &"é".repeat(257), &"a".repeat(100_000)]
    {
        let in_area = Want::Area { section: name.into(), quantity: 1 };
        let sold = |who: &str, want| {
            Taken::new(who, want, TakenState::Sold, Fence::new(1)).with_booking(BookingId::new())
        };
        for wrong in [
            bench.request(name, &["B1"]),
            bench.request("alice", &["B1"]).channel("fans").channel(name),
            bench.request("alice", &["B1"]).or(in_area.clone()),
            HoldRequest::new(bench.event, "alice", in_area.clone()),
        ] {
            refused!(bench.store.hold(&wrong).await, LockError::Invalid(_));
        }
        for wrong in [
            bench.snapshot().with_area(name, 1),
            bench.snapshot().with_channel(name, seats(&["A1"])),
            bench.snapshot().with_taken(sold(name, Want::Seats(seats(&["B1"])))),
            bench.snapshot().with_area(name, 1).with_taken(sold("alice", in_area.clone())),
        ] {
            refused!(bench.store.load(&wrong).await, LockError::Invalid(_));
        }
        let nobody = owner(name);
        refused!(bench.store.extend(area.reference(), &nobody, TTL).await, LockError::Invalid(_));
        refused!(bench.store.release(area.reference(), &nobody).await, LockError::Invalid(_));
        refused!(bench.store.begin_commit(area.reference(), &nobody, GRACE).await, LockError::Invalid(_));
    }
    assert_eq!(bench.store.status(bench.event).await.unwrap(), before);
}

/// Pitfall 10: fences rise per seat, even when the store's clock stands still or runs backwards.
pub async fn fences_rise_whatever_the_clock_does(bench: Bench) {
    let mut last = bench.held("alice", &["A1"]).await;
    for step in 0..20_u64 {
        bench.store.release(last.reference(), &last.owner).await.unwrap();
        if step % 3 == 1 {
            bench.clock.set(bench.clock.now() - Duration::from_secs(3_600));
        }
        let next = bench.held("alice", &["A1"]).await;
        assert!(next.fence > last.fence, "{} then {}", last.fence, next.fence);
        last = next;
    }
    bench.clock.advance(Duration::from_secs(86_400 * 365));
    bench.store.release(last.reference(), &last.owner).await.unwrap_err();
    let after_a_year = bench.held("alice", &["A1"]).await;
    let now = u64::try_from(bench.clock.now().as_micros()).unwrap();
    assert_eq!(after_a_year.fence.as_u64(), now, "the time is the floor");
}

/// A number of its own for every state, and the same one while nothing changes.
pub async fn the_version_changes_with_the_status(bench: Bench) {
    let version = async || bench.store.status(bench.event).await.unwrap().version;
    let mut seen = vec![version().await];
    assert_eq!(version().await, seen[0]);
    let hold = bench.held("alice", &["A1"]).await;
    seen.push(version().await);
    bench.store.begin_commit(hold.reference(), &hold.owner, GRACE).await.unwrap();
    seen.push(version().await);
    bench.clock.advance(GRACE);
    seen.push(version().await);
    bench.store.unload(bench.event).await.unwrap();
    bench.load(&bench.snapshot()).await;
    seen.push(version().await);
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), seen.len(), "{seen:?}");
}

/// The callers' API, over any backend.
pub async fn handles_do_what_they_say(bench: Bench) {
    let locks = bench.locks();
    let mut held = locks.hold(bench.event, ["A1", "A2"]).owner("alice").ttl(TTL).limit(2).await.unwrap();
    assert_eq!(held.seats(), seats(&["A1", "A2"]));
    held.extend(TTL * 2).await.unwrap();
    assert_eq!(held.expires_at(), bench.clock.now() + TTL * 2);
    refused!(locks.held(held.reference(), &owner("bob")).await, LockError::NotHeld);
    refused!(locks.paying(held.reference()).await, LockError::NotHeld);
    let again = locks.held(held.reference(), &owner("alice")).await.unwrap();
    let paying = again.begin_commit(GRACE).await.unwrap();
    refused!(held.release().await, LockError::InPayment);
    refused!(locks.held(held.reference(), &owner("alice")).await, LockError::InPayment);
    assert_eq!(paying.until(), bench.clock.now() + GRACE);
    locks.paying(held.reference()).await.unwrap().abort().await.unwrap();
    refused!(paying.sold(ticketblitz_core::BookingId::new()).await, LockError::NotHeld);
    assert_eq!(bench.taken().await, []);
    refused!(locks.hold(bench.event, ["A1", "row 7"]).owner("alice").await, LockError::Invalid(_));
    let floor = locks.area(bench.event, "FLOOR", 3).owner("alice").await.unwrap();
    assert_eq!(bench.on_floor().await, (3, 0, 0));
    floor.release().await.unwrap();
    assert_eq!(bench.on_floor().await, (0, 0, 0));
}
