//! Seat locks: hold N seats for one buyer, all or none, with fences, expiry and payment in flight.
//!
//! ```
//! use std::time::Duration;
//! use ticketblitz_core::{BookingId, EventId};
//! use ticketblitz_lock::{EventSnapshot, LockError, MemoryStore, SeatLocks};
//!
//! # async fn run() -> Result<(), LockError> {
//! let locks = SeatLocks::new(MemoryStore::default());
//! let event = EventId::new();
//! locks.load(&EventSnapshot::new(event)).await?; // nothing sold yet
//!
//! let hold = locks.hold(event, ["A1", "A2"]).owner("alice").ttl(Duration::from_secs(600)).await?;
//! let paying = hold.begin_commit(Duration::from_secs(120)).await?; // cannot lapse while the card is charged
//! paying.sold(BookingId::new()).await?; // refused if a higher fence has been seen
//!
//! match locks.hold(event, ["A2", "A3"]).owner("bob").await {
//!     Err(LockError::Unavailable(conflicts)) => assert_eq!(conflicts.seats[0].seat.to_string(), "A2"),
//!     other => panic!("A2 is sold: {other:?}"),
//! }
//! # Ok(())
//! # }
//! # futures::executor::block_on(run()).unwrap();
//! ```
//!
//! # The life of a seat
//!
//! *free* → **held** (by one [`Hold`], until `expires_at`, at most until its ceiling) → **paying** (bounded by a
//! grace, cannot lapse before it) → **sold** (to a booking) → free again, when the booking is
//! [reopened](SeatStore::reopen). A hold that is released or lapses, and a payment that is aborted or outlives
//! its grace, make their seats free. General admission is the same with a number of units of an area in place of
//! named seats: sold + paying + held + free is always the capacity.
//!
//! # Fences
//!
//! Every hold carries a [`Fence`], higher than that of any earlier hold of one of its seats (with some backends, of the
//! event: [`FenceScope`]). A lock with an expiry
//! cannot stop a buyer who was slow and believes to hold still; a database that refuses a lower fence than it has
//! seen can. Send it along with the sale.
//!
//! # Whose time, and in what units
//!
//! Every moment is the store's and every span is the caller's: moments are [`Timestamp`](ticketblitz_core::Timestamp)s in
//! UTC to the microsecond, which a backend reads from its own clock (the server's, if it has one) within the atomic step;
//! spans are [`Duration`](std::time::Duration)s, of which what is less than a microsecond does not count. No clock of a
//! caller's matters, so nobody gains by setting one. To show a countdown, count down [`Hold::ttl`] rather than compare
//! [`Hold::expires_at`] with a clock.
//!
//! # Cancellation
//!
//! Any future here can be dropped at any moment. What was asked for then happens whole or not at all, and the store stays
//! usable; only the answer is lost, as with [`LockError::OutcomeUnknown`]. Send the operation again to learn it. That
//! works for a hold whose [attempt](HoldBuilder::attempt) was named, and for everything else as it is.
//!
//! # Two audiences
//!
//! Callers use [`SeatLocks`] and the handles it returns. Who writes a backend implements [`SeatStore`], whose
//! documentation is the contract; wrappers (retries, metrics) implement it too. [`MemoryStore`] is the backend
//! for one process, and for tests.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// Its example is compiled.
#[cfg(all(doctest, feature = "memory"))]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod locks;
#[cfg(feature = "memory")]
mod memory;
#[cfg(feature = "metrics")]
mod metered;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod queue;
#[cfg(feature = "redis")]
pub mod redis;
mod store;
#[cfg(feature = "tracing")]
mod traced;
mod types;

pub use error::{AreaConflict, Conflicts, LockError, SeatConflict};
pub use locks::{Held, HoldBuilder, HoldGuard, NoOwner, Paying, Release, SeatLocks, ToSeat};
#[cfg(feature = "memory")]
pub use memory::MemoryStore;
#[cfg(feature = "metrics")]
pub use metered::Metered;
#[cfg(feature = "postgres")]
#[doc(no_inline)]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
#[doc(no_inline)]
pub use redis::{RedisOptions, RedisStore};
pub use store::SeatStore;
#[cfg(feature = "tracing")]
pub use traced::Traced;
pub use types::{
    Area, AreaStatus, AttemptId, Capabilities, Channel, Cursor, Durability, EventSnapshot, EventStatus,
    EventTag, Expired, Fence, FenceScope, Hold, HoldId, HoldRef, HoldRequest, HoldState, Owner, SeatState,
    Taken, TakenState, Want,
};
