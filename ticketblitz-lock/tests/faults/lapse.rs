//! A crowd of holds that lapse at the same moment, and a crowd of buyers who come then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use ticketblitz_core::{BookingId, EventId, ManualClock, Timestamp};
use ticketblitz_lock::{Cursor, EventSnapshot, Hold, HoldId, HoldRequest, LockError, SeatStore, Want};

use super::backends::{Backend, PATIENCE, size};

const TTL: Duration = Duration::from_secs(600);

on_each!(a_crowd_lapses_while_another_comes: memory Memory, redis Redis, postgres Postgres);

/// Pitfall 14: nobody is refused what is free, the counts are exact to the last unit, and the stream tells each lapse once.
#[allow(clippy::print_stdout)] // the figures of a soak
async fn a_crowd_lapses_while_another_comes(backend: Backend) {
    let (holds, buyers) = size((2_000, 100), (20_000, 1_000));
    let clock = ManualClock::at(Timestamp::from_micros(1_800_000_000_000_000));
    let store = backend.store(16, Some(&clock)).await;
    let event = EventId::new();
    store.load(&EventSnapshot::new(event).with_area("FLOOR", holds)).await.unwrap();
    let start = store.expired(&Cursor::default(), 1).await.unwrap().next;
    let made: HashSet<HoldId> = stream::iter(0..holds)
        .map(|n| hold(Arc::clone(&store), event, format!("first {n}"), 1))
        .buffer_unordered(64)
        .map(|(answer, _)| answer.unwrap().id)
        .collect()
        .await;
    assert_eq!(made.len(), holds as usize);
    refuses_one_more(&*store, event).await;

    clock.advance(TTL);
    // Together they want all that there is: a party a tenth of it, the others a few each.
    let party = holds / 10;
    let each = (holds - party) / buyers;
    let coming = std::iter::once(holds - each * buyers).chain((0..buyers).map(|_| each)).enumerate();
    let coming: Vec<_> = coming
        .map(|(n, units)| tokio::spawn(hold(Arc::clone(&store), event, format!("second {n}"), units)))
        .collect();
    let reading = tokio::spawn(read(Arc::clone(&store), start, made));
    let (mut held, mut times) = (Vec::new(), Vec::new());
    for buyer in coming {
        let (answer, time) = buyer.await.unwrap();
        held.push(answer.unwrap_or_else(|error| panic!("refused what is free: {error:?}")));
        times.push(time);
    }
    refuses_one_more(&*store, event).await;
    let questions = reading.await.unwrap();
    sells_exactly(&*store, event, &held, holds).await;

    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_micros();
    println!(
        "{backend:?}: {holds} lapsed, {buyers} came: p50 {} us, p99 {} us, longest {} us; told by {questions} questions",
        at(50),
        at(99),
        at(100)
    );
}

async fn hold(
    store: Arc<dyn SeatStore>,
    event: EventId,
    owner: String,
    quantity: u32,
) -> (Result<Hold, LockError>, Duration) {
    let want = Want::Area { section: "FLOOR".into(), quantity };
    let request = HoldRequest::new(event, owner, want).ttl(TTL);
    let start = Instant::now();
    (store.hold(&request).await, start.elapsed())
}

async fn refuses_one_more(store: &dyn SeatStore, event: EventId) {
    let want = Want::Area { section: "FLOOR".into(), quantity: 1 };
    let answer = store.hold(&HoldRequest::new(event, "one more", want)).await;
    let Err(LockError::Unavailable(conflicts)) = answer else { panic!("{answer:?}") };
    assert_eq!((conflicts.areas[0].requested, conflicts.areas[0].available), (1, 0));
}

/// Reads the stream until it has told all of these, each once. How often it had to ask.
async fn read(store: Arc<dyn SeatStore>, mut cursor: Cursor, mut left: HashSet<HoldId>) -> u32 {
    let (start, mut questions) = (Instant::now(), 0);
    while !left.is_empty() {
        assert!(start.elapsed() < PATIENCE * 2, "{} are not told", left.len());
        let expired = store.expired(&cursor, 1_000).await.unwrap();
        assert!(!expired.missed, "the stream has forgotten some");
        for hold in &expired.holds {
            assert!(left.remove(&hold.id), "{} is told twice, or was not made", hold.id);
        }
        cursor = expired.next;
        questions += 1;
    }
    assert!(store.expired(&cursor, 1_000).await.unwrap().holds.is_empty(), "all has been told");
    questions
}

/// Of every four, one pays, one buys, one gives back.
async fn sells_exactly(store: &dyn SeatStore, event: EventId, held: &[Hold], capacity: u32) {
    let mut units = [0; 4];
    for (n, hold) in held.iter().enumerate() {
        let it = hold.reference();
        units[n % 4] += hold.want.units();
        match n % 4 {
            0 => drop(store.begin_commit(it, &hold.owner, TTL).await.unwrap()),
            1 => store.sold(it, hold.fence, BookingId::new()).await.unwrap(),
            2 => store.release(it, &hold.owner).await.unwrap(),
            _ => {}
        }
    }
    let floor = store.status(event).await.unwrap().areas.remove(0);
    assert_eq!([floor.paying, floor.sold, floor.free(), floor.held], units);
    assert_eq!((floor.capacity, units.iter().sum::<u32>()), (capacity, capacity));
}
