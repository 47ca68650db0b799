//! Sagas with a typed pivot, a transactional outbox and an inbox, resumed after every crash.
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
