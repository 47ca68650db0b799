//! Idempotency keys: a retry gets the first answer, never a second execution.
//!
//! A caller sends the same [`Key`] with every try of one operation. The first try executes; every other gets
//! its answer, byte for byte, whether it comes a day later or in the same millisecond. The same key with
//! another request is refused.
//!
//! - [`Keys::execute`] runs any async operation under a key.
//! - `IdempotencyLayer` (feature `axum`) does it for the routes of a router.
//! - [`MemoryStore`] keeps keys in memory, `SqliteStore` (feature `sqlite`) in a database, where the answer
//!   can be part of the operation's own transaction. Others implement [`IdempotencyStore`].
//!
//! ```
//! # use std::sync::Arc;
//! # use ticketblitz_core::SystemClock;
//! use ticketblitz_idempotency::{Error, Key, Keys, MemoryStore, Scope};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let keys = Keys::new(MemoryStore::new(Arc::new(SystemClock)));
//! let key = Key::new("8e03978e")?;
//! let receipt: String = keys
//!     .execute(Scope::user("ann"), key, &("charge", 500), || async { Ok::<_, Error>("receipt 1".into()) })
//!     .await?;
//! # assert_eq!(receipt, "receipt 1");
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - Of any number of concurrent tries one executes. The others wait for it, or are refused at once.
//! - An execution holds a lease that is renewed while it runs. One that has lost its lease cannot store its
//!   answer, and gets the answer of the one that took over: leases are fenced by a growing sequence.
//! - A crash frees the key when its lease ends; then the next try *executes again*. See [`Keys`] for what that
//!   asks of an operation.
//! - Time is the store's: callers with wrong clocks change nothing.
//! - A key is remembered for a day after it was claimed, or as long as the store is told.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod fingerprint;
mod key;
mod keys;
#[cfg(feature = "axum")]
mod layer;
#[cfg(any(feature = "axum", feature = "sqlite"))]
mod progress;
mod response;
mod scope;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::Error;
pub use fingerprint::Fingerprint;
pub use key::{Key, KeyError};
pub use keys::{InFlightPolicy, Keys};
#[cfg(feature = "axum")]
pub use layer::{
    Disposition, Execution, IdempotencyLayer, NoExecution, Refusal, Scoped, Service, Unscoped,
    default_disposition, problem,
};
pub use response::StoredResponse;
pub use scope::Scope;
#[cfg(feature = "sqlite")]
pub use store::sqlite::{self, Finish, SqliteStore};
pub use store::{Claim, ClaimRequest, Finished, IdempotencyStore, Lease, MemoryStore, RETENTION};
