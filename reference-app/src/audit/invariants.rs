//! What must hold over all stores together. Pure: whoever calls brings what was read and the time.

mod bookings;
mod events;
mod notifications;
mod payments;
mod places;
#[cfg(test)]
mod tests;
mod unfinished;

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use contract::inventory::LiveSeats;
use notification::domain::Notification;
use payment::domain::Payment;
use ticketblitz_core::Timestamp;

use super::work::Work;
use unfinished::Unfinished;

/// One look at everything. Each part is of one moment, but not all of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(super) inventory: inventory::audit::Snapshot,
    pub(super) bookings: booking::audit::Snapshot,
    pub(super) payments: Vec<Payment>,
    pub(super) notifications: Vec<Notification>,
    pub(super) events: event::audit::Snapshot,
    pub(super) ledger: Ledger,
    pub(super) work: Work,
    /// The files of mails; none where none are kept.
    pub(super) mails: Option<HashSet<String>>,
    /// What the running server shows of its events; none without one.
    pub(super) live: Vec<LiveSeats>,
}

/// What the provider has in its books.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) charges: Vec<psp::audit::Charge>,
    pub(super) refunds: Vec<psp::audit::Refund>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Invariant {
    OneSale,
    Places,
    Paid,
    Tickets,
    Sold,
    Charges,
    Deadline,
    Notifications,
    Counts,
    Fences,
    Limits,
    Offers,
    Events,
    Waiting,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneSale => "one live sale a seat",
            Self::Places => "sold + paying + held + free = capacity",
            Self::Paid => "every confirmed booking is paid once",
            Self::Tickets => "every confirmed booking has its tickets",
            Self::Sold => "every confirmed booking's places are sold to it",
            Self::Charges => "every charge is of a confirmed booking or refunded",
            Self::Deadline => "no booking is PENDING past its deadline",
            Self::Notifications => "one notification a confirmation",
            Self::Counts => "the counts in Event agree",
            Self::Fences => "fences only rise",
            Self::Limits => "no customer has more than the limit",
            Self::Offers => "what is sold is what is shown",
            Self::Events => "every sale is of an event that takes place",
            Self::Waiting => "nothing waits for a person",
        })
    }
}

/// A broken invariant. Two readings that show the same one have equal values: what it says is about ids and what
/// is stored of them, never about the time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(super) invariant: Invariant,
    pub(super) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What was found: what is broken, and what is only to be known.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) broken: BTreeSet<Violation>,
    pub(crate) notes: BTreeSet<String>,
}

impl Found {
    fn add(&mut self, invariant: Invariant, what: String) {
        self.broken.insert(Violation { invariant, what });
    }

    /// What is said only `if` it is so.
    fn add_if(&mut self, so: bool, invariant: Invariant, what: impl FnOnce() -> String) {
        if so {
            self.add(invariant, what());
        }
    }

    /// What is so is broken, unless it `waits` for work that ends it.
    fn unless(&mut self, waits: bool, so: bool, invariant: Invariant, what: impl FnOnce() -> String) {
        if so && waits {
            self.unfinished(&what());
        } else {
            self.add_if(so, invariant, what);
        }
    }

    fn unfinished(&mut self, what: &str) {
        self.note(format!("unfinished: {what}"));
    }

    fn note(&mut self, what: String) {
        self.notes.insert(what);
    }
}

/// Everything that is broken in what was read at `now`.
pub(super) fn check(reading: &Reading, now: Timestamp) -> Found {
    let mut found = Found::default();
    places::check(reading, &mut found);
    let unfinished = Unfinished::of(reading);
    bookings::check(reading, &unfinished, now, &mut found);
    payments::check(reading, &unfinished, &mut found);
    notifications::check(reading, &unfinished, &mut found);
    events::check(reading, &unfinished, &mut found);
    unfinished::needs_nobody(reading, &mut found);
    found
}
