//! Any sequence of operations, compared with a model that is too simple to be wrong.

use std::time::Duration;

use futures::executor::block_on;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use ticketblitz_core::{BookingId, Clock, SeatId, Timestamp};
use ticketblitz_lock::{Hold, HoldRequest, LockError, SeatState, Want};

use super::{Bench, owner};

const OWNERS: [&str; 2] = ["alice", "bob"];
const FLOOR: u32 = 10;
const LIMIT: u32 = 9;

#[derive(Debug, Clone)]
pub enum Step {
    Hold { who: usize, want: Wanted, ttl: u64 },
    Repeat { hold: usize },
    Extend { hold: usize, who: usize, ttl: u64 },
    Release { hold: usize, who: usize },
    Begin { hold: usize, who: usize, grace: u64 },
    Abort { hold: usize },
    Sold { hold: usize },
    Reopen { hold: usize },
    Load,
    Wait { seconds: u64 },
}

#[derive(Debug, Clone)]
pub enum Wanted {
    Seats(Vec<u32>),
    Floor(u32),
}

/// Up to forty steps on six seats and an area of ten.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hold = 0..12_usize;
    let who = 0..2_usize;
    let seconds = 1..40_u64;
    let seats = proptest::sample::subsequence((1..=6_u32).collect::<Vec<_>>(), 1..=3).prop_shuffle();
    let want = prop_oneof![3 => seats.prop_map(Wanted::Seats), 1 => (1..7_u32).prop_map(Wanted::Floor)];
    let step = prop_oneof![
        6 => (who.clone(), want, seconds.clone()).prop_map(|(who, want, ttl)| Step::Hold { who, want, ttl }),
        1 => hold.clone().prop_map(|hold| Step::Repeat { hold }),
        1 => (hold.clone(), who.clone(), 1..90_u64).prop_map(|(hold, who, ttl)| Step::Extend { hold, who, ttl }),
        2 => (hold.clone(), who.clone()).prop_map(|(hold, who)| Step::Release { hold, who }),
        3 => (hold.clone(), who, seconds.clone()).prop_map(|(hold, who, grace)| Step::Begin { hold, who, grace }),
        1 => hold.clone().prop_map(|hold| Step::Abort { hold }),
        2 => hold.clone().prop_map(|hold| Step::Sold { hold }),
        1 => hold.prop_map(|hold| Step::Reopen { hold }),
        1 => Just(Step::Load),
        3 => seconds.prop_map(|seconds| Step::Wait { seconds }),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Every hold that was ever made, in a list that is searched from end to end.
#[derive(Default)]
struct Model {
    holds: Vec<Known>,
}

struct Known {
    request: HoldRequest,
    hold: Hold,
    booking: BookingId,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Held(Timestamp),
    Paying(Timestamp),
    Sold,
    LapsedInPayment,
    Over,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Expires(Timestamp),
    Refused(&'static str),
}

fn answer<T>(result: Result<T, LockError>, done: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => done(value),
        Err(LockError::Unavailable(_)) => Answer::Refused("unavailable"),
        Err(LockError::NotHeld) => Answer::Refused("not held"),
        Err(LockError::InPayment) => Answer::Refused("in payment"),
        Err(LockError::CeilingReached { .. }) => Answer::Refused("ceiling"),
        Err(LockError::LimitExceeded { .. }) => Answer::Refused("limit"),
        Err(LockError::AttemptLapsed) => Answer::Refused("attempt lapsed"),
        Err(LockError::StaleFence { .. }) => Answer::Refused("stale"),
        Err(error) => panic!("{error:?}"),
    }
}

const CEILING: Duration = Duration::from_secs(100);

impl Model {
    fn lapse(&mut self, now: Timestamp) {
        for known in &mut self.holds {
            known.phase = match known.phase {
                Phase::Held(until) if until <= now => Phase::Over,
                Phase::Paying(until) if until <= now => Phase::LapsedInPayment,
                phase => phase,
            };
        }
    }

    fn state(known: &Known) -> Option<SeatState> {
        match known.phase {
            Phase::Held(_) => Some(SeatState::Held),
            Phase::Paying(_) => Some(SeatState::Paying),
            Phase::Sold => Some(SeatState::Sold),
            Phase::LapsedInPayment | Phase::Over => None,
        }
    }

    fn taken(&self) -> Vec<(SeatId, SeatState)> {
        let with_state = self.holds.iter().filter_map(|known| Some((known, Self::state(known)?)));
        let mut taken: Vec<_> = with_state
            .flat_map(|(known, state)| known.hold.seats().iter().map(move |seat| (*seat, state)))
            .collect();
        taken.sort_unstable();
        taken
    }

    fn floor(&self, of: SeatState) -> u32 {
        let there = self.holds.iter().filter(|known| Self::state(known) == Some(of));
        there.filter(|known| known.hold.seats().is_empty()).map(|known| known.hold.want.units()).sum()
    }

    fn hold(&self, request: &HoldRequest) -> Answer {
        let theirs = self.holds.iter().filter(|known| known.hold.owner == request.owner);
        let units: u32 = theirs.filter(|k| Self::state(k).is_some()).map(|k| k.hold.want.units()).sum();
        let free = match &request.want {
            Want::Seats(seats) => !self.taken().iter().any(|(seat, _)| seats.contains(seat)),
            Want::Area { quantity, .. } => {
                let states = [SeatState::Held, SeatState::Paying, SeatState::Sold];
                states.iter().map(|state| self.floor(*state)).sum::<u32>() + quantity <= FLOOR
            }
        };
        match (units + request.want.units() > LIMIT, free) {
            (true, _) => Answer::Refused("limit"),
            (false, false) => Answer::Refused("unavailable"),
            (false, true) => Answer::Done,
        }
    }

    fn is_stale(&self, at: usize) -> bool {
        let late = &self.holds[at].hold;
        let others =
            self.holds.iter().filter(|known| Self::state(known).is_some() && known.hold.fence > late.fence);
        others.flat_map(|known| known.hold.seats()).any(|seat| late.seats().contains(seat))
    }
}

/// Runs the steps on both and compares every answer and every status.
pub fn agrees_with_the_model(bench: &Bench, steps: Vec<Step>) -> Result<(), TestCaseError> {
    block_on(async {
        let mut model = Model::default();
        for step in steps {
            let (expected, found) = run(bench, &mut model, &step).await;
            prop_assert_eq!(expected, found, "{:?}", step);
            model.lapse(bench.clock.now());
            let status = bench.store.status(bench.event).await.unwrap();
            prop_assert_eq!(status.seats, model.taken(), "after {:?}", &step);
            let floor = &status.areas[0];
            let counted =
                [SeatState::Held, SeatState::Paying, SeatState::Sold].map(|state| model.floor(state));
            prop_assert_eq!([floor.held, floor.paying, floor.sold], counted, "after {:?}", &step);
        }
        Ok(())
    })
}

async fn run(bench: &Bench, model: &mut Model, step: &Step) -> (Answer, Answer) {
    let now = bench.clock.now();
    match *step {
        Step::Wait { seconds } => bench.clock.advance(Duration::from_secs(seconds)),
        Step::Load => bench.load(&bench.snapshot()).await,
        Step::Hold { who, ref want, ttl } => {
            let want = match want {
                Wanted::Seats(numbers) => {
                    Want::Seats(numbers.iter().map(|n| SeatId::new(1, *n).unwrap()).collect())
                }
                Wanted::Floor(quantity) => Want::Area { section: "FLOOR".into(), quantity: *quantity },
            };
            let request = HoldRequest::new(bench.event, OWNERS[who], want);
            let request = request.ttl(Duration::from_secs(ttl)).ceiling(CEILING).limit(LIMIT);
            let expected = model.hold(&request);
            let result = bench.store.hold(&request).await;
            if let Ok(hold) = &result {
                let highest = model.holds.iter().map(|known| known.hold.fence).max();
                assert!(Some(hold.fence) > highest, "fences rise");
                let phase = Phase::Held(now + Duration::from_secs(ttl));
                model.holds.push(Known { request, hold: hold.clone(), booking: BookingId::new(), phase });
            }
            return (expected, answer(result, |_| Answer::Done));
        }
        _ => return on_hold(bench, model, step, now).await,
    }
    (Answer::Done, Answer::Done)
}

async fn on_hold(bench: &Bench, model: &mut Model, step: &Step, now: Timestamp) -> (Answer, Answer) {
    let (Step::Repeat { hold: at }
    | Step::Extend { hold: at, .. }
    | Step::Release { hold: at, .. }
    | Step::Begin { hold: at, .. }
    | Step::Abort { hold: at }
    | Step::Sold { hold: at }
    | Step::Reopen { hold: at }) = *step
    else {
        return (Answer::Done, Answer::Done);
    };
    let forgotten = matches!(step, Step::Repeat { .. })
        && model.holds.get(at).is_some_and(|known| now >= known.hold.ceiling_at);
    if at >= model.holds.len() || forgotten {
        return (Answer::Done, Answer::Done);
    }
    let found = send(bench, &model.holds[at], step).await;
    let stale = model.is_stale(at);
    (model.holds[at].step(step, stale, now), found)
}

async fn send(bench: &Bench, known: &Known, step: &Step) -> Answer {
    let (store, it) = (&bench.store, known.hold.reference());
    let expires = |hold: Hold| Answer::Expires(hold.expires_at);
    let done = |()| Answer::Done;
    match *step {
        Step::Repeat { .. } => answer(store.hold(&known.request).await, expires),
        Step::Extend { who, ttl, .. } => {
            answer(store.extend(it, &owner(OWNERS[who]), Duration::from_secs(ttl)).await, expires)
        }
        Step::Release { who, .. } => answer(store.release(it, &owner(OWNERS[who])).await, done),
        Step::Begin { who, grace, .. } => {
            answer(store.begin_commit(it, &owner(OWNERS[who]), Duration::from_secs(grace)).await, expires)
        }
        Step::Abort { .. } => answer(store.abort_commit(it).await, done),
        Step::Sold { .. } => answer(store.sold(it, known.hold.fence, known.booking).await, done),
        _ => answer(store.reopen(bench.event, known.booking).await, done),
    }
}

impl Known {
    fn step(&mut self, step: &Step, stale: bool, now: Timestamp) -> Answer {
        let refused = |why| (self.phase, Answer::Refused(why));
        let theirs = |who: usize| self.hold.owner == owner(OWNERS[who]);
        let (phase, answer) = match (step, self.phase) {
            (Step::Repeat { .. }, Phase::Held(until) | Phase::Paying(until)) => {
                (self.phase, Answer::Expires(until))
            }
            (Step::Repeat { .. }, _) => refused("attempt lapsed"),
            (Step::Extend { who, .. } | Step::Release { who, .. }, Phase::Paying(_)) if theirs(*who) => {
                refused("in payment")
            }
            (Step::Extend { who, ttl, .. }, Phase::Held(_)) if theirs(*who) => {
                let until = now + Duration::from_secs(*ttl);
                if until > self.hold.ceiling_at {
                    refused("ceiling")
                } else {
                    (Phase::Held(until), Answer::Expires(until))
                }
            }
            (Step::Release { who, .. }, Phase::Held(_)) if theirs(*who) => (Phase::Over, Answer::Done),
            (Step::Begin { who, grace, .. }, Phase::Held(_)) if theirs(*who) => {
                let until = now + Duration::from_secs(*grace);
                (Phase::Paying(until), Answer::Expires(until))
            }
            (Step::Begin { who, .. }, Phase::Paying(until)) if theirs(*who) => {
                (self.phase, Answer::Expires(until))
            }
            (Step::Abort { .. }, Phase::Held(_) | Phase::Paying(_)) => (Phase::Over, Answer::Done),
            (Step::Abort { .. }, Phase::Over | Phase::LapsedInPayment) => (self.phase, Answer::Done),
            (Step::Sold { .. }, Phase::Held(_) | Phase::Paying(_) | Phase::Sold) => {
                (Phase::Sold, Answer::Done)
            }
            (Step::Sold { .. }, Phase::LapsedInPayment) if stale => refused("stale"),
            (Step::Reopen { .. }, Phase::Sold) => (Phase::Over, Answer::Done),
            (Step::Reopen { .. }, _) => (self.phase, Answer::Done),
            _ => refused("not held"),
        };
        self.phase = phase;
        answer
    }
}
