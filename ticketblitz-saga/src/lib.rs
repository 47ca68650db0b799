//! Sagas with a typed pivot, a transactional outbox and an inbox, resumed after every crash.
//!
//! ```
//! use std::sync::Arc;
//! use ticketblitz_core::{SystemClock, sqlite::Sqlite};
//! use ticketblitz_saga::{Engine, Error, Retry, Run, Saga, Status, StepError};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("orders.db");
//! async fn reserve(run: Run<u32>) -> Result<u32, StepError> {
//!     Ok(run.state) // a call to the warehouse, say, which knows a repeat by `run.key`
//! }
//! async fn release(_: Run<u32>) -> Result<(), Retry> {
//!     Ok(())
//! }
//! async fn sell(run: Run<u32>) -> Result<u32, StepError> {
//!     if run.state > 3 { Err(StepError::Abort("so many are not left".into())) } else { Ok(run.state) }
//! }
//!
//! let saga = Saga::<u32>::named("order") // carries a number from node to node
//!     .step("reserve", reserve).undo(release)
//!     .pivot("sell", sell) // from here on `.undo` does not exist: a compile error
//!     .build();
//!
//! let db = Sqlite::open(path).await?;
//! let engine = Engine::new(db.clone(), Arc::new(SystemClock)).register(saga).build().await?;
//! let orders = engine.handle::<u32>("order");
//! let stop = CancellationToken::new();
//! let work = tokio::spawn({
//!     let (engine, stop) = (engine.clone(), stop.clone());
//!     async move { engine.run(stop).await }
//! });
//!
//! let (few, many) = (orders.start("ann", &2), orders.start("bob", &5));
//! let started: Result<(), Error> = db
//!     .write(move |conn| {
//!         Box::pin(async move {
//!             // Beside your own rows: they and the saga are one commit.
//!             few.apply(conn).await?;
//!             many.apply(conn).await?;
//!             Ok(())
//!         })
//!     })
//!     .await;
//! started?;
//!
//! let mut commits = db.commits();
//! for (key, end) in [("ann", Status::Completed), ("bob", Status::Failed)] {
//!     while engine.view("order", key).await?.is_none_or(|view| view.status != end) {
//!         commits.changed().await?;
//!     }
//! }
//! stop.cancel();
//! work.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is here
//!
//! - [`Saga::named`] begins a definition: steps, local steps, waits and the pivot, in the order in which they run
//!   ([`builder`]). [`Engine`] drives the sagas of one database.
//! - [`Handle`] makes what is done to a saga: [`Start`], [`Signal`] and [`Cancel`] are values, applied in a
//!   transaction of your own. A local step gets an [`Advance`] for the same purpose.
//! - [`outbox::push`] tells of an event if and only if its transaction commits; [`InProcessBus`] delivers it to the
//!   [`Consumer`]s of this process, at least once; [`inbox::claim`] makes its effect happen once.
//!
//! # What is promised
//!
//! - A saga goes on from its last commit, whatever crashed. Steps and undos are therefore called at least once; the
//!   effect of a local step, which commits with the saga's move, happens once.
//! - Before the pivot everything that was done, or may have been, is undone, last first. Behind it there is only
//!   forward.
//! - Of a signal, a deadline and a cancellation that meet, exactly one wins, and each caller is told.
//! - Messages of one key come in the order in which they were pushed. One that fails holds up only its own key.
//!
//! Without the feature `sqlite`, which is there by default, there are definitions and tokens but nothing that runs
//! them.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Without a database there is nobody to use what all of them share.
#![cfg_attr(not(feature = "sqlite"), allow(dead_code))]

mod advance;
pub mod builder;
#[cfg(feature = "sqlite")]
mod bus;
mod definition;
#[cfg(feature = "sqlite")]
mod engine;
mod error;
pub mod inbox;
pub mod outbox;
mod rows;
mod run;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod state;
#[cfg(feature = "sqlite")]
mod timer;
mod token;

pub use advance::{Advance, Advanced};
#[cfg(feature = "sqlite")]
pub use bus::{
    BusBuilder, BusOptions, Consumer, DeadLetter, HandleError, Handler, InProcessBus, dead_letters, replay,
};
pub use definition::Saga;
#[cfg(feature = "sqlite")]
pub use engine::{Engine, EngineBuilder, EngineOptions, Filter, StartError, Status, View};
pub use error::Error;
pub use rows::Connection;
pub use run::{Data, Failure, Reconciled, Retry, Run, StepError, Verdict};
#[cfg(feature = "sqlite")]
pub use sqlite::purge::sagas as purge;
pub use token::{Cancel, Cancelled, Delivery, Handle, Outcome, Signal, Start};
