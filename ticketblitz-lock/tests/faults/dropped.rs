//! Callers who go away.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use ticketblitz_core::{BookingId, EventId};
use ticketblitz_lock::conformance::seats;
use ticketblitz_lock::{
    Cursor, EventSnapshot, HoldId, HoldRequest, LockError, SeatState, SeatStore, Taken, TakenState, Want,
};

use super::backends::{Backend, PATIENCE, load, request, taken};

const TTL: Duration = Duration::from_secs(600);

/// When a caller goes who has polled as often as it will: while it waits, or when it is told to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    Waiting,
    Woken,
}

/// Lets the caller go away after so many polls. None if it went.
async fn dropped_after<T>(polls: u32, going: Going, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left == 0 && going == Going::Waiting => Poll::Ready(None),
            poll => poll.map(Some),
        }
    })
    .await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Hold,
    Replace,
    Extend,
    Release,
    BeginCommit,
    AbortCommit,
    Sold,
    Reopen,
    Load,
    Unload,
    Get,
    Status,
    Expired,
}

use Operation::*;

const ALL: [Operation; 13] = [
    Hold,
    Replace,
    Extend,
    Release,
    BeginCommit,
    AbortCommit,
    Sold,
    Reopen,
    Load,
    Unload,
    Get,
    Status,
    Expired,
];

/// An event in which the operation has something to do.
struct Scene {
    store: Arc<dyn SeatStore>,
    event: EventId,
    operation: Operation,
    request: HoldRequest,
    before: ticketblitz_lock::Hold,
    booking: BookingId,
    snapshot: EventSnapshot,
    /// Before the event was loaded.
    start: Instant,
    /// The end of the stream before these lapsed.
    cursor: Cursor,
    lapsed: Vec<HoldId>,
}

impl Scene {
    async fn of(store: &Arc<dyn SeatStore>, operation: Operation) -> Self {
        let start = Instant::now();
        let event = load(&**store).await;
        let before = store.hold(&request(event, "alice", &["A1", "A2"], TTL)).await.unwrap();
        let (it, booking) = (before.reference(), BookingId::new());
        if matches!(operation, AbortCommit | Sold) {
            store.begin_commit(it, &before.owner, TTL).await.unwrap();
        } else if operation == Reopen {
            store.sold(it, before.fence, booking).await.unwrap();
        }
        let cursor = if operation == Expired { end_of_stream(&**store).await } else { Cursor::default() };
        let lapsed = if operation == Expired { lapsed(&**store, event).await } else { Vec::new() };
        let request = match operation {
            Replace => request(event, "alice", &["A2", "A3"], TTL).replacing(it),
            _ => request(event, "alice", &["B1", "B2"], TTL).limit(4),
        };
        let sale = Taken::new("bob", Want::Seats(seats(&["C1", "C2"])), TakenState::Sold, before.fence);
        let snapshot = EventSnapshot::new(event).with_taken(sale.with_booking(BookingId::new()));
        let store = Arc::clone(store);
        Self { store, event, operation, request, before, booking, snapshot, start, cursor, lapsed }
    }

    async fn acts(&self) -> Result<Option<ticketblitz_lock::Hold>, LockError> {
        let (store, it, owner) = (&self.store, self.before.reference(), &self.before.owner);
        match self.operation {
            Hold | Replace => return store.hold(&self.request).await.map(Some),
            Extend => return store.extend(it, owner, TTL * 2).await.map(Some),
            BeginCommit => return store.begin_commit(it, owner, TTL).await.map(Some),
            Get => return store.get(it).await.map(Some),
            Release => store.release(it, owner).await?,
            AbortCommit => store.abort_commit(it).await?,
            Sold => store.sold(it, self.before.fence, self.booking).await?,
            Reopen => store.reopen(self.event, self.booking).await?,
            Load => store.load(&self.snapshot).await?,
            Unload => store.unload(self.event).await?,
            Status => drop(store.status(self.event).await?),
            Expired => drop(store.expired(&self.cursor, 9).await?),
        }
        Ok(None)
    }

    /// What is taken before the operation, and after it.
    fn sides(&self) -> [Vec<(String, SeatState)>; 2] {
        use SeatState::{Held, Paying, Sold as Gone};
        let all =
            |names: &[&str], state| names.iter().map(|name| ((*name).to_owned(), state)).collect::<Vec<_>>();
        let old = all(&["A1", "A2"], Held);
        let and = |more: Vec<_>| old.iter().cloned().chain(more).collect();
        match self.operation {
            Hold => [old.clone(), and(all(&["B1", "B2"], Held))],
            Replace => [old, all(&["A2", "A3"], Held)],
            Release => [old, Vec::new()],
            BeginCommit => [old, all(&["A1", "A2"], Paying)],
            AbortCommit => [all(&["A1", "A2"], Paying), Vec::new()],
            Sold => [all(&["A1", "A2"], Paying), all(&["A1", "A2"], Gone)],
            Reopen => [all(&["A1", "A2"], Gone), Vec::new()],
            Load => [old.clone(), and(all(&["C1", "C2"], Gone))],
            Extend | Get | Status | Expired | Unload => [old.clone(), old],
        }
    }

    async fn is_whole(&self) {
        match self.operation {
            // Before anything else makes the store notice that they lapsed.
            Expired => self.are_told_once().await,
            Extend => drop(self.is_extended().await),
            _ => {}
        }
        let status = match self.store.status(self.event).await {
            Err(LockError::NotLoaded) if self.operation == Unload => return,
            answer => answer.unwrap(),
        };
        let there: Vec<_> = status.seats.iter().map(|(seat, state)| (seat.to_string(), *state)).collect();
        assert!(self.sides().contains(&there), "{:?}: {there:?}", self.operation);
    }

    /// What lapsed is told once each, whoever asked for it before and went away.
    async fn are_told_once(&self) {
        let (start, mut cursor, mut told) = (Instant::now(), self.cursor.clone(), Vec::new());
        loop {
            let expired = self.store.expired(&cursor, 1).await.unwrap();
            assert!(!expired.missed);
            cursor = expired.next;
            told.extend(expired.holds.iter().map(|hold| hold.id));
            // A store may notice later than at the first question.
            if expired.holds.is_empty() && told.len() >= self.lapsed.len() {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "{told:?} of {:?}", self.lapsed);
        }
        told.sort_unstable();
        assert_eq!(told, self.lapsed);
    }

    /// Whether the hold lapses when it would if it was extended; else it lapses when it did before.
    async fn is_extended(&self) -> bool {
        let (until, old) =
            (self.store.get(self.before.reference()).await.unwrap().expires_at, self.before.expires_at);
        // It was extended at some moment since it was made. The two clocks may run a little apart.
        let new = old + TTL..=old + TTL + self.start.elapsed() + Duration::from_secs(1);
        assert!(until == old || new.contains(&until), "{until} is neither {old} nor in {new:?}");
        until != old
    }

    /// Sent again it is done, once.
    async fn is_done_by_a_repeat(&self) {
        match (self.acts().await, self.operation) {
            (Ok(_), _) | (Err(LockError::NotHeld), Release) => {}
            (answer, operation) => panic!("{operation:?}: {answer:?}"),
        }
        if self.operation == Unload {
            assert!(matches!(self.store.status(self.event).await, Err(LockError::NotLoaded)));
            return;
        }
        match self.operation {
            Expired => self.are_told_once().await,
            Extend => assert!(self.is_extended().await),
            _ => {}
        }
        assert_eq!(taken(&*self.store, self.event).await, self.sides()[1], "{:?}", self.operation);
        if self.operation != Release
            && let Some(hold) = self.acts().await.unwrap()
        {
            let again = self.acts().await.unwrap().unwrap();
            assert_eq!((again.id, again.fence), (hold.id, hold.fence), "{:?}", self.operation);
        }
    }
}

async fn end_of_stream(store: &dyn SeatStore) -> Cursor {
    let mut cursor = Cursor::default();
    loop {
        let expired = store.expired(&cursor, 1_000).await.unwrap();
        cursor = expired.next;
        if expired.holds.is_empty() {
            return cursor;
        }
    }
}

/// Two holds that have lapsed, in the order of their ids.
async fn lapsed(store: &dyn SeatStore, event: EventId) -> Vec<HoldId> {
    let (start, mut ids) = (Instant::now(), Vec::new());
    for name in ["D1", "D2"] {
        let hold = store.hold(&request(event, "carol", &[name], Duration::from_millis(2))).await.unwrap();
        while !matches!(store.get(hold.reference()).await, Err(LockError::NotHeld)) {
            assert!(start.elapsed() < PATIENCE, "it does not lapse");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ids.push(hold.id);
    }
    ids.sort_unstable();
    ids
}

on_each!(whoever_goes_away_at_any_await_leaves_it_whole: memory Memory, redis Redis, postgres Postgres);

/// Pitfall 12: each operation is dropped after one poll, after two, and so on until it is done before that. It happened
/// whole or not at all, sent again it is done once, and the store (of two connections, if it has a pool) goes on.
async fn whoever_goes_away_at_any_await_leaves_it_whole(backend: Backend) {
    let store = backend.store(2, None).await;
    let mut most = 0;
    for (operation, going) in ALL.into_iter().flat_map(|it| [(it, Going::Waiting), (it, Going::Woken)]) {
        let mut polls = 0;
        loop {
            let scene = Scene::of(&store, operation).await;
            let is_done = dropped_after(polls, going, scene.acts()).await.is_some();
            scene.is_whole().await;
            scene.is_done_by_a_repeat().await;
            if is_done {
                break;
            }
            polls += 1;
            assert!(polls < 1_000, "{operation:?} does not come to an end");
        }
        most = most.max(polls);
    }
    // On a server there is a question, and an answer to wait for.
    assert!(most >= if backend == Backend::Memory { 1 } else { 2 }, "{most} polls");
    // Many that go at the same time, more than there are connections.
    let scene = Arc::new(Scene::of(&store, Hold).await);
    let going = (0..64).map(|n| {
        let scene = Arc::clone(&scene);
        let going = [Going::Waiting, Going::Woken][n as usize % 2];
        tokio::spawn(
            async move { dropped_after(n % 8, going, scene.acts()).await.map(|answer| answer.map(drop)) },
        )
    });
    for gone in futures::future::join_all(going).await {
        assert!(matches!(gone.unwrap(), None | Some(Ok(()))));
    }
    scene.is_done_by_a_repeat().await;
    let all = futures::future::join_all((0..8).map(|_| store.status(scene.event))).await;
    assert!(all.iter().all(Result::is_ok));
}
