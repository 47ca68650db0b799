//! What every backend must do, as tests that every backend can run.
//!
//! Each behaviour is a function that takes a [`Bench`], and panics where an answer is not the one due. A backend's test
//! file says how to make a store and lists nothing: [`conformance!`](macro@crate::conformance) makes a test of each behaviour,
//! and one more that compares the backend with a [model].
//!
//! ```
//! # use std::sync::Arc;
//! use ticketblitz_core::ManualClock;
//! use ticketblitz_lock::{MemoryStore, SeatStore};
//!
//! /// Empty, used by nobody else, and with the time from this clock alone.
//! async fn store(clock: ManualClock) -> impl SeatStore {
//!     MemoryStore::new(Arc::new(clock))
//! }
//!
//! ticketblitz_lock::conformance!(store);
//! # fn main() {}
//! ```
//!
//! The tests are tokio's: the backend's `[dev-dependencies]` have `tokio` with its features `macros` and
//! `rt-multi-thread` beside `ticketblitz-lock` with `conformance` and `ticketblitz-core` with `testing`.
//!
//! # Whose time
//!
//! The contract knows the store's time alone, so the tests have to move it. A backend in this process reads the
//! [`Clock`](ticketblitz_core::Clock) that it is given. One on a server takes an argument in its script or statement that
//! is absent in production, where the server's own time counts, and that a store made for tests fills from the clock at
//! each operation. The time of the tests stands still between their steps, is moved by years, and is set back: a backend
//! that keeps its promises then needs no second set of them for a real clock.
//!
//! # Isolation
//!
//! Tests run at the same time, each with a store of its own. On a shared server, give each a key prefix, schema or
//! database of its own: the expiry stream is of all the events of a store.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // a test fails where an answer is not the expected one

/// The answer is this error.
macro_rules! refused {
    ($answer:expr, $error:pat) => {{
        let answer = $answer;
        assert!(matches!(answer, Err($error)), "{} expected, got {answer:?}", stringify!($error));
    }};
}

pub mod areas;
pub mod attempts;
mod bench;
pub mod candidates;
pub mod channels;
pub mod expiry;
pub mod guards;
pub mod holds;
pub mod loading;
pub mod model;
pub mod races;
pub mod replacing;
pub mod sales;
mod tests;

pub use bench::{Bench, CEILING, GRACE, TICK, TTL, owner, seat, seats};
