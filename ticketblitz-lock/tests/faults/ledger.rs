//! What the buyers of a crowd know, against what an observer sees: at any instant, whole holds and nothing else.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ticketblitz_core::SeatId;
use ticketblitz_lock::{EventStatus, Hold};

use super::crowd::SHORT;

/// Two clocks, the store's and this process's, may be read so far apart.
const SLACK: Duration = Duration::from_millis(20);
/// A request that nobody waits for any more has come to nothing after so long, or to a hold.
const DONE: Duration = Duration::from_secs(10);

/// One request: its seats as bits, and when what happened to it.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    seats: u64,
    sent: Instant,
    answered: Option<Instant>,
    abandoned: Option<Instant>,
    releasing: Option<Instant>,
    released: Option<Instant>,
}

impl Attempt {
    /// Whether it is held all the time between the two moments.
    fn is_certain(&self, from: Instant, to: Instant) -> bool {
        let made = self.answered.is_some_and(|answered| answered <= from);
        made && self.releasing.is_none_or(|began| began > to) && to + SLACK < self.sent + SHORT
    }

    /// Whether it is over before that moment.
    fn is_over(&self, before: Instant) -> bool {
        let made = self.answered.or(self.abandoned.map(|gone| gone + DONE));
        made.is_some_and(|made| made + SHORT + SLACK < before)
            || self.released.is_some_and(|released| released < before)
    }
}

/// What one look showed.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// How many holds were certainly there.
    pub certain: usize,
    /// Whether it was not found out what the rest is made of: too much is possible at a time.
    pub given_up: bool,
}

#[derive(Debug, Default)]
pub struct Ledger(Mutex<(u64, HashMap<u64, Attempt>)>);

impl Ledger {
    /// Before a request is sent.
    pub fn asks(&self, seats: &[SeatId]) -> u64 {
        let (last, attempts) = &mut *self.0.lock().unwrap();
        *last += 1;
        let seats = bits(seats.iter().copied());
        let (sent, none) = (Instant::now(), None);
        let attempt =
            Attempt { seats, sent, answered: none, abandoned: none, releasing: none, released: none };
        attempts.insert(*last, attempt);
        *last
    }

    pub fn refused(&self, number: u64) {
        self.0.lock().unwrap().1.remove(&number);
    }

    pub fn answered(&self, number: u64, hold: &Hold) {
        self.note(number, |attempt, now| {
            assert_eq!(attempt.seats, bits(hold.seats().iter().copied()), "what was asked for");
            attempt.answered = Some(now);
        });
    }

    /// Nobody waits for the answer any more.
    pub fn abandons(&self, number: u64) {
        self.note(number, |attempt, now| attempt.abandoned = Some(now));
    }

    pub fn releases(&self, number: u64) {
        self.note(number, |attempt, now| attempt.releasing = Some(now));
    }

    pub fn released(&self, number: u64) {
        self.note(number, |attempt, now| attempt.released = Some(now));
    }

    fn note(&self, number: u64, change: impl FnOnce(&mut Attempt, Instant)) {
        // It may have lapsed, and be forgotten.
        if let Some(attempt) = self.0.lock().unwrap().1.get_mut(&number) {
            change(attempt, Instant::now());
        }
    }

    /// Checks what the store said at a moment between the two.
    pub fn agrees(&self, status: &EventStatus, from: Instant, to: Instant) -> Look {
        let attempts = &mut self.0.lock().unwrap().1;
        attempts.retain(|_, attempt| !attempt.is_over(from));
        let there = bits(status.seats.iter().map(|(seat, _)| *seat));
        let (certain, possible): (Vec<&Attempt>, Vec<&Attempt>) =
            attempts.values().partition(|attempt| attempt.is_certain(from, to));
        let mut rest = there;
        for attempt in &certain {
            assert_eq!(attempt.seats & !rest, 0, "of {attempt:?} a part is lost or another's: {there:b}");
            rest &= !attempt.seats;
        }
        let mut possible: Vec<u64> = possible.iter().map(|attempt| attempt.seats).collect();
        possible.sort_unstable();
        possible.dedup();
        let mut patience = 1_000_000;
        assert!(is_made_of(rest, &possible, &mut patience), "{rest:b} of {there:b} is no whole hold's");
        Look { certain: certain.len(), given_up: patience == 0 }
    }
}

/// Whether the seats are some of these sets, none of which overlap. Given up as possible after so many tries.
fn is_made_of(seats: u64, sets: &[u64], patience: &mut u32) -> bool {
    if seats == 0 || *patience == 0 {
        return true;
    }
    let fitting: Vec<u64> = sets.iter().copied().filter(|set| set & !seats == 0).collect();
    let lowest = seats & seats.wrapping_neg();
    fitting.iter().filter(|set| **set & lowest != 0).any(|set| {
        *patience = patience.saturating_sub(1);
        is_made_of(seats & !set, &fitting, patience)
    })
}

fn bits(seats: impl Iterator<Item = SeatId>) -> u64 {
    seats.fold(0, |bits, seat| bits | 1 << (seat.number() - 1))
}

#[test]
fn parts_of_sets_are_found() {
    let sets = [0b0011, 0b1100, 0b0110];
    let made = |seats| is_made_of(seats, &sets, &mut 1_000);
    assert!(made(0) && made(0b1111) && made(0b0110));
    assert!(!made(0b0111) && !made(0b1000) && !made(0b1011));
}
