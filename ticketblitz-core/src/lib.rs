//! What the TicketBlitz crates share: a vocabulary, and a database to keep it in.
//!
//! Nothing here knows locks, keys or sagas. A type lives here only if two crates need it:
//! [ids](id), [seats](SeatId), [money](Money), [time](Timestamp) and the [clock](Clock) it is read from,
//! the [backoff](Backoff) between tries, the [envelope](Envelope) an event travels in, and what is logged
//! [seldom](Seldom).
//!
//! With the feature `sqlite`, the `sqlite` module is a layer over rusqlite that is no matter of words: a thread that
//! writes, whose callers share commits, a pool of readers, statements and rows, and the versions of tables.
//!
//! ```
//! use ticketblitz_core::{Currency, Money, SeatId};
//!
//! let price = Money::new(7_500, Currency::INR);
//! assert_eq!(price.times(2).unwrap(), Money::new(15_000, Currency::INR));
//! let (a2, a10): (SeatId, SeatId) = ("A2".parse().unwrap(), "A10".parse().unwrap());
//! assert!(a2 < a10); // numeric order, not text order
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The macros name this crate by its name, in here too.
extern crate self as ticketblitz_core;

mod backoff;
mod clock;
mod envelope;
pub mod id;
mod money;
mod seat;
mod seldom;
#[cfg(feature = "sqlite")]
pub mod sqlite;

pub use backoff::Backoff;
#[cfg(feature = "testing")]
pub use clock::ManualClock;
pub use clock::{Clock, ParseTimestampError, SystemClock, Timestamp};
pub use envelope::Envelope;
pub use id::{BookingId, EventId, MessageId, UserId};
pub use money::{Currency, Money, MoneyError, ParseCurrencyError};
pub use seat::{ParseSeatError, SeatId};
pub use seldom::Seldom;
