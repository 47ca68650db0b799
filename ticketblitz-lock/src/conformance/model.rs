//! Any history of operations, compared with a model that is too simple to be wrong.

mod pure;

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use ticketblitz_core::{Clock, ManualClock, SeatId, Timestamp};

use super::Bench;
use crate::{Cursor, EventSnapshot, Fence, Hold, HoldRequest, HoldState, LockError, Owner};
use crate::{SeatState, SeatStore, Taken, TakenState, Want};
use pure::{Known, Model, Phase};

/// How many histories [`conformance!`](crate::conformance!) runs if it is not told.
pub const HISTORIES: u32 = 256;

const OWNERS: [&str; 2] = ["alice", "bob"];
const HOUSE: &str = "house";
const FLOOR: u32 = 10;
const LIMIT: u32 = 9;
const CEILING: Duration = Duration::from_secs(100);

/// Stores that are compared at the same time.
const LANES: u32 = 4;

/// The most histories that the search for a shorter one tries.
const SHORTER: u32 = 2_000;

/// A `hold` counts the holds made so far around and around.
#[derive(Debug, Clone)]
enum Step {
    Hold {
        who: usize,
        wants: Vec<Wanted>,
        ttl: u64,
        house: bool,
        replacing: Option<usize>,
    },
    Repeat {
        hold: usize,
    },
    Extend {
        hold: usize,
        who: usize,
        ttl: u64,
    },
    Release {
        hold: usize,
        who: usize,
    },
    Begin {
        hold: usize,
        who: usize,
        grace: u64,
    },
    Abort {
        hold: usize,
    },
    Sold {
        hold: usize,
    },
    Reopen {
        hold: usize,
    },
    /// With these seats reserved, and with all that the truth would know or nothing of it.
    Load {
        house: Vec<u32>,
        truth: bool,
    },
    Wait {
        seconds: u64,
    },
}

#[derive(Debug, Clone)]
enum Wanted {
    Seats(Vec<u32>),
    Floor(u32),
}

/// Up to forty steps of two owners on six seats and an area of ten.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hold = 0..40_usize;
    let who = 0..2_usize;
    let seconds = 1..40_u64;
    let seats = |most: usize| proptest::sample::subsequence((1..=6_u32).collect::<Vec<_>>(), 0..=most);
    let some = proptest::sample::subsequence((1..=6_u32).collect::<Vec<_>>(), 1..=3).prop_shuffle();
    let want = prop_oneof![3 => some.prop_map(Wanted::Seats), 1 => (1..7_u32).prop_map(Wanted::Floor)];
    let wants = prop_oneof![
        2 => want.clone().prop_map(|want| vec![want]),
        1 => proptest::collection::vec(want, 2..=3),
    ];
    let replacing = proptest::option::weighted(0.2, hold.clone());
    let holding = (who.clone(), wants, seconds.clone(), any::<bool>(), replacing)
        .prop_map(|(who, wants, ttl, house, replacing)| Step::Hold { who, wants, ttl, house, replacing });
    let step = prop_oneof![
        6 => holding,
        1 => hold.clone().prop_map(|hold| Step::Repeat { hold }),
        1 => (hold.clone(), who.clone(), 1..90_u64).prop_map(|(hold, who, ttl)| Step::Extend { hold, who, ttl }),
        2 => (hold.clone(), who.clone()).prop_map(|(hold, who)| Step::Release { hold, who }),
        3 => (hold.clone(), who, seconds.clone()).prop_map(|(hold, who, grace)| Step::Begin { hold, who, grace }),
        1 => hold.clone().prop_map(|hold| Step::Abort { hold }),
        2 => hold.clone().prop_map(|hold| Step::Sold { hold }),
        1 => hold.prop_map(|hold| Step::Reopen { hold }),
        1 => (seats(2), any::<bool>()).prop_map(|(house, truth)| Step::Load { house, truth }),
        3 => seconds.prop_map(|seconds| Step::Wait { seconds }),
    ];
    proptest::collection::vec(step, 1..40)
}

type Blocked = (SeatId, SeatState, Option<Duration>);

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Hold { want: Want, until: Timestamp, ceiling: Timestamp },
    Blocked { seats: Vec<Blocked>, areas: Vec<(u32, u32)> },
    Limit(u32),
    Stale(Option<Fence>),
    Refused(&'static str),
    Failed(String),
}

impl Answer {
    /// Each seat once, however many candidates have it.
    fn blocked(mut seats: Vec<Blocked>, areas: Vec<(u32, u32)>) -> Self {
        let mut named = Vec::new();
        seats.retain(|(seat, ..)| {
            let new = !named.contains(seat);
            named.push(*seat);
            new
        });
        Self::Blocked { seats, areas }
    }
}

fn of_hold(result: Result<Hold, LockError>) -> Answer {
    match result {
        Ok(hold) => Answer::Hold { want: hold.want, until: hold.expires_at, ceiling: hold.ceiling_at },
        Err(error) => of(Err(error)),
    }
}

fn of(result: Result<(), LockError>) -> Answer {
    match result {
        Ok(()) => Answer::Done,
        Err(LockError::Unavailable(conflicts)) => Answer::Blocked {
            seats: conflicts.seats.iter().map(|it| (it.seat, it.state, it.retry_after)).collect(),
            areas: conflicts.areas.iter().map(|it| (it.requested, it.available)).collect(),
        },
        Err(LockError::NotHeld) => Answer::Refused("not held"),
        Err(LockError::InPayment) => Answer::Refused("in payment"),
        Err(LockError::CeilingReached { .. }) => Answer::Refused("ceiling"),
        Err(LockError::LimitExceeded { taken, .. }) => Answer::Limit(taken),
        Err(LockError::AttemptLapsed) => Answer::Refused("attempt lapsed"),
        Err(LockError::StaleFence { seen }) => Answer::Stale(Some(seen)),
        Err(error) => Answer::Failed(format!("{error:?}")),
    }
}

/// Runs so many random histories, each on an event of its own, and compares every answer, every status and the expiry
/// stream with the model's. On a difference it looks for a shorter history that has one, and panics with that.
pub async fn agrees(bench: &Bench, histories: u32) {
    let mut runner = TestRunner::new(Config::default());
    for number in 1..=histories {
        let history = steps().new_tree(&mut runner).unwrap();
        if let Err(difference) = compare(bench, &history.current()).await {
            let (history, difference) = shorten(bench, history, difference).await;
            panic!("history {number} of {histories}: {difference}\n{history:#?}");
        }
    }
}

/// As [`agrees`], with a share of the histories on each of a few stores at the same time: on a server, most of a history
/// is waiting.
pub async fn all_agree<S: SeatStore>(make: impl AsyncFn(ManualClock) -> S, histories: u32) {
    let lanes = (0..LANES).map(async |lane| {
        let bench = Bench::of(&make).await;
        agrees(&bench, (histories + lane) / LANES).await;
    });
    futures::future::join_all(lanes).await;
}

async fn shorten(
    bench: &Bench,
    mut history: impl ValueTree<Value = Vec<Step>>,
    difference: String,
) -> (Vec<Step>, String) {
    let (mut shortest, mut differs) = ((history.current(), difference), true);
    for _ in 0..SHORTER {
        if !(if differs { history.simplify() } else { history.complicate() }) {
            break;
        }
        let outcome = compare(bench, &history.current()).await;
        differs = outcome.is_err();
        if let Err(difference) = outcome {
            shortest = (history.current(), difference);
        }
    }
    shortest
}

async fn compare(on: &Bench, history: &[Step]) -> Result<(), String> {
    let bench = on.another().await;
    let compared = compare_on(&bench, history).await;
    bench.store.unload(bench.event).await.map_err(|error| format!("{error:?}"))?;
    compared
}

async fn compare_on(bench: &Bench, history: &[Step]) -> Result<(), String> {
    let mut model = Model::default();
    let cursor = told(bench, Cursor::default(), usize::MAX).await.1;
    for step in history {
        let (expected, found) = run(bench, &mut model, step).await;
        same(&expected, &found, step)?;
        model.lapse(bench.clock.now());
        let status = bench.store.status(bench.event).await.map_err(|error| format!("{error:?}"))?;
        same(&model.taken(), &status.seats, step)?;
        let floor = &status.areas[0];
        let states = [SeatState::Held, SeatState::Paying, SeatState::Sold];
        same(&states.map(|state| model.floor(state)), &[floor.held, floor.paying, floor.sold], step)?;
        let house: Vec<_> = status.channels.iter().flat_map(|channel| channel.seats.clone()).collect();
        same(&model.house, &house, step)?;
    }
    let lapsed = model.holds.iter().filter_map(|known| match known.phase {
        Phase::Lapsed(state) => Some((known.hold.id, state)),
        _ => None,
    });
    let mut lapsed: Vec<_> = lapsed.collect();
    let mut told = told(bench, cursor, lapsed.len()).await.0;
    lapsed.sort_unstable_by_key(|(id, _)| *id);
    told.sort_unstable_by_key(|(id, _)| *id);
    same(&lapsed, &told, &"the expiry stream")
}

fn same<T: PartialEq + std::fmt::Debug>(
    expected: &T,
    found: &T,
    at: &impl std::fmt::Debug,
) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("at {at:?}\n expected {expected:?}\n found    {found:?}"))
}

/// What the stream tells of the bench's event after a cursor, and where it ends. A store may notice later than at the first question: it is
/// asked again until it has told so many, within reason.
async fn told(bench: &Bench, mut cursor: Cursor, count: usize) -> (Vec<(crate::HoldId, HoldState)>, Cursor) {
    let mut told = Vec::new();
    for _ in 0..100 {
        let expired = bench.store.expired(&cursor, 1_000).await.unwrap();
        cursor = expired.next;
        let here = expired.holds.iter().filter(|hold| hold.event == bench.event);
        told.extend(here.map(|hold| (hold.id, hold.state)));
        if expired.holds.is_empty() && (told.len() >= count || count == usize::MAX) {
            break;
        }
    }
    (told, cursor)
}

fn owner_of(who: usize) -> Owner {
    OWNERS[who].into()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn numbered(numbers: &[u32]) -> Vec<SeatId> {
    numbers.iter().map(|number| SeatId::new(1, *number).unwrap()).collect()
}

fn want_of(wanted: &Wanted) -> Want {
    match wanted {
        Wanted::Seats(numbers) => Want::Seats(numbered(numbers)),
        Wanted::Floor(quantity) => Want::Area { section: "FLOOR".into(), quantity: *quantity },
    }
}

/// What the step answers according to the model, and according to the store.
async fn run(bench: &Bench, model: &mut Model, step: &Step) -> (Answer, Answer) {
    let now = bench.clock.now();
    match step {
        Step::Wait { seconds } => {
            bench.clock.advance(secs(*seconds));
            (Answer::Done, Answer::Done)
        }
        Step::Load { house, truth } => {
            model.house = numbered(house);
            (Answer::Done, of(bench.store.load(&snapshot(bench, model, *truth)).await))
        }
        Step::Hold { who, wants, ttl, house, replacing } => {
            let mut wants = wants.iter().map(want_of);
            let request = HoldRequest::new(bench.event, owner_of(*who), wants.next().unwrap());
            let mut request = request.ttl(secs(*ttl)).ceiling(CEILING).limit(LIMIT);
            request.alternatives = wants.collect();
            request.channels = if *house { vec![HOUSE.into()] } else { Vec::new() };
            let replaced = replacing.and_then(|at| model.nth(at));
            request.replacing = replaced.map(|at| model.holds[at].hold.reference());
            hold(bench, model, request, now).await
        }
        Step::Repeat { hold: at }
        | Step::Extend { hold: at, .. }
        | Step::Release { hold: at, .. }
        | Step::Begin { hold: at, .. }
        | Step::Abort { hold: at }
        | Step::Sold { hold: at }
        | Step::Reopen { hold: at } => match model.nth(*at) {
            Some(at) => on_hold(bench, model, at, step, now).await,
            None => (Answer::Done, Answer::Done),
        },
    }
}

/// With the truth of the model's moment in it nothing changes but the channels; without it neither.
fn snapshot(bench: &Bench, model: &Model, truth: bool) -> EventSnapshot {
    let snapshot = bench.snapshot();
    let snapshot = match model.house[..] {
        [] => snapshot,
        [..] => snapshot.with_channel(HOUSE, model.house.clone()),
    };
    let known = model.holds.iter().filter(|_| truth);
    known.fold(snapshot, |snapshot, known| {
        let state = match known.phase {
            Phase::Paying(until) => TakenState::Paying { until },
            Phase::Sold => TakenState::Sold,
            Phase::Held(_) | Phase::Lapsed(_) | Phase::Over => return snapshot,
        };
        let booking = (state == TakenState::Sold).then_some(known.booking);
        let taken = Taken::new(&known.hold.owner, known.hold.want.clone(), state, known.hold.fence);
        snapshot.with_taken(taken.with_hold(known.hold.id).with_booking(booking))
    })
}

async fn hold(bench: &Bench, model: &mut Model, request: HoldRequest, now: Timestamp) -> (Answer, Answer) {
    let expected = model.hold(&request, now);
    let result = bench.store.hold(&request).await;
    if let Ok(hold) = &result {
        let ordered = model.holds.iter().filter(|known| bench.orders(&known.hold, hold));
        let highest = ordered.map(|known| known.hold.fence).max();
        if Some(hold.fence) <= highest {
            return (expected, Answer::Failed(format!("fence {} after {highest:?}", hold.fence)));
        }
        model.add(request, hold.clone());
    }
    (expected, of_hold(result))
}

async fn on_hold(
    bench: &Bench,
    model: &mut Model,
    at: usize,
    step: &Step,
    now: Timestamp,
) -> (Answer, Answer) {
    let seen = model.seen(at);
    let known = &mut model.holds[at];
    // By then the attempt may be forgotten, and be a new hold.
    if matches!(step, Step::Repeat { .. }) && now >= known.hold.ceiling_at {
        return (Answer::Done, Answer::Done);
    }
    let found = send(bench, known, step).await;
    (known.step(step, seen, now), found)
}

async fn send(bench: &Bench, known: &Known, step: &Step) -> Answer {
    let (store, it) = (&bench.store, known.hold.reference());
    match *step {
        Step::Repeat { .. } => of_hold(store.hold(&known.request).await),
        Step::Extend { who, ttl, .. } => of_hold(store.extend(it, &owner_of(who), secs(ttl)).await),
        Step::Release { who, .. } => of(store.release(it, &owner_of(who)).await),
        Step::Begin { who, grace, .. } => of_hold(store.begin_commit(it, &owner_of(who), secs(grace)).await),
        Step::Abort { .. } => of(store.abort_commit(it).await),
        Step::Sold { .. } => of(store.sold(it, known.hold.fence, known.booking).await),
        _ => of(store.reopen(bench.event, known.booking).await),
    }
}
