//! What must hold over all stores together. Pure: whoever calls brings what was read and the time.

mod bookings;
mod events;
mod payments;
mod places;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use contract::inventory::LiveSeats;
use notification::domain::Notification;
use payment::domain::Payment;
use ticketblitz_core::Timestamp;

/// One look at everything. Each part is of one moment, but not all of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    pub(super) inventory: inventory::audit::Snapshot,
    pub(super) bookings: booking::audit::Snapshot,
    pub(super) payments: Vec<Payment>,
    pub(super) notifications: Vec<Notification>,
    pub(super) events: event::audit::Snapshot,
    pub(super) ledger: Ledger,
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

/// Takes down what is broken.
#[derive(Debug, Default)]
struct Found(BTreeSet<Violation>);

impl Found {
    fn add(&mut self, invariant: Invariant, what: String) {
        self.0.insert(Violation { invariant, what });
    }

    /// What is said only `if` it is so.
    fn add_if(&mut self, so: bool, invariant: Invariant, what: impl FnOnce() -> String) {
        if so {
            self.add(invariant, what());
        }
    }
}

/// Everything that is broken in what was read at `now`.
pub(super) fn check(reading: &Reading, now: Timestamp) -> BTreeSet<Violation> {
    let mut found = Found::default();
    places::check(reading, &mut found);
    bookings::check(reading, now, &mut found);
    payments::check(reading, &mut found);
    events::check(reading, &mut found);
    found.0
}
